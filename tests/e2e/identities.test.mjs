// Tokens that others issue and renew, against two authorization servers: oidc-provider, which accepts an assertion only
// once, and Authlib, whose client proves who it is with the service account token of a pod.

import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startApi } from "./api.mjs";
import { CLIENT_ID as POD_CLIENT_ID, startAuthlibServer } from "./authlib_server.mjs";
import { CLIENTS, RESOURCE, startAuthorizationServer } from "./authorization_server.mjs";
import { JWT_TYPE } from "./custom_grants.mjs";
import { createIssuer } from "./identity_issuer.mjs";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, run, startProxy, statusOf, temporaryDirectory, until } from "./support.mjs";

const quoted = JSON.stringify;
const SIGN_TOKEN = fileURLToPath(new URL("sign_token.mjs", import.meta.url));
const WORKLOADS = "https://workloads.example.com";
const CLUSTER = "https://kubernetes.default.svc.cluster.local";
const POD = "system:serviceaccount:shop:orders";

/** What the API receives in a second, and for how long: two lifetimes of an access token. */
const REQUESTS_PER_S = 200;
const LOAD_S = 20;

/**
 * The lifetime of access tokens in tests that need them to be valid until they are replaced: the server counts from the
 * start of a second, so a token that is replaced after 70% of it may be late by two seconds.
 */
const TOKEN_LIFETIME_S = 10;

const grants = {
  "a client assertion": {
    token: (source) => `client_id = ${quoted(CLIENTS.privateKeyJwt.id)}\nauth = "client_assertion"\nclient_assertion = ${source}`,
    claims: ({ issuer }) => ({ iss: CLIENTS.privateKeyJwt.id, sub: CLIENTS.privateKeyJwt.id, aud: issuer }),
  },
  "an assertion": {
    token: (source) => `client_id = ${quoted(CLIENTS.federated.id)}\nauth = "none"\ngrant = "jwt_bearer"\nassertion = ${source}`,
    claims: ({ issuer }) => ({ sub: "orders", aud: issuer }),
  },
  "a subject token": {
    token: (source, directory) => [
      `client_id = ${quoted(CLIENTS.exchanger.id)}`,
      `auth = ${quoted(CLIENTS.exchanger.auth)}`,
      `client_secret = ${writeSecret(directory, CLIENTS.exchanger)}`,
      'grant = "token_exchange"',
      `subject_token = ${source}`,
      `subject_token_type = ${quoted(JWT_TYPE)}`,
      `params = { audience = ${quoted(RESOURCE)} }`,
    ].join("\n"),
    claims: ({ issuer }) => ({ sub: "orders", aud: issuer }),
  },
};

for (const [name, { token, claims }] of Object.entries(grants)) {
  test(`oidc-provider accepts ${name} that a command issues anew for each token request`, async (t) => {
    const scene = await setUp(t);
    const source = scene.command(claims(scene.authorizationServer));
    const proxy = await scene.start(token(source, scene.directory));
    await until(() => scene.authorizationServer.tokenRequests.length >= 3, "two refreshes");
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
    await proxy.stop();
    const before = scene.authorizationServer.tokenRequests.length;

    const { code, stdout } = await run(CUPBEARER, ["doctor", "--config", scene.configure(token(source, scene.directory))]);
    assert.equal(code, 0, stdout);
    assert.ok(scene.authorizationServer.tokenRequests.length > before, stdout);
    const statuses = scene.authorizationServer.tokenRequests.map(({ status }) => status);
    assert.deepEqual([...new Set(statuses)], [200], "each request had a token of its own");
  });

  test(`oidc-provider rejects ${name} of an issuer that it does not trust, and cupbearer says so`, async (t) => {
    const scene = await setUp(t);
    const stranger = await createIssuer(scene.workloads.issuer);
    const file = scene.write("presented", await stranger.sign(claims(scene.authorizationServer)));
    const configuration = scene.configure(token(`{ file = ${quoted(file)} }`, scene.directory));
    const { code, stdout, stderr } = await run(CUPBEARER, ["token", "--config", configuration]);
    assert.equal(code, 4, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /rejected the request with 40[01] .*: invalid_(client|grant)/);
  });
}

