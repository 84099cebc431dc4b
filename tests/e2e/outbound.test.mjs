// Real corporate proxies between cupbearer and its API and token endpoint: tinyproxy, which requires a user name and
// password, and mitmproxy, which intercepts TLS with its own CA.
//
// Both targets use an address of this machine that is not loopback, since loopback is never proxied.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startMitmproxy, startTinyproxy } from "./corporate_proxies.mjs";
import { registerSecret, registerToken } from "./printed.mjs";
import { curl, run, startProxy, temporaryDirectory, until } from "./support.mjs";

const TOKEN = "t0ken-that-nobody-else-may-see";
const SECRET = "the-client-secret-of-this-test";
const PASSWORD = "corp-passw0rd";

test("with a user name and password, requests to the API and the token endpoint pass through tinyproxy", async (t) => {
  const scene = await setUp(t);
  const port = await startTinyproxy(t, scene.directory, PASSWORD);
  const proxy = await scene.start(t, `network.proxy = "http://corp:${PASSWORD}@127.0.0.1:${port}"`);

  const { stdout } = await curl(`${proxy.url}/hello`);

  assert.equal(stdout, '{"path":"/hello"}');
  assert.deepEqual(scene.seen, ["POST /token", "GET /hello"]);
  const log = await readFile(join(scene.directory, "tinyproxy.log"), "utf8");
  assert.equal(log.match(new RegExp(`CONNECT ${scene.host}:${scene.port}`, "g"))?.length >= 2, true, log);
  for (const secret of [TOKEN, SECRET]) assert.ok(!log.includes(secret));
  assert.ok(!proxy.output.stderr.includes(PASSWORD));
});

test("the error for tinyproxy's 407 contains the proxy's address and no password", async (t) => {
  const scene = await setUp(t);
  const port = await startTinyproxy(t, scene.directory, PASSWORD);
  // This tinyproxy responds to wrong credentials with 401.
  for (const [user, complaint] of [
    ["", "407: it requires a user name and password"],
    ["corp:wr0ng-password@", "401: it rejected the user name and password"],
  ]) {
    const proxy = await scene.start(t, `network.proxy = "http://${user}127.0.0.1:${port}"`, scene.loopbackTokenUrl);

    const { stdout } = await curl(`${proxy.url}/hello`);

    const problem = JSON.parse(stdout);
    assert.equal(problem.reason, "upstream_proxy");
    assert.match(problem.detail, new RegExp(`corporate proxy http://127\\.0\\.0\\.1:${port}.*${complaint}`));
    for (const text of [stdout, proxy.output.stderr]) assert.ok(!text.includes("wr0ng-password"));
  }
  assert.ok(!scene.seen.includes("GET /hello"));
});

test("mitmproxy works if its CA is trusted, and is named as the issuer if it is not", async (t) => {
  const scene = await setUp(t);
  const { port, ca } = await startMitmproxy(t, scene.directory);
  const line = `network.proxy = "http://127.0.0.1:${port}"`;

  const trusting = await scene.start(t, `${line}\nnetwork.ca_file = ${JSON.stringify(ca)}`);
  assert.equal((await curl(`${trusting.url}/hello`)).stdout, '{"path":"/hello"}');
  scene.seen.length = 0;

  const untrusting = await scene.start(t, line, scene.loopbackTokenUrl);
  const problem = JSON.parse((await curl(`${untrusting.url}/hello`)).stdout);
  assert.equal(problem.reason, "upstream_tls");
  assert.match(problem.detail, /certificate is not accepted: issued by ".*CN=mitmproxy.*" .*network\.ca_file/);
  assert.ok(!scene.seen.includes("GET /hello"));

  const untrustingBoth = await scene.start(t, line);
  const { stderr } = await until(
    () => /none yet/.test(untrustingBoth.output.stderr) && untrustingBoth.output,
    "the banner did not say why there is no token",
  );
  assert.match(stderr, /the server.s certificate is not accepted: issued by \\".*CN=mitmproxy.*" .*network\.ca_file/); // in JSON
  assert.ok(!stderr.includes(SECRET));
});

test("the token leaks through no redirect, TRACE, response field, key log or proxy of the environment", async (t) => {
  const scene = await setUp(t);
  const canary = await startListener(t, (socket) => socket.destroy());
  const wire = await startConnectProxy(t);
  const keys = join(scene.directory, "tls-keys");
  scene.answers["/away"] = {
    status: 302,
    headers: {
      location: `http://127.0.0.1:${canary.port}/away`,
      "alt-svc": `h2="127.0.0.1:${canary.port}"; ma=3600`,
      "set-cookie": "session=1; Domain=evil.test",
      refresh: `0; url=http://127.0.0.1:${canary.port}/`,
      link: `<http://127.0.0.1:${canary.port}/>; rel=preload`,
    },
  };
  const environment = { SSLKEYLOGFILE: keys };
  for (const name of ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"]) {
    environment[name] = `http://127.0.0.1:${wire.port}`;
  }
  const proxy = await scene.start(t, "", undefined, environment);

  assert.equal((await curl(`${proxy.url}/hello`)).stdout, '{"path":"/hello"}');
  const away = await curl("--include", `${proxy.url}/away`);
  const trace = await curl("--include", "--request", "TRACE", `${proxy.url}/hello`);

  assert.match(away.stdout, /^HTTP\/1\.1 302 /);
  assert.match(away.stdout, new RegExp(`^location: http://127\\.0\\.0\\.1:${canary.port}/away\r$`, "im"));
  assert.match(away.stdout, /^set-cookie: session=1\r$/im);
  assert.doesNotMatch(away.stdout, /^alt-svc:/im);
  assert.match(trace.stdout, /^HTTP\/1\.1 405 /);
  assert.deepEqual(scene.seen, ["POST /token", "GET /hello", "GET /away"]);
  assert.equal(canary.connections, 0);
  assert.equal(existsSync(keys), false);
  const sent = Buffer.concat(wire.sent).toString("latin1");
  assert.match(sent, new RegExp(`^CONNECT ${scene.host.replaceAll(".", "\\.")}:${scene.port} `));
  const basic = Buffer.from(`id:${SECRET}`).toString("base64");
  for (const text of [sent, away.stdout, trace.stdout]) {
    for (const secret of [TOKEN, SECRET, basic]) assert.ok(!text.includes(secret));
  }
});

