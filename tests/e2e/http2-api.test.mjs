// HTTP/2 to the API: which requests go out as HTTP/2, what crosses between the protocols, and the API's own endings.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import http2 from "node:http2";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { startTokens } from "./soak_servers.mjs";
import { configurationFor, issueCertificate, writeSecret } from "./stand_ins.mjs";
import { curl, run, startProxy, temporaryDirectory, until } from "./support.mjs";

/** What an API sees of a request. */
const echo = async (request, response) => {
  const chunks = await request.toArray();
  const { method, url, httpVersion, headers, trailers } = request;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ method, url, httpVersion, headers, trailers, body: Buffer.concat(chunks).toString() }));
};

test("over TLS, a request goes out in the protocol in which it came, if the API offers that", async (t) => {
  const { cert, key, authority } = await issueCertificate(t);
  const both = await listen(t, http2.createSecureServer({ allowHTTP1: true, cert, key }), "https");
  const { proxy } = await setUp(t, both, { authority, config: '[log]\naccess = "all"' });
  const session = open(t, proxy.url);
  const two = await ask(session, { ":path": "/two?a=b", cookie: ["a=1", "b=2"], te: "trailers" });
  const seen = JSON.parse(two.text);
  assert.equal(seen.httpVersion, "2.0");
  assert.equal(seen.headers[":authority"], new URL(both.url).host);
  assert.deepEqual([seen.url, seen.headers.cookie, seen.headers.te, seen.headers.host], ["/two?a=b", "a=1; b=2", "trailers", undefined]);
  const one = JSON.parse((await curl(`${proxy.url}/one`)).stdout);
  assert.equal(one.httpVersion, "1.1");
  const lineOf = (path) => proxy.output.stderr.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)).find((line) => line.path === path);
  await until(() => lineOf("/one") && lineOf("/two"), "both lines");
  assert.deepEqual([lineOf("/two").protocol, lineOf("/two").api_protocol], ["HTTP/2", "HTTP/2"]);
  assert.deepEqual([lineOf("/one").protocol, lineOf("/one").api_protocol], ["HTTP/1.1", "HTTP/1.1"]);
  const [, admin] = /admin +(http:\/\/127\.0\.0\.1:\d+)/.exec(proxy.output.stderr);
  const metrics = await curl(`${admin}/metrics`);
  assert.match(metrics.stdout, /cupbearer_upstream_http2_requests_total(\{[^}]*\})? 1\n/);
  const doctor = await run(process.env.CUPBEARER_BIN, ["doctor", "--config", proxy.file]);
  assert.match(doctor.stdout, /the API offers HTTP\/2/);
});

test("an API that does not offer HTTP/2 gets HTTP/1.1 from everyone, over connections that are used again", async (t) => {
  const { cert, key, authority } = await issueCertificate(t);
  const server = createTlsServer({ cert, key });
  let connections = 0;
  server.on("secureConnection", () => (connections += 1));
  const api = await listen(t, server, "https");
  const { proxy } = await setUp(t, api, { authority, config: "", http2: "always" });
  const session = open(t, proxy.url);
  for (let number = 0; number < 5; number += 1) {
    const { headers, text } = await ask(session, { ":method": "POST", ":path": "/", te: "trailers" }, "content");
    assert.equal(headers[":status"], 200);
    const seen = JSON.parse(text);
    assert.deepEqual([seen.httpVersion, seen.body, seen.headers.te, seen.headers.host], ["1.1", "content", "trailers", new URL(api.url).host]);
  }
  const unusual = await ask(session, { ":method": "GET", ":path": "/" }, "content of a GET");
  assert.equal(JSON.parse(unusual.text).body, "content of a GET");
  assert.equal(connections, 1);
});

test("a request that the API resets with HTTP_1_1_REQUIRED goes out once more over HTTP/1.1, with its body", async (t) => {
  const { cert, key, authority } = await issueCertificate(t);
  const server = http2.createSecureServer({ allowHTTP1: true, cert, key });
  const versions = [];
  const api = await listen(t, server, "https", (request, response) => {
    versions.push(request.httpVersion);
    if (request.httpVersion === "2.0") return request.stream.close(http2.constants.NGHTTP2_HTTP_1_1_REQUIRED);
    return echo(request, response);
  });
  const { proxy } = await setUp(t, api, { authority });
  const { headers, text } = await ask(open(t, proxy.url), { ":method": "POST", ":path": "/" }, "content");
  assert.deepEqual([headers[":status"], JSON.parse(text).body], [200, "content"]);
  assert.deepEqual(versions, ["2.0", "1.1"]);
});