test("a token is exchanged together with the actor's, and neither without the other", async (t) => {
  const scene = await setUp(t);
  const { token, claims } = grants["a subject token"];
  const subject = scene.write("subject", await scene.workloads.sign(claims(scene.authorizationServer)));
  const actor = scene.write("actor", await scene.workloads.sign({ ...claims(scene.authorizationServer), sub: "gateway" }));
  const lines = `${token(`{ file = ${quoted(subject)} }`, scene.directory)}\nactor_token = { file = ${quoted(actor)} }\n`;
  const proxy = await scene.start(`${lines}actor_token_type = ${quoted(JWT_TYPE)}`);
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
  const said = await saidOfSecret(scene.configure(`${lines}actor_token_type = ${quoted(JWT_TYPE)}`));
  const { issuer } = scene.authorizationServer;
  assert.match(said, new RegExp(`token\\.subject_token from .* \\(iss ${WORKLOADS}, sub orders, aud ${issuer}, valid until .*the server must trust iss, know sub`));
  assert.match(said, new RegExp(`token\\.actor_token from .* \\(iss ${WORKLOADS}, sub gateway, aud ${issuer}, valid until .*let sub act for the subject`));

  const { code, stderr } = await run(CUPBEARER, ["check", "--config", scene.configure(lines)]);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /token\.actor_token_type/);
});

test("a client assertion that is used up is replaced as soon as its file is, and no request is lost", async (t) => {
  const scene = await setUp(t, { lifetimeS: TOKEN_LIFETIME_S });
  const { token, claims } = grants["a client assertion"];
  const renew = async () => scene.write("presented", await scene.workloads.sign(claims(scene.authorizationServer)));
  const proxy = await scene.start(token(`{ file = ${quoted(await renew())} }`));
  await until(() => scene.authorizationServer.tokenRequests.length >= 2, "a refresh with the same assertion");
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, "the access token is still valid");
  await renew();
  await until(() => scene.authorizationServer.tokenRequests.at(-1).status === 200, "a token for the new assertion");
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
  assert.equal(scene.authorizationServer.tokenRequests[1].status, 401);
});

test("Authlib accepts a pod's service account token as its client's assertion, from a projected volume", async (t) => {
  const scene = await setUpPod(t);
  const volume = projectedVolume(scene.directory);
  await volume.replace(await scene.serviceAccountToken());
  const proxy = await scene.start([
    `client_id = ${quoted(POD_CLIENT_ID)}`,
    'auth = "client_assertion"',
    `client_assertion = { file = ${quoted(volume.file)} }`,
  ].join("\n"));
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
  await until(() => scene.authorizationServer.tokenRequests.length >= 2, "a refresh with the same assertion");
  assert.deepEqual([...new Set(scene.authorizationServer.tokenRequests.map(({ status }) => status))], [200]);
  assert.doesNotMatch(proxy.output.stderr, /WARN/);
});

test("Authlib accepts a pod's service account token as an assertion, without any client id", async (t) => {
  const scene = await setUpPod(t);
  const file = scene.write("presented", await scene.serviceAccountToken());
  const proxy = await scene.start(`auth = "none"\ngrant = "jwt_bearer"\nassertion = { file = ${quoted(file)} }`);
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
});

test("Authlib rejects the token of another pod", async (t) => {
  const scene = await setUpPod(t);
  const file = scene.write("presented", await scene.serviceAccountToken({ sub: "system:serviceaccount:shop:billing" }));
  const lines = `client_id = ${quoted(POD_CLIENT_ID)}\nauth = "client_assertion"\nclient_assertion = { file = ${quoted(file)} }`;
  const { code, stderr } = await run(CUPBEARER, ["token", "--config", scene.configure(lines)]);
  assert.equal(code, 4, stderr);
  assert.match(stderr, /invalid_client/);
});

/** By name: how the file is replaced. */
const renewals = {
  "by renaming a file": (directory) => {
    const file = join(directory, "presented");
    return {
      file,
      async replace(text) {
        writeFileSync(`${file}.new`, text, { mode: 0o600 });
        renameSync(`${file}.new`, file);
      },
    };
  },
  "by swapping a Kubernetes volume": projectedVolume,
  "in place, slowly": (directory) => {
    const file = join(directory, "presented");
    return {
      file,
      async replace(text) {
        writeFileSync(file, text.slice(0, text.length / 2), { mode: 0o600 });
        await delay(300); // long enough for most token requests to find half of it
        writeFileSync(file, text, { mode: 0o600 });
      },
    };
  },
};

