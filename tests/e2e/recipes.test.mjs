// docs/authorization-servers.md: each configuration on the page is taken from it, gets the addresses of servers on this
// machine, and gets a 200 from an API: from oidc-provider, or from Authlib where the identity is not the client's own.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { exportJWK, importSPKI } from "jose";
import { startApi } from "./api.mjs";
import { startAuthlibServer } from "./authlib_server.mjs";
import { CLIENTS, RESOURCE, startAuthorizationServer } from "./authorization_server.mjs";
import { createIssuer } from "./identity_issuer.mjs";
import { registerSecret, registerToken } from "./printed.mjs";
import { CUPBEARER, run, startProxy, statusOf, temporaryDirectory } from "./support.mjs";

const PAGE = readFileSync(new URL("../../docs/authorization-servers.md", import.meta.url), "utf8");
const NIL = "00000000-0000-0000-0000-000000000000";
const CLIENT_SECRET = "/run/secrets/client_secret";
const IDENTITY = "/var/run/secrets/identity/token";
const PRIVATE_KEY = "/run/secrets/private_key.pem";
const AS = "https://as.example.com/oauth2/token";
const ENTRA = `https://login.microsoftonline.com/${NIL}/oauth2/v2.0/token`;
const KEYCLOAK = "https://keycloak.example.com/realms/demo";
const SALESFORCE = "https://login.salesforce.com";
const SPIFFE_ID = "spiffe://example.org/orders";
/** What `jwt_svid_file_mode` must be on the page. */
const SVID_MODE = 0o640;
const POD = "system:serviceaccount:shop:orders";
const PINGONE = `pingone.region = "eu"\npingone.environment_id = "${NIL}"`;

/**
 * By heading: starts the authorization server, and returns it with the values to replace in the file, in this order, and
 * with the contents of the files that it names.
 */
const RECIPES = {
  "A client secret": (t) => withSecret(t, "basic", ({ tokenUrl }) => ({ [AS]: tokenUrl })),
  Keycloak: (t) => withSecret(t, "basic", ({ issuer }) => ({ [KEYCLOAK]: issuer })),
  Auth0: (t) => withSecret(t, "post", ({ tokenUrl }) => ({ "https://example.auth0.com/oauth/token": tokenUrl })),
  "Microsoft Entra ID": (t) => withSecret(t, "post", ({ tokenUrl }) => ({ [ENTRA]: tokenUrl, "api://my-api/.default": "tls" })),
  Okta: (t) => withSecret(t, "basic", ({ tokenUrl }) => ({ "https://example.okta.com/oauth2/default/v1/token": tokenUrl, customScope: "tls" })),
  "Kubernetes without a secret": (t) => federated(t, IDENTITY, ({ tokenUrl }) => ({ [AS]: tokenUrl })),
  SPIFFE: (t) => federated(t, IDENTITY, ({ tokenUrl }) => ({ [AS]: tokenUrl }), { subject: SPIFFE_ID, mode: SVID_MODE }),
  "Microsoft Entra workload identity": (t) =>
    federated(t, "/var/run/secrets/azure/tokens/azure-identity-token", ({ tokenUrl }) => ({ [ENTRA]: tokenUrl }), { clientId: NIL }),
  "Keycloak without a secret": (t) => {
    const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
    return federated(t, IDENTITY, ({ issuer }) => ({ [KEYCLOAK]: issuer }), { subject: SPIFFE_ID, assertionType });
  },
  "Google service account": googleServiceAccount,
  Salesforce: salesforce,
  "JWT bearer grant": (t) => federated(t, IDENTITY, ({ tokenUrl }) => ({ [AS]: tokenUrl })),
  "Token exchange": tokenExchange,
  "PingOne without a secret": pingOneWithoutASecret,
  "PingAccess and PingFederate": (t) =>
    withSecret(t, "basic", ({ tokenUrl }) => ({ [PINGONE]: `url = "${tokenUrl}"` }), { upstream: "https://pingaccess-admin-api.dev-example.us1.ping.cloud" }),
};

for (const [heading, prepare] of Object.entries(RECIPES)) {
  test(`the file under "${heading}" gets a 200`, async (t) => {
    const recipe = await prepare(t);
    const configuration = await written(t, heading, recipe);
    const proxy = await startProxy(["--config", configuration.file], { env: { CUPBEARER_LISTEN: "127.0.0.1:0" } });
    t.after(() => proxy.stop());
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
    assert.doesNotMatch(proxy.output.stderr, /WARN/);
    await recipe.check?.(configuration);
  });
}