test("with upstream.http2 = \"always\", HTTP/1.1 crosses to HTTP/2 and back", async (t) => {
  const api = await listen(t, http2.createServer(), "http", async (request, response) => {
    if (request.url === "/204") return void response.writeHead(204).end();
    if (request.url === "/304") return void response.writeHead(304, { etag: '"1"' }).end();
    if (request.url === "/early") return void response.end("early");
    if (request.url === "/large") return void response.end("x".repeat(3_000_000));
    await echo(request, response);
  });
  const { proxy } = await setUp(t, api, { http2: "always" });
  const seen = JSON.parse((await curl("--data", "content", "-H", "Expect: 100-continue", "-H", "Connection: x-secret", "-H", "X-Secret: 1", `${proxy.url}/`)).stdout);
  assert.deepEqual([seen.httpVersion, seen.method, seen.body, seen.headers["content-length"]], ["2.0", "POST", "content", "7"]);
  assert.deepEqual([seen.headers.expect, seen.headers["x-secret"], seen.headers.connection], [undefined, undefined, undefined]);
  const chunked = JSON.parse((await curl("--data", "content", "-H", "Transfer-Encoding: chunked", `${proxy.url}/`)).stdout);
  assert.deepEqual([chunked.body, chunked.headers["content-length"]], ["content", undefined]);
  const head = await curl("--head", `${proxy.url}/`);
  assert.match(head.stdout, /^HTTP\/1\.1 200 OK\r\n/);
  const none = await curl("--include", `${proxy.url}/204`);
  assert.match(none.stdout, /^HTTP\/1\.1 204/);
  assert.doesNotMatch(none.stdout, /content-length/i);
  assert.match((await curl("--include", `${proxy.url}/304`)).stdout, /^HTTP\/1\.1 304[^]*etag: "1"/);
  assert.equal((await curl(`${proxy.url}/large`)).stdout.length, 3_000_000);
  const upload = join(await temporaryDirectory(t), "upload");
  writeFileSync(upload, Buffer.alloc(2_000_000, "y"));
  const early = await curl("--data-binary", `@${upload}`, "--write-out", "%{http_code}", `${proxy.url}/early`);
  assert.equal(early.stdout, "early200");
  const back = JSON.parse((await curl("--data-binary", `@${upload}`, `${proxy.url}/`)).stdout);
  assert.equal(back.body.length, 2_000_000);
});

test("a 401 is replayed over HTTP/2 with the whole body, while no more than upstream.retry_body has been read", async (t) => {
  const tokens = await startTokens(3600);
  t.after(() => tokens.close());
  const api = await listen(t, http2.createServer(), "http");
  const { proxy } = await setUp(t, api, { http2: "always", tokens });
  const session = open(t, proxy.url);
  assert.equal((await ask(session, { ":path": "/" })).headers[":status"], 200);
  tokens.revokeAll();
  const { headers, text } = await ask(session, { ":method": "POST", ":path": "/" }, "content");
  assert.deepEqual([headers[":status"], JSON.parse(text).body], [200, "content"]);
  tokens.revokeAll();
  const long = await ask(session, { ":method": "POST", ":path": "/" }, "z".repeat(1_000_000));
  assert.equal(long.headers[":status"], 401);
});

