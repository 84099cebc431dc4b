// A proxy between a stand-in token endpoint and a stand-in upstream, for tests of load and of the process's
// lifecycle, and functions that send requests to it. Needs no packages.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, request as send } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { registerSecret, registerToken } from "./printed.mjs";
import { startTokens } from "./soak_servers.mjs";
import { run, startProxy, temporaryDirectory } from "./support.mjs";

export const SECRET = "stand-in-s3cret-0123456789";

/** Writes the secret file: the secret followed by `end`. */
export function writeSecret(path, end = "\n") {
  registerSecret(SECRET, "id");
  writeFileSync(path, SECRET + end, { mode: 0o600 });
}

/**
 * Starts everything that a test needs, and stops it when the test ends.
 *
 * @param {(request, response) => void} handle the upstream's request handler
 * @param {{config?: string, lifetimeS?: number}} options `config` is TOML that is appended to the file
 */
export async function setUpStandIns(t, handle, { config = "", lifetimeS = 3600, ...options } = {}) {
  const tokens = await startTokens(lifetimeS);
  const upstream = createServer(handle).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  t.after(() => Promise.all([tokens.close(), upstream.close(), upstream.closeAllConnections()]));
  const directory = await temporaryDirectory(t);
  const [file, secret] = [join(directory, "cupbearer.toml"), join(directory, "secret")];
  writeSecret(secret);
  const url = `http://127.0.0.1:${upstream.address().port}`;
  await writeFile(file, configurationFor({ url, token: tokens.url, secret, more: config }));
  const startAnother = async (...args) => {
    const proxy = await startProxy(["--config", file, ...args], options);
    t.after(() => proxy.stop("SIGKILL"));
    return proxy;
  };
  return { directory, file, secret, tokens, startAnother, proxy: await startAnother() };
}

/** One server that is a token endpoint, which records the credentials it receives, and an upstream. `t` is a test or a scene. */
export async function startCombinedServer(t) {
  const credentials = [];
  const token = randomBytes(24).toString("base64url");
  registerToken(token);
  const server = createServer((request, response) => {
    if (request.url !== "/token") return void response.end("ok");
    credentials.push(request.headers.authorization);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ access_token: token, token_type: "Bearer", expires_in: 3600 }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.close(), server.closeAllConnections()));
  return { url: `http://127.0.0.1:${server.address().port}`, credentials };
}

/** A configuration for an upstream at `url` and a token endpoint at `token`. The admin listener uses the port after `port`, unless that is 0. */
export function configurationFor({ url, token = `${url}/token`, secret, port = 0, more = "" }) {
  return `listen = "127.0.0.1:${port}"
[admin]
listen = "127.0.0.1:${port && port + 1}"
[upstream]
url = "${url}"
[token]
url = "${token}"
allow_plaintext = true
client_id = "id"
client_secret = { file = ${JSON.stringify(secret)} }
${more}
`;
}

/**
 * Sends a GET and returns status, reason and time, or status 0 and the error's code if there was no response.
 *
 * @param {string} url
 * @param {import("node:http").RequestOptions} options
 */
export function ask(url, options = { agent: false }) {
  const start = performance.now();
  return new Promise((resolve) => {
    const end = (status, more) => resolve({ status, ms: performance.now() - start, ...more });
    const failed = (error) => end(0, { code: error.code, reused: asked.reusedSocket });
    const asked = send(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => (text += piece)).on("error", failed);
      response.on("end", () => end(response.statusCode, { reason: /"reason":"(\w+)"/.exec(text)?.[1], closes: response.headers.connection === "close" }));
    });
    asked.setTimeout(30_000, () => asked.destroy());
    asked.on("error", failed).end();
  });
}

/**
 * Sends `rate` requests a second for `forMs`, whatever the responses are. `at` is the time of each since the start.
 * If this process falls behind, it sends the missed requests at once; with `evenly` it drops them instead, since a
 * burst is a different load.
 */
export async function sendAtRate(one, rate, forMs, { evenly = false } = {}) {
  const start = performance.now();
  const sent = [];
  let missed = 0;
  for (let now = 0; now < forMs; now = performance.now() - start) {
    const due = Math.floor((rate * now) / 1000) - missed - sent.length;
    const most = evenly ? Math.ceil((2 * rate * PACE_MS) / 1000) : due;
    missed += Math.max(0, due - most);
    for (let left = Math.min(due, most); left > 0; left -= 1) {
      const [at, number] = [now, sent.length];
      sent.push(one(number).then((answer) => ({ at, number, ...answer })));
    }
    await new Promise((resolve) => setTimeout(resolve, PACE_MS));
  }
  return Promise.all(sent);
}

const PACE_MS = 5;

/** A certificate for 127.0.0.1 with its key, and the file of its authority. */
export async function issueCertificate(t) {
  const directory = await temporaryDirectory(t);
  const path = (name) => join(directory, name);
  const names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
  const newKey = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90"];
  const ca = await run("openssl", [...newKey, "-subj", "/CN=CA", "-keyout", path("ca.key"), "-out", path("ca.pem")]);
  assert.equal(ca.code, 0, ca.stderr);
  const leaf = await run("openssl", [...newKey, "-subj", "/CN=api", ...names, "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-keyout", path("tls.key"), "-out", path("tls.crt")]);
  assert.equal(leaf.code, 0, leaf.stderr);
  return { cert: readFileSync(path("tls.crt")), key: readFileSync(path("tls.key")), authority: path("ca.pem") };
}