test("every configuration on the page is tested", () => {
  // token_source.test.mjs runs those of this section.
  const isOther = (section) => section.startsWith("Tokens that something else obtains\n");
  const headings = PAGE.split(/^## /m).slice(1).filter((section) => section.includes("```toml") && !isOther(section));
  assert.deepEqual(headings.map((section) => section.split("\n")[0]).sort(), Object.keys(RECIPES).sort());
  for (const section of headings) assert.equal(section.split("```toml").length, 2, section);
});

test("the manifest is valid, and mounts the token where the file expects it", async (t) => {
  const manifest = join(await temporaryDirectory(t), "pod.yaml");
  writeFileSync(manifest, block("Kubernetes without a secret", "yaml"));
  const validate = "import sys; from kubernetes_validate.__main__ import main; sys.exit(main())";
  for (const version of ["1.29", "1.37"]) {
    const { code, stdout, stderr } = await run(process.env.E2E_PYTHON, ["-c", validate, "--strict", "-k", version, manifest]);
    assert.equal(code, 0, stdout + stderr);
  }
  const read = await run(process.env.E2E_PYTHON, [fileURLToPath(new URL("read_yaml.py", import.meta.url)), manifest]);
  const { spec } = JSON.parse(read.stdout).find(({ kind }) => kind === "Pod");
  const volume = (name) => spec.volumes.find((one) => one.name === name);
  const { mountPath } = spec.initContainers[0].volumeMounts.find(({ name }) => name === "identity");
  const { path, audience } = volume("identity").projected.sources[0].serviceAccountToken;
  const toml = block("Kubernetes without a secret", "toml");
  assert.ok(toml.includes(`{ file = "${mountPath}/${path}" }`), toml);
  assert.ok(toml.includes(`url = "${audience}/`), toml);
  assert.equal(volume("configuration").configMap.name, "cupbearer");
  assert.equal(spec.automountServiceAccountToken, false);
});

test("spiffe-helper is told to write the file that cupbearer reads, with the mode that the recipe is run with", () => {
  const [helper, toml] = [block("SPIFFE", "hcl"), block("SPIFFE", "toml")];
  const [, directory] = /^cert_dir = "(.*)"$/m.exec(helper);
  const [, name] = /jwt_svid_file_name = "(.*?)"/.exec(helper);
  assert.ok(toml.includes(`{ file = "${directory}/${name}" }`), toml);
  const [, mode] = /^jwt_svid_file_mode = (\d+)$/m.exec(helper);
  assert.equal(Number.parseInt(mode, 8), SVID_MODE);
});

/** oidc-provider and one of its clients. */
async function withSecret(t, client, values, { upstream } = {}) {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const { id, secret } = CLIENTS[client];
  registerSecret(secret, id);
  return { authorizationServer, upstream, clientId: id, values: values(authorizationServer), files: { [CLIENT_SECRET]: secret } };
}

/** Authlib, which trusts the issuer of an identity in a file. */
async function federated(t, path, values, { subject = POD, clientId = "orders-job", assertionType, mode } = {}) {
  const workloads = await createIssuer("https://workloads.example.com");
  const authorizationServer = await startAuthlibServer(t, { trusted: workloads, subject, clientId, assertionType });
  const iss = subject === SPIFFE_ID ? undefined : workloads.issuer; // SPIRE sets none unless it is configured
  const token = await workloads.sign({ iss, sub: subject, aud: [authorizationServer.issuer] });
  return { authorizationServer, values: values(authorizationServer), files: { [path]: token }, mode };
}

async function tokenExchange(t) {
  const workloads = await createIssuer("https://workloads.example.com");
  const authorizationServer = await startAuthorizationServer({ trusted: workloads });
  t.after(() => authorizationServer.close());
  const { id, secret } = CLIENTS.exchanger;
  registerSecret(secret, id);
  const subject = await workloads.sign({ sub: "orders", aud: authorizationServer.issuer });
  const values = { [AS]: authorizationServer.tokenUrl, 'audience = "https://api.example.com"': `audience = "${RESOURCE}"` };
  return { authorizationServer, clientId: id, values, files: { [CLIENT_SECRET]: secret, [IDENTITY]: subject } };
}

async function pingOneWithoutASecret(t) {
  const key = join(await temporaryDirectory(t), "private_key.pem");
  const made = await run(CUPBEARER, ["keygen", "--out", key]);
  assert.equal(made.code, 0, made.stderr);
  const pem = readFileSync(key, "utf8");
  registerKey(pem);
  const authorizationServer = await startAuthorizationServer({ jwks: JSON.parse(made.stdout) });
  t.after(() => authorizationServer.close());
  const { tokenUrl, issuer } = authorizationServer;
  const values = { [PINGONE]: `url = "${tokenUrl}"\naudience = "${issuer}"` };
  const upstream = "https://self-service-api.dev-example.us1.ping.cloud";
  return { authorizationServer, upstream, clientId: CLIENTS.privateKeyJwt.id, values, files: { [PRIVATE_KEY]: pem } };
}

/** An assertion is also verified by Google's own library. */
async function googleServiceAccount(t) {
  const { privateKey, certificate, jwks } = await keyPair(t, "service-account-key");
  const account = {
    type: "service_account",
    project_id: "orders",
    private_key_id: "service-account-key",
    private_key: privateKey,
    client_email: "orders@orders.iam.gserviceaccount.com",
    token_uri: "https://oauth2.googleapis.com/token",
  };
  const authorizationServer = await startAuthlibServer(t, { trusted: { issuer: account.client_email, jwks }, subject: "none" });
  const path = "/run/secrets/service-account.json";
  const values = { [account.token_uri]: authorizationServer.tokenUrl };
  const check = async ({ text }) => {
    const [, scope] = /scope = "(.*?)"/.exec(text);
    const [{ assertion }] = authorizationServer.tokenRequests;
    const argument = { assertion, account, certificate, scope, audience: authorizationServer.tokenUrl };
    const script = fileURLToPath(new URL("google_verifier.py", import.meta.url));
    const { code, stdout, stderr } = await run(process.env.E2E_PYTHON, [script, JSON.stringify(argument)]);
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).iss, account.client_email);
  };
  return { authorizationServer, values, files: { [path]: JSON.stringify(account) }, check };
}