test("a client that cancels resets the API's stream, and the API's reset reaches the client", async (t) => {
  const streams = [];
  const api = await listen(t, http2.createServer(), "http", (request, response) => {
    streams.push(request.stream);
    request.stream.on("error", () => {});
    response.writeHead(200);
    response.write("begun");
  });
  const { proxy } = await setUp(t, api, { http2: "always" });
  const session = open(t, proxy.url);
  const canceled = session.request({ ":path": "/" });
  canceled.on("error", () => {});
  await once(canceled, "data");
  canceled.close(http2.constants.NGHTTP2_CANCEL);
  await until(() => streams[0].closed, "the end of the API's stream");
  assert.equal(streams[0].rstCode, http2.constants.NGHTTP2_CANCEL);
  const reset = session.request({ ":path": "/" });
  reset.on("error", () => {});
  await once(reset, "data");
  const closed = new Promise((resolve) => reset.on("close", resolve));
  streams[1].close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  await closed;
  assert.equal(reset.rstCode, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  assert.equal(session.closed, false);
});

test("requests share a connection up to the API's limit, and a stop of the API loses none", async (t) => {
  let sessions = 0;
  const server = http2.createServer({ settings: { maxConcurrentStreams: 10 } });
  const open_sessions = new Set();
  server.on("session", (session) => ((sessions += 1), open_sessions.add(session), session.on("close", () => open_sessions.delete(session))));
  const waiting = [];
  const api = await listen(t, server, "http", (request, response) => (request.url === "/wait" ? void waiting.push(response) : response.end("ok")));
  const { proxy } = await setUp(t, api, { http2: "always" });
  const session = open(t, proxy.url);
  await ask(session, { ":path": "/" });
  assert.equal(sessions, 1);
  const asked = Array.from({ length: 30 }, () => ask(session, { ":path": "/wait" }));
  await until(() => waiting.length === 30, "all requests");
  assert.ok(sessions >= 3 && sessions <= 23, `${sessions} connections`);
  for (const one of open_sessions) one.close(); // GOAWAY
  const more = Array.from({ length: 30 }, () => ask(session, { ":path": "/" }));
  assert.ok((await Promise.all(more)).every(({ headers }) => headers[":status"] === 200));
  for (const response of waiting) response.end("ok");
  assert.ok((await Promise.all(asked)).every(({ headers, text }) => headers[":status"] === 200 && text === "ok"));
});

test("an API without HTTP/2 gets no request by prior knowledge, and the 502 names the key", async (t) => {
  const { createServer } = await import("node:http");
  let requests = 0;
  const api = await listen(t, createServer(), "http", () => (requests += 1));
  const { proxy } = await setUp(t, api, { http2: "always" });
  const { stdout } = await curl("--write-out", "%{http_code}", `${proxy.url}/`);
  assert.match(stdout, /upstream\.http2[^]*502$/);
  assert.equal(requests, 0);
});

/** A proxy in front of `api`, which checks that each request has a token that is valid. */
async function setUp(t, api, { authority, config = "", http2: mode = "match", tokens } = {}) {
  const issuing = tokens ?? (await startTokens(3600));
  if (!tokens) t.after(() => issuing.close());
  api.allows = (request) => issuing.isGood(/^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1]);
  const directory = await temporaryDirectory(t);
  const [file, secret] = [join(directory, "cupbearer.toml"), join(directory, "secret")];
  writeSecret(secret);
  const more = `${authority ? `[network]\nca_file = ${JSON.stringify(authority)}\n` : ""}${config}`;
  writeFileSync(file, configurationFor({ url: api.url, token: issuing.url, secret, more }));
  const proxy = await startProxy(["--config", file], { env: { CUPBEARER_UPSTREAM__HTTP2: mode } });
  t.after(() => proxy.stop("SIGKILL"));
  return { proxy: Object.assign(proxy, { file }) };
}

/** Lets the server listen. It answers requests without a valid token with a 401. */
async function listen(t, server, scheme, handle = echo) {
  const api = { allows: () => false };
  server.on("request", (request, response) => {
    if (!api.allows(request)) return void response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end();
    void handle(request, response);
  });
  const sockets = new Set();
  server.on("connection", (socket) => (sockets.add(socket), socket.on("close", () => sockets.delete(socket)).on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.close(), sockets.forEach((socket) => socket.destroy())));
  api.url = `${scheme}://127.0.0.1:${server.address().port}`;
  return api;
}

function open(t, url) {
  const session = http2.connect(url);
  session.on("error", () => {});
  t.after(() => session.destroy());
  return session;
}

async function ask(session, headers, body) {
  const stream = session.request(headers, { endStream: body === undefined });
  stream.on("error", () => {});
  if (body !== undefined) stream.end(body);
  const [response] = await once(stream, "response");
  const text = (await stream.toArray()).join("");
  return { headers: response, text };
}