/** A server that counts its connections. */
async function startListener(t, onSocket) {
  const listener = { connections: 0 };
  const server = createServer((socket) => {
    listener.connections += 1;
    onSocket(socket.on("error", () => {}));
  });
  listener.port = await listen(t, server, "127.0.0.1");
  return listener;
}

/** A corporate proxy that records every byte it receives. */
async function startConnectProxy(t) {
  const sent = [];
  const { port } = await startListener(t, (socket) => {
    socket.on("data", (bytes) => sent.push(bytes));
    socket.once("data", (head) => {
      const [, host, target] = /^CONNECT ([^:]+):(\d+) /.exec(head) ?? [];
      if (!host) return socket.destroy();
      const beyond = connect(Number(target), host).on("error", () => socket.destroy());
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      return socket.on("close", () => beyond.destroy()).pipe(beyond).pipe(socket);
    });
  });
  return { port, sent };
}

/** An API with a token endpoint over TLS on an address that is not loopback, and a second token endpoint on loopback. */
async function setUp(t) {
  registerSecret(SECRET, "id");
  registerSecret(PASSWORD, "corp");
  registerSecret("wr0ng-password", "corp");
  registerToken(TOKEN);
  const directory = await temporaryDirectory(t);
  const host = ownAddress();
  const files = await certificates(directory, host);
  const seen = [];
  const answers = {}; // by path, for responses other than the default
  const answer = (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const other = answers[request.url];
    if (other) return response.writeHead(other.status, other.headers).end();
    const isToken = request.url === "/token";
    const isAuthorized = isToken || request.headers.authorization === `Bearer ${TOKEN}`;
    response.writeHead(isAuthorized ? 200 : 401, { "content-type": "application/json" });
    return response.end(
      JSON.stringify(
        isToken ? { access_token: TOKEN, token_type: "Bearer", expires_in: 3600 } : { path: request.url },
      ),
    );
  };
  const tls = { cert: await readFile(files.cert), key: await readFile(files.key) };
  const port = await listen(t, createTlsServer(tls, answer), host);
  const loopback = await listen(t, createTlsServer(tls, answer), "127.0.0.1");
  let count = 0;
  return {
    directory,
    host,
    port,
    seen,
    answers,
    loopbackTokenUrl: `https://127.0.0.1:${loopback}/token`,
    /** Starts cupbearer with these lines. It trusts the API's CA unless they configure another one. */
    async start(test, lines, tokenUrl = `https://${host}:${port}/token`, env = {}) {
      count += 1;
      const secret = join(directory, "client_secret");
      await writeFile(secret, SECRET, { mode: 0o600 });
      const file = join(directory, `cupbearer-${count}.toml`);
      const trust = lines.includes("network.ca_file") ? "" : `network.ca_file = ${JSON.stringify(files.ca)}`;
      await writeFile(
        file,
        [
          'listen = "127.0.0.1:0"',
          `upstream.url = "https://${host}:${port}"`,
          `token.url = ${JSON.stringify(tokenUrl)}`,
          'token.client_id = "id"',
          `token.client_secret = { file = ${JSON.stringify(secret)} }`,
          lines,
          trust,
          "",
        ].join("\n"),
      );
      const proxy = await startProxy(["--config", file], { env });
      test.after(() => proxy.stop());
      return proxy;
    },
  };
}

/** An IPv4 address of this machine that is not loopback. Traffic to it does not leave the machine. */
function ownAddress() {
  const all = Object.values(networkInterfaces()).flat();
  const found = all.find(({ family, internal }) => family === "IPv4" && !internal);
  if (!found) throw new Error("this machine has no address but loopback; as root: ip addr add 192.0.2.1/32 dev lo");
  return found.address;
}

async function certificates(directory, host) {
  const path = (name) => join(directory, name);
  const openssl = async (...args) => {
    const { code, stderr } = await run("openssl", args);
    assert.equal(code, 0, stderr);
  };
  const newKey = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const days = ["-x509", "-days", "2"];
  await openssl(...newKey, ...days, "-subj", "/CN=API CA", "-keyout", path("ca.key"), "-out", path("ca.pem"));
  const names = ["-addext", `subjectAltName=IP:${host},IP:127.0.0.1`, "-addext", "basicConstraints=critical,CA:FALSE"];
  const issuer = ["-CA", path("ca.pem"), "-CAkey", path("ca.key")];
  const subject = ["-subj", "/CN=API", "-keyout", path("api.key"), "-out", path("api.pem")];
  await openssl(...newKey, ...days, ...names, ...issuer, ...subject);
  return { ca: path("ca.pem"), cert: path("api.pem"), key: path("api.key") };
}

async function listen(t, server, host) {
  server.listen(0, host);
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections?.();
  });
  return server.address().port;
}