async function salesforce(t) {
  const { privateKey, jwks } = await keyPair(t);
  const [issuer, subject] = ["CONSUMER_KEY", "integration@example.com"];
  const authorizationServer = await startAuthlibServer(t, { trusted: { issuer, jwks }, subject });
  const values = { [`${SALESFORCE}/services/oauth2/token`]: authorizationServer.tokenUrl, [SALESFORCE]: authorizationServer.issuer };
  return { authorizationServer, values, files: { [PRIVATE_KEY]: privateKey } };
}

/** A key with a certificate, from the command that the page shows for Salesforce. */
async function keyPair(t, kid) {
  const directory = await temporaryDirectory(t);
  const command = block("Salesforce", "sh").trim();
  const made = await run("sh", ["-c", command], { cwd: directory });
  assert.equal(made.code, 0, made.stderr);
  const [privateKey, certificate] = ["private_key.pem", "certificate.pem"].map((name) => readFileSync(join(directory, name), "utf8"));
  registerKey(privateKey);
  const publicKey = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "pem" });
  const jwk = { ...(await exportJWK(await importSPKI(publicKey, "RS256", { extractable: true }))), alg: "RS256", use: "sig", kid };
  return { privateKey, certificate, jwks: { keys: [jwk] } };
}

/** Every line of a private key is a credential. */
function registerKey(pem) {
  for (const line of pem.split("\n").filter((line) => line.length > 40 && !line.startsWith("-"))) registerToken(line);
}

/** The configuration under a heading, with the values of this machine, and the files that it names. */
async function written(t, heading, { authorizationServer, upstream, clientId, values, files, mode = 0o600 }) {
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  let text = block(heading, "toml");
  const replace = (from, to) => {
    assert.ok(text.includes(from), `${from} is missing under "${heading}"`);
    text = text.replaceAll(from, to);
  };
  for (const [from, to] of Object.entries(values)) replace(from, to);
  replace(`url = "${upstream ?? "https://api.example.com"}"`, `url = "${api.url}"`);
  if (clientId) replace(/^client_id = ".*"$/m.exec(text)[0], `client_id = ${JSON.stringify(clientId)}`);
  for (const [index, [path, content]] of Object.entries(files).entries()) {
    const here = join(directory, `${index}`);
    mkdirSync(here);
    writeFileSync(join(here, "file"), content, { mode });
    replace(`"${path}"`, JSON.stringify(join(here, "file")));
  }
  const withoutComments = text.replace(/#.*$/gm, "");
  assert.doesNotMatch(withoutComments, /"https:\/\/(?!www\.googleapis\.com\/auth\/|api\.example\.com"|self-service-api\.example\.com")/, "an address is not replaced");
  const file = join(directory, "cupbearer.toml");
  writeFileSync(file, text);
  return { file, text };
}

/** The only block of a language under a heading. */
function block(heading, language) {
  const [, section] = PAGE.split(new RegExp(`^## ${heading}$`, "m"));
  const [, text] = section.split(/^## /m)[0].split(`\`\`\`${language}\n`);
  return text.split("```")[0];
}
