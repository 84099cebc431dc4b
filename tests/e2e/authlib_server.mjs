// Starts authlib_server.py, a second authorization server, with one federated client.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { RESOURCE } from "./authorization_server.mjs";
import { CREDENTIALS } from "./printed.mjs";
import { until } from "./support.mjs";

export const CLIENT_ID = "orders-pod";
const JWT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/**
 * Starts the server on a free port, and stops it when the test ends.
 *
 * @param {import("node:test").TestContext} t
 * @param {{trusted: {issuer: string, jwks: object}, subject: string, clientId?: string, assertionType?: string,
 *   lifetimeS?: number}} options the issuer whose tokens are accepted, the `sub` of those that are the client's, the id of
 *   the client, and the type of its assertions
 * @returns {Promise<{issuer: string, tokenUrl: string, jwksUrl: string, tokenRequests: {status: number, at: number, assertion?: string}[]}>}
 */
export async function startAuthlibServer(t, options) {
  const { trusted, subject, clientId = CLIENT_ID, assertionType = JWT_ASSERTION, lifetimeS = 4 } = options;
  const parameters = {
    issuer: trusted.issuer,
    jwks: trusted.jwks,
    subject,
    client_id: clientId,
    assertion_type: assertionType,
    resource: RESOURCE,
    groups: ["dev-tls-audit"],
    lifetime: lifetimeS,
    credentials: CREDENTIALS,
  };
  const { url, lines } = await startScript(t, "authlib_server.py", parameters);
  return {
    issuer: url,
    tokenUrl: `${url}/token`,
    jwksUrl: `${url}/jwks`,
    get tokenRequests() {
      return lines().slice(1).map((line) => JSON.parse(line));
    },
  };
}

/**
 * Starts authlib_login.py, to which a person signs in with a browser. `requests` are those of the client.
 *
 * @param {import("node:test").TestContext} t
 * @param {{clientId: string, redirectUrl: string, lifetimeS?: number}} options
 */
export async function startAuthlibLogin(t, { clientId, redirectUrl, lifetimeS = 4 }) {
  const parameters = { client_id: clientId, redirect_url: redirectUrl, resource: RESOURCE, lifetime: lifetimeS, credentials: CREDENTIALS };
  const { url, lines } = await startScript(t, "authlib_login.py", parameters);
  return {
    issuer: url,
    get requests() {
      return lines().slice(1).map((line) => JSON.parse(line));
    },
  };
}

/** Starts a script that prints its port, and stops it when the test ends. */
async function startScript(t, name, parameters) {
  const script = fileURLToPath(new URL(name, import.meta.url));
  const child = spawn(process.env.E2E_PYTHON, [script, JSON.stringify(parameters)], { stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  t.after(async () => {
    child.kill();
    await exit;
  });
  const lines = () => stdout.split("\n").slice(0, -1);
  await until(() => {
    if (child.exitCode !== null) throw new Error(`${name} has ended:\n${stderr}`);
    return lines().length;
  }, `the port of ${name}`);
  const url = `http://127.0.0.1:${lines()[0]}`;
  return { url, lines };
}