for (const [name, renewal] of Object.entries(renewals)) {
  test(`renewing a client assertion ${name} at ${REQUESTS_PER_S} requests per second loses none`, async (t) => {
    const scene = await setUp(t, { lifetimeS: TOKEN_LIFETIME_S });
    const { token, claims } = grants["a client assertion"];
    const { file, replace } = renewal(scene.directory);
    const renew = async () => replace(await scene.workloads.sign(claims(scene.authorizationServer)));
    await renew();
    const proxy = await scene.start(token(`{ file = ${quoted(file)} }`));
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);

    let renewed = 0;
    let running = true;
    const renewing = (async () => {
      for (; running; renewed += 1) {
        await renew();
        await delay(150);
      }
    })();
    const { statuses, perSecond } = await sendSteadily(`${proxy.url}/api/v1/certificates`, LOAD_S);
    running = false;
    await renewing;

    assert.deepEqual(statuses.filter((status) => status !== 200), []);
    assert.equal(statuses.length, LOAD_S * REQUESTS_PER_S);
    const { tokenRequests } = scene.authorizationServer;
    assert.deepEqual(tokenRequests.filter(({ status }) => status !== 200), [], "an assertion was sent that was used up or cut");
    assert.ok(tokenRequests.length >= 3, `${tokenRequests.length} token requests`);
    const rate = `${statuses.length} requests at ${perSecond.toFixed(0)}/s`;
    t.diagnostic(`${rate}, 0 lost; ${renewed} renewals, ${tokenRequests.length} token requests`);
  });
}

test("an expired assertion is never sent; doctor and token name the key, the file and when it expired", async (t) => {
  const scene = await setUp(t);
  const { token, claims } = grants["a client assertion"];
  const assertion = await scene.workloads.sign(claims(scene.authorizationServer), { lifetimeS: -60 });
  const file = scene.write("presented", assertion);
  const lines = token(`{ file = ${quoted(file)} }`);
  const configuration = scene.configure(lines);
  const named = "token.client_assertion";
  const expiry = `it expired at ${expiryOf(assertion)}`;

  const asked = await run(CUPBEARER, ["token", "--config", configuration]);
  assert.equal(asked.code, 3, asked.stderr);
  for (const part of [named, expiry, file]) assert.ok(asked.stderr.includes(part), `${part} is missing in: ${asked.stderr}`);
  assert.match(asked.stderr, /must renew it/);

  const examined = await run(CUPBEARER, ["doctor", "--json", "--config", configuration]);
  const report = JSON.parse(examined.stdout);
  assert.equal(examined.code, 3, examined.stdout);
  const check = report.checks.find(({ id }) => id === "secret");
  assert.equal(check.outcome, "failed", examined.stdout);
  for (const part of [named, expiry, file]) assert.ok(check.said.includes(part), `${part} is missing in: ${check.said}`);
  assert.match(check.remedies[0].remedy, /must renew it/);

  const checked = await run(CUPBEARER, ["check", "--config", configuration]);
  assert.equal(checked.code, 0, checked.stderr);
  assert.ok(checked.stderr.includes(`warning: ${named}: ${expiry} (file ${file})`), checked.stderr);

  const proxy = await scene.start(lines);
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 503);
  await until(() => proxy.output.stderr.includes(`${named} cannot be used: ${expiry} (file ${file})`), "the error in the log");
  const sent = scene.authorizationServer.requests.filter((request) => request.endsWith("/token"));
  assert.deepEqual(sent, [], "the doctor reads the server's metadata, but nothing requests a token");

  scene.write("presented", await scene.workloads.sign(claims(scene.authorizationServer)));
  await until(async () => (await statusOf(`${proxy.url}/api/v1/certificates`)) === 200, "a token for the renewed assertion");
});

test("an assertion that expires while cupbearer runs is not sent again", async (t) => {
  const scene = await setUp(t, { lifetimeS: TOKEN_LIFETIME_S });
  const { token, claims } = grants["an assertion"];
  // It expires before the first refresh, at half of the access token's lifetime at the earliest.
  const lifetimeS = TOKEN_LIFETIME_S / 2;
  const assertion = await scene.workloads.sign(claims(scene.authorizationServer), { lifetimeS });
  const file = scene.write("presented", assertion);
  const proxy = await scene.start(token(`{ file = ${quoted(file)} }`));
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, proxy.output.stderr);
  await until(async () => (await statusOf(`${proxy.url}/api/v1/certificates`)) === 503, "the end of the token");
  assert.ok(Date.now() >= Date.parse(expiryOf(assertion)), "the assertion has expired");
  await until(() => /token expired; requests get this status/.test(proxy.output.stderr), "the expiry in the log");
  assert.ok(proxy.output.stderr.includes(`token.assertion cannot be used: it expired at ${expiryOf(assertion)}`));
  assert.deepEqual(scene.authorizationServer.tokenRequests.map(({ status }) => status), [200]);
});

