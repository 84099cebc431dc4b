// Every method of client authentication, against a certified authorization server: the first token request is
// granted, and the API answers a request through the proxy.

import assert from "node:assert/strict";
import { chmod, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { registerToken } from "./printed.mjs";
import { CUPBEARER, run, setUp, statusOf, temporaryDirectory } from "./support.mjs";

const quoted = JSON.stringify;

async function assertServed({ authorizationServer, proxy, api }) {
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
  assert.equal(api.seen.length, 1);
  assert.deepEqual(authorizationServer.tokenRequests.map(({ status }) => status), [200], "no other method is tried");
}

async function keygen(t, ...more) {
  const file = join(await temporaryDirectory(t), "private_key.pem");
  const { code, stdout, stderr } = await run(CUPBEARER, ["keygen", "--out", file, ...more]);
  assert.equal(code, 0, stderr);
  // Of an RSA key, only the lines after the modulus, which is public.
  (await readFile(file, "utf8")).split("\n").slice(10, -2).forEach(registerToken);
  return { file, jwks: JSON.parse(stdout), stderr };
}

for (const client of ["basic", "post"]) {
  test(`client_secret_${client} obtains a token`, async (t) => assertServed(await setUp(t, { client })));
}

for (const algorithm of ["HS256", "HS384", "HS512"]) {
  test(`client_secret_jwt with ${algorithm} obtains a token`, async (t) => {
    const config = ({ issuer }) => `audience = ${quoted(issuer)}\nalgorithm = ${quoted(algorithm)}`;
    await assertServed(await setUp(t, { client: "secretJwt", server: { algorithm }, config }));
  });
}

for (const algorithm of ["RS256", "RS384", "RS512", "ES256"]) {
  test(`private_key_jwt with ${algorithm} obtains a token, with the key and the JWK set of keygen`, async (t) => {
    const { file, jwks } = await keygen(t, "--algorithm", algorithm);
    const chosen = ["RS256", "ES256"].includes(algorithm) ? "" : `algorithm = ${quoted(algorithm)}`;
    const token = ({ tokenUrl, issuer }) =>
      `url = ${quoted(tokenUrl)}\naudience = ${quoted(issuer)}\nprivate_key = { file = ${quoted(file)} }\n${chosen}`;
    await assertServed(await setUp(t, { client: "privateKeyJwt", server: { jwks, algorithm }, token }));
  });
}

test("an issuer alone is enough: it supplies the endpoint and the audience", async (t) => {
  const { file, jwks } = await keygen(t);
  const token = ({ issuer }) => `issuer = ${quoted(issuer)}\nprivate_key = { file = ${quoted(file)} }`;
  const world = await setUp(t, { client: "privateKeyJwt", server: { jwks }, token });
  await assertServed(world);
  const asked = world.authorizationServer.requests.filter((one) => one.includes("/.well-known/"));
  assert.equal(asked.length, 1);
});

test("keygen makes the private key readable by its owner only, never prints it, and never overwrites a file", async (t) => {
  const { file, jwks, stderr } = await keygen(t);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(Object.keys(jwks.keys[0]).sort(), ["alg", "e", "kid", "kty", "n", "use"]);
  assert.ok(!stderr.includes("PRIVATE KEY-----"));
  const before = await readFile(file, "utf8");
  const again = await run(CUPBEARER, ["keygen", "--out", file]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /exists and is not overwritten/);
  assert.equal(again.stdout, "");
  assert.equal(await readFile(file, "utf8"), before);
});

test("a private key that every user can read causes a warning, and one that cannot be used causes an error that names its configuration key", async (t) => {
  const { file, jwks } = await keygen(t);
  await chmod(file, 0o644);
  const token = (path) => ({ issuer }) => `issuer = ${quoted(issuer)}\nprivate_key = { file = ${quoted(path)} }`;
  const { proxy, file: config } = await setUp(t, { client: "privateKeyJwt", server: { jwks }, token: token(file) });
  assert.match(proxy.output.stderr, /"level":"WARN","message":".*private_key\.pem can be read by every user of this machine/);
  const wrong = await run(CUPBEARER, ["check", "--config", config, "--set", "token.algorithm=ES256"]);
  assert.equal(wrong.code, 3);
  assert.match(wrong.stderr, /token\.private_key .*cannot sign with ES256, because it is an RSA key/);
});
