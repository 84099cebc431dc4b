// Tokens that something else obtains: the recipes of docs/authorization-servers.md, as they stand there, with stand-ins
// for `az`, `gcloud`, `vault` and the metadata servers that obtain real tokens from oidc-provider.

import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startApi } from "./api.mjs";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, cleanEnvironment, run, startProxy, statusOf, temporaryDirectory, until } from "./support.mjs";

const quoted = JSON.stringify;
const TOOL = fileURLToPath(new URL("token_tool.mjs", import.meta.url));
const GUIDE = fileURLToPath(new URL("../../docs/authorization-servers.md", import.meta.url));

/** By the recipe's heading: what it is run with. */
const RECIPES = ["The Azure command line", "The Google Cloud command line", "Any other command line", "A file", "Azure's metadata server", "Google's metadata server"];

test("every recipe of this kind is among those that are run", () => {
  assert.deepEqual(recipes().map(({ heading }) => heading), RECIPES);
});

for (const heading of RECIPES) {
  test(`the recipe for ${heading} is a complete file, and ends in a 200 and in a refresh`, async (t) => {
    const scene = await setUp(t);
    const proxy = await scene.start(recipe(heading));
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
    const before = scene.issued();
    await scene.renew?.();
    await until(() => scene.issued() > before, "a refresh");
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
    assert.doesNotMatch(proxy.output.stderr, /WARN|ERROR/);

    const examined = await run(CUPBEARER, ["doctor", "--json", "--config", scene.configure(recipe(heading))], { env: scene.env });
    const checks = Object.fromEntries(JSON.parse(examined.stdout).checks.map((check) => [check.id, check]));
    assert.equal(examined.code, 0, examined.stdout);
    assert.match(checks.secret.said, /^token\.source is /);
    assert.match(checks.grant.said, /^obtained, for /);
  });
}

test("a command runs in / and without variables that are meant for cupbearer", async (t) => {
  const scene = await setUp(t, { NOTIFY_SOCKET: "/run/x", LISTEN_FDS: "1", CUPBEARER_SERVICE_X: "y" });
  await scene.start(recipe("The Azure command line"));
  await until(() => scene.runs().length, "the first run");
  const { cwd, variables } = scene.runs()[0];
  assert.equal(cwd, "/");
  assert.deepEqual(variables.filter((name) => /^(CUPBEARER_|LISTEN_|NOTIFY_SOCKET)/.test(name)), []);
  assert.ok(variables.includes("PATH"));
});

test("a login that has ended is named in the log, by the doctor and by token, and callers learn nothing of it", async (t) => {
  const scene = await setUp(t);
  scene.mode("logged out");
  const file = scene.configure(recipe("The Azure command line"));
  const proxy = await scene.start(recipe("The Azure command line"));
  await until(() => /token request failed/.test(proxy.output.stderr), "the failure in the log");
  assert.match(proxy.output.stderr, /"stderr":"ERROR: Please run 'az login' to setup account\."/);
  const answer = await fetch(`${proxy.url}/api/v1/certificates`);
  assert.equal(answer.status, 503);
  const { reason, detail } = await answer.json();
  assert.equal(reason, "token_unavailable");
  assert.match(detail, /^No access token: what this proxy's token\.source names cannot be used; /);
  assert.doesNotMatch(detail, /az login/);

  const examined = await run(CUPBEARER, ["doctor", "--config", file], { env: scene.env });
  assert.equal(examined.code, 3, examined.stdout);
  assert.match(examined.stdout.replace(/\s+/g, " "), /the command az failed \(exit status: 1\); it said: ERROR: Please run 'az login' to setup account\./);
  const asked = await run(CUPBEARER, ["token", "--config", file], { env: scene.env });
  assert.equal(asked.code, 3, asked.stderr);
  assert.match(asked.stderr, /token\.source cannot be read: the command az failed/);
  const admin = /admin {8}http:\/\/(\S+?)\/ /.exec(proxy.output.stderr)[1];
  const waited = await run(CUPBEARER, ["wait", "--max", "100ms", "--admin", admin, "--config", file], { env: scene.env });
  assert.equal(waited.code, 3, waited.stderr);

  scene.mode("");
  await until(async () => (await statusOf(`${proxy.url}/api/v1/certificates`)) === 200, "a token after the login", 60_000);
});

test("output with a token in it that is not a token is not printed anywhere", async (t) => {
  const scene = await setUp(t);
  scene.mode("talkative");
  const proxy = await scene.start(recipe("The Azure command line"));
  await until(() => /token request failed/.test(proxy.output.stderr), "the failure in the log");
  const examined = await run(CUPBEARER, ["doctor", "--config", scene.configure(recipe("The Azure command line"))], { env: scene.env });
  assert.equal(examined.code, 3, examined.stdout);
  const [, payload, signature] = scene.lastToken().split(".");
  const printed = proxy.output.stderr + examined.stdout + examined.stderr;
  for (const part of [payload, signature]) assert.ok(!printed.includes(part.slice(4, 16)), "a part of the token is printed");
});

test("a command line that returns the same token until it ends causes no new generation", async (t) => {
  const scene = await setUp(t, {}, { lifetimeS: 10 });
  scene.mode("cached");
  const proxy = await scene.start(recipe("The Azure command line"));
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
  await until(() => scene.runs().length >= 2, "another look");
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200);
  assert.deepEqual(generations(proxy), ["1"]);
  scene.mode("");
  await until(() => generations(proxy).length === 2, "a new token");
});