test("a missing assertion file is a warning of check, and the file is used once it exists", async (t) => {
  const scene = await setUp(t);
  const { token, claims } = grants["a client assertion"];
  const file = join(scene.directory, "presented");
  const lines = token(`{ file = ${quoted(file)} }`);
  const { code, stdout, stderr } = await run(CUPBEARER, ["check", "--config", scene.configure(lines)]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^The configuration is valid \(.*\), with warnings\.$/m);
  assert.match(stderr, /^warning: token\.client_assertion: .*there is no access token until it is written$/m);
  assert.ok(stderr.includes(file), stderr);

  const proxy = await scene.start(lines);
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 503);
  assert.deepEqual(scene.authorizationServer.requests, []);
  scene.write("presented", await scene.workloads.sign(claims(scene.authorizationServer)));
  await until(async () => (await statusOf(`${proxy.url}/api/v1/certificates`)) === 200, "a token for the new assertion");
});

test("the token that Kubernetes mounts into every pod is refused, and nothing is sent", async (t) => {
  const scene = await setUpPod(t);
  const file = scene.write("presented", await scene.serviceAccountToken({ aud: [CLUSTER] }));
  const lines = `client_id = ${quoted(POD_CLIENT_ID)}\nauth = "client_assertion"\nclient_assertion = { file = ${quoted(file)} }`;
  const configuration = scene.configure(lines);
  for (const command of ["check", "run", "token", "doctor"]) {
    const { code, stdout, stderr } = await run(CUPBEARER, [command, "--config", configuration]);
    assert.equal(code, 3, `${command}: ${stdout}${stderr}`);
    assert.match((stdout + stderr).replace(/\s+/g, " "), /token\.client_assertion.*service account token for the API of the Kubernetes cluster itself/);
    assert.match((stdout + stderr).replace(/\s+/g, " "), /projected volume with a serviceAccountToken/);
  }
  assert.deepEqual(scene.authorizationServer.tokenRequests, []);
});

test("an assertion that a server repeats in its error is not printed", async (t) => {
  const scene = await setUp(t);
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    const description = `not trusted: ${form.get("client_assertion") ?? form.get("assertion") ?? form.get("subject_token")}`;
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: "invalid_client", error_description: description }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.close(), server.closeAllConnections()));
  const echo = { ...scene.authorizationServer, tokenUrl: `http://127.0.0.1:${server.address().port}/token` };
  for (const [name, { token, claims }] of Object.entries(grants)) {
    const presented = await scene.workloads.sign(claims(scene.authorizationServer));
    const file = scene.write("presented", presented);
    const lines = token(`{ file = ${quoted(file)} }`, scene.directory);
    const proxy = await scene.start(lines, echo);
    await until(() => /rejected the request with 400/.test(proxy.output.stderr), "the rejection in the log");
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 502);
    const examined = await run(CUPBEARER, ["doctor", "--config", scene.configure(lines, echo)]);
    const printed = proxy.output.stderr + proxy.output.stdout + examined.stdout + examined.stderr;
    const [, payload, signature] = presented.split(".");
    for (const part of [payload, signature]) assert.ok(!printed.includes(part.slice(4, 16)), `${name} is printed`);
    await proxy.stop();
  }
});

test("the doctor names the claims of an assertion that cupbearer signs, and of one that is ready", async (t) => {
  const scene = await setUp(t);
  const { issuer } = scene.authorizationServer;
  const key = scene.write("private_key.json", quoted(scene.workloads.privateKey));
  const signed = [
    `client_id = ${quoted(CLIENTS.federated.id)}`,
    'auth = "none"\ngrant = "jwt_bearer"',
    `private_key = { file = ${quoted(key)} }`,
    `claims = { iss = ${quoted(WORKLOADS)}, sub = "orders", aud = ${quoted(issuer)} }`,
  ].join("\n");
  const said = await saidOfSecret(scene.configure(signed));
  assert.match(said, new RegExp(`token\\.private_key from .* \\(signs iss ${WORKLOADS}, sub orders, aud ${issuer}; the server must have this key's public half for iss`));

  const { token, claims } = grants["an assertion"];
  const file = scene.write("presented", await scene.workloads.sign(claims(scene.authorizationServer)));
  const ready = await saidOfSecret(scene.configure(token(`{ file = ${quoted(file)} }`)));
  assert.match(ready, new RegExp(`token\\.assertion from .* \\(iss ${WORKLOADS}, sub orders, aud ${issuer}, valid until .*the server must trust iss, know sub`));
});