test("a missing program is an error of the configuration, and so is a command of a file that nobody has named", async (t) => {
  const scene = await setUp(t);
  const missing = scene.configure(recipe("The Azure command line").replace('"az"', '"no-such-program"'));
  for (const command of ["check", "run"]) {
    const { code, stderr } = await run(CUPBEARER, [command, "--config", missing], { env: scene.env });
    assert.equal(code, 3, stderr);
    assert.match(stderr.replace(/\s+/g, " "), /token\.source.*there is no program no-such-program/);
  }
  scene.configure(recipe("The Azure command line"));
  const found = await run(CUPBEARER, ["check"], { env: scene.env, cwd: scene.directory });
  assert.equal(found.code, 3, found.stderr);
  assert.match(found.stderr.replace(/\s+/g, " "), /only found in the working directory.*--config/);
  assert.equal(scene.runs().length, 0);
  const named = await run(CUPBEARER, ["check", "--config", "cupbearer.toml"], { env: scene.env, cwd: scene.directory });
  assert.equal(named.code, 0, named.stderr);
});

/** Which generations the log names. */
function generations({ output }) {
  return [...output.stderr.matchAll(/"token fresh".*"generation":(\d+)/g)].map(([, number]) => number);
}

/** The files of the section about sources, by heading. */
function recipes() {
  const text = readFileSync(GUIDE, "utf8");
  const [, section] = /\n## Tokens that something else obtains\n([\s\S]*?)(?=\n## |$)/.exec(text);
  return [...section.matchAll(/\n### (.*)\n[\s\S]*?```toml\n([\s\S]*?)```/g)].map(([, heading, file]) => ({ heading, file }));
}

function recipe(heading) {
  return recipes().find((one) => one.heading === heading).file;
}

/** oidc-provider, an API, and stand-ins for everything that the recipes name. */
async function setUp(t, env = {}, server = {}) {
  const authorizationServer = await startAuthorizationServer(server);
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  const at = (name) => join(directory, name);
  const { id, secret } = CLIENTS.basic;
  registerSecret(secret, id);
  const encode = (text) => new URLSearchParams({ "": text }).toString().slice(1);
  const authorization = `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString("base64")}`;
  const options = quoted({ tokenUrl: authorizationServer.tokenUrl, authorization, directory });
  for (const name of ["az", "gcloud", "vault"]) {
    const words = [process.execPath, TOOL, options, name].map((word) => `'${word}'`).join(" ");
    writeFileSync(at(name), `#!/bin/sh\nexec ${words} "$@"\n`);
    chmodSync(at(name), 0o700);
  }
  const metadata = await startMetadataServer(t, authorizationServer, authorization);
  const writeToken = async () => {
    const { access_token } = await metadata.token();
    writeFileSync(at("token"), `${access_token}\n`, { mode: 0o600 });
  };
  await writeToken();
  const environment = { PATH: `${directory}:${cleanEnvironment().PATH}`, ...env };
  const configure = (file) => {
    const text = file
      .replace(/https:\/\/api\.example\.com/, api.url)
      .replace("http://169.254.169.254", metadata.url)
      .replace("/run/agent/token", at("token"));
    writeFileSync(at("cupbearer.toml"), `listen = "127.0.0.1:0"\n${text}`);
    return at("cupbearer.toml");
  };
  return {
    directory,
    env: environment,
    configure,
    mode: (text) => writeFileSync(at("mode"), text),
    runs: () => (existsSync(at("runs")) ? readFileSync(at("runs"), "utf8").trim().split("\n").map((line) => JSON.parse(line)) : []),
    lastToken: () => JSON.parse(readFileSync(at("cache"), "utf8")).token,
    /** How often a token was issued. */
    issued: () => authorizationServer.tokenRequests.length,
    renew: writeToken,
    async start(file) {
      const proxy = await startProxy(["--config", configure(file)], { env: environment });
      t.after(() => proxy.stop());
      return proxy;
    },
  };
}

/** Answers as the metadata servers of Azure and of Google do, and obtains tokens for them. */
async function startMetadataServer(t, { tokenUrl }, authorization) {
  const token = async () => {
    const body = "grant_type=client_credentials&resource=https%3A%2F%2Fself-service-api.example.com";
    const headers = { authorization, "content-type": "application/x-www-form-urlencoded" };
    return (await fetch(tokenUrl, { method: "POST", headers, body })).json();
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://x");
    const isAzure = pathname === "/metadata/identity/oauth2/token" && searchParams.get("resource") === "api://orders";
    const isGoogle = pathname === "/computeMetadata/v1/instance/service-accounts/default/token";
    const isAllowed = isAzure ? request.headers.metadata === "true" : request.headers["metadata-flavor"] === "Google";
    if (!(isAzure || isGoogle) || !isAllowed) return response.writeHead(400).end();
    const { access_token, expires_in } = await token();
    const expires_on = String(Math.floor(Date.now() / 1000) + expires_in);
    const more = isAzure ? { expires_in: String(expires_in), expires_on, resource: "api://orders" } : { expires_in };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(quoted({ access_token, token_type: "Bearer", ...more }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.close(), server.closeAllConnections()));
  return { url: `http://127.0.0.1:${server.address().port}`, token };
}