/** What the doctor says about the secret, after it has obtained a token with it. */
async function saidOfSecret(configuration) {
  const { code, stdout } = await run(CUPBEARER, ["doctor", "--json", "--config", configuration]);
  assert.equal(code, 0, stdout);
  return JSON.parse(stdout).checks.find(({ id }) => id === "secret").said;
}

/** oidc-provider, which trusts the issuer `workloads`, and an API. */
async function setUp(t, server) {
  const workloads = await createIssuer(WORKLOADS);
  const authorizationServer = await startAuthorizationServer({ jwks: workloads.jwks, trusted: workloads, ...server });
  t.after(() => authorizationServer.close());
  const scene = await sceneOf(t, authorizationServer);
  const key = scene.write("key.json", quoted(workloads.privateKey));
  const command = (claims) => {
    const words = [process.execPath, SIGN_TOKEN, key, quoted({ iss: workloads.issuer, ...claims })];
    return `{ command = ${quoted(words)} }`;
  };
  return { ...scene, workloads, command };
}

/** Authlib's server, which trusts a Kubernetes cluster, and an API. */
async function setUpPod(t) {
  const cluster = await createIssuer(CLUSTER);
  const authorizationServer = await startAuthlibServer(t, { trusted: cluster, subject: POD });
  const serviceAccountToken = (claims) =>
    cluster.sign({
      aud: [authorizationServer.issuer],
      sub: POD,
      jti: undefined, // clusters before 1.30 set none
      "kubernetes.io": { namespace: "shop", serviceaccount: { name: "orders" } },
      ...claims,
    });
  return { ...(await sceneOf(t, authorizationServer)), serviceAccountToken };
}

async function sceneOf(t, authorizationServer) {
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  /** Replaces a file that its owner only can read, and returns its path. */
  const write = (name, text) => {
    const file = join(directory, name);
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return file;
  };
  /** Writes a configuration with these lines below `[token]`, and returns its path. */
  const configure = (lines, { tokenUrl } = authorizationServer) => {
    const upstream = `[upstream]\nurl = ${quoted(api.url)}`;
    return write("cupbearer.toml", `listen = "127.0.0.1:0"\n${upstream}\n[token]\nurl = ${quoted(tokenUrl)}\n${lines}\n`);
  };
  const start = async (lines, server) => {
    const proxy = await startProxy(["--config", configure(lines, server)]);
    t.after(() => proxy.stop());
    return proxy;
  };
  return { authorizationServer, api, directory, write, configure, start };
}

/** Writes the secret of a client, and returns its source. */
function writeSecret(directory, { id, secret }) {
  registerSecret(secret, id);
  const file = join(directory, "client_secret");
  writeFileSync(file, secret, { mode: 0o600 });
  return `{ file = ${quoted(file)} }`;
}

/** A volume that the kubelet swaps as a whole, and whose files every user can read. */
function projectedVolume(directory) {
  const volume = join(directory, "volume");
  mkdirSync(volume);
  symlinkSync("..data/token", join(volume, "token"));
  let version = 0;
  return {
    file: join(volume, "token"),
    async replace(text) {
      version += 1;
      const name = `..${version}`;
      mkdirSync(join(volume, name));
      writeFileSync(join(volume, name, "token"), text, { mode: 0o644 });
      symlinkSync(name, join(volume, "..data_tmp"));
      renameSync(join(volume, "..data_tmp"), join(volume, "..data"));
      rmSync(join(volume, `..${version - 1}`), { recursive: true, force: true });
    },
  };
}

/** When a JWT expires, as cupbearer prints it. */
function expiryOf(token) {
  const { exp } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  return new Date(exp * 1000).toISOString().replace(".000Z", "Z");
}

/** Sends requests at a steady rate, however long the responses take, and returns their statuses. */
async function sendSteadily(url, seconds) {
  const started = performance.now();
  const count = seconds * REQUESTS_PER_S;
  const responses = [];
  while (responses.length < count) {
    const due = Math.min(count, Math.ceil(((performance.now() - started) / 1000) * REQUESTS_PER_S));
    while (responses.length < due) responses.push(statusOfFetch(url));
    await delay(1000 / REQUESTS_PER_S);
  }
  const perSecond = count / ((performance.now() - started) / 1000);
  return { statuses: await Promise.all(responses), perSecond };
}

async function statusOfFetch(url) {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    return error.cause?.code ?? error.message;
  }
}
