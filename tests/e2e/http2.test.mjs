// HTTP/2 from clients, HTTP/1.1 to the API: real clients, what crosses and how, limits, reload and shutdown.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import http2 from "node:http2";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setUpStandIns } from "./stand_ins.mjs";
import { curl, run, setUp, start, temporaryDirectory, until } from "./support.mjs";

const PATH = "/api/v1/certificates";

/** What an API sees of a request. */
const echo = async (request, response) => {
  const chunks = await request.toArray();
  const { method, url, rawHeaders, rawTrailers } = request;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ method, url, rawHeaders, rawTrailers, body: Buffer.concat(chunks).toString() }));
};

test("curl, nghttp, h2load, httpx and Node get answers of an API that verifies the token, over HTTP/2", async (t) => {
  const { api, proxy } = await setUp(t);
  const url = proxy.url + PATH;
  const version = ["--output", "/dev/null", "--write-out", "%{http_code} %{http_version}"];
  assert.equal((await curl("--http2-prior-knowledge", ...version, url)).stdout, "200 2");
  assert.equal((await curl(...version, url)).stdout, "200 1.1");
  assert.equal((await curl("--http2", ...version, url)).stdout, "200 1.1"); // `Upgrade: h2c` is ignored
  const { code, stdout } = await run("nghttp", [url]);
  assert.equal(code, 0);
  assert.match(stdout, /"first"/);
  const httpx = "import httpx, sys; r = httpx.Client(http1=False, http2=True).get(sys.argv[1]); print(r.status_code, r.http_version)";
  const python = await run(process.env.E2E_PYTHON, ["-c", httpx, url], { env: { NO_PROXY: "*" } });
  assert.equal(python.stdout.trim(), "200 HTTP/2", python.stderr);
  const session = open(t, proxy.url);
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(session, { ":path": PATH })));
  assert.ok(answers.every(({ headers }) => headers[":status"] === 200));
  const load = await run("h2load", ["-n", "1000", "-c", "4", "-m", "32", url]);
  assert.match(load.stdout, /status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx/);
  assert.ok(api.seen.every(({ authorization }) => authorization.length === 1 && /^Bearer ey/.test(authorization[0])));
});

test("over TLS, ALPN decides between HTTP/2 and HTTP/1.1", async (t) => {
  const { config, authority } = await certificate(t);
  const { proxy } = await setUp(t, { config });
  const get = (...args) => curl("--cacert", authority, ...args, "--output", "/dev/null", "--write-out", "%{http_code} %{http_version}", proxy.url + PATH);
  assert.equal((await get("--http2")).stdout, "200 2");
  assert.equal((await get("--http1.1")).stdout, "200 1.1");
  assert.equal((await get("--no-alpn")).stdout, "200 1.1");
  const httpx = "import httpx, ssl, sys; r = httpx.Client(http2=True, verify=ssl.create_default_context(cafile=sys.argv[2])).get(sys.argv[1]); print(r.http_version)";
  const python = await run(process.env.E2E_PYTHON, ["-c", httpx, proxy.url + PATH, authority], { env: { NO_PROXY: "*" } });
  assert.equal(python.stdout.trim(), "HTTP/2", python.stderr);
  const session = open(t, proxy.url, { ca: readFileSync(authority) });
  const { headers } = await ask(session, { ":path": "/echo" });
  assert.equal(headers[":status"], 200);
});

test("HTTP/2 by prior knowledge works on a unix socket", async (t) => {
  const { directory, file } = await setUpStandIns(t, echo);
  const socket = join(directory, "proxy.sock");
  const another = await start(["--config", file, "--listen", `unix:${socket}`], ({ stderr }) => stderr.includes("token fresh"));
  t.after(() => another.stop("SIGKILL"));
  const { stdout } = await curl("--http2-prior-knowledge", "--unix-socket", socket, "--write-out", " %{http_version}", "http://localhost/a");
  assert.match(stdout, /"url":"\/a".* 2$/);
});

test("a preface that arrives in pieces is recognised, and requests of HTTP/1.1 on the same port still work", async (t) => {
  const { proxy } = await setUpStandIns(t, echo);
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
  for (const split of [1, 12, 14, 16, 20, 24, 30]) {
    const socket = connectTcp(new URL(proxy.url).port, "127.0.0.1");
    socket.setNoDelay();
    socket.write(preface.subarray(0, split));
    await sleep(50);
    socket.write(preface.subarray(split));
    const [first] = await once(socket, "data");
    assert.equal(first[3], 4, `a SETTINGS frame after a split at ${split}: ${first}`);
    socket.destroy();
  }
});

test("a request of HTTP/2 arrives at the API as it would from a client of HTTP/1.1", async (t) => {
  const { proxy } = await setUpStandIns(t, echo);
  const session = open(t, proxy.url);
  const host = new URL(proxy.url).host;
  const upstream = JSON.parse((await ask(session, { ":path": "/" })).text).rawHeaders[1];
  const { text } = await ask(session, {
    ":method": "POST",
    ":path": "/a%2Fb?c=d&e",
    cookie: ["a=1", "b=2"],
    te: "trailers",
    origin: `http://${host}`,
    "x-forwarded-for": "1.2.3.4",
    authorization: "Bearer mine",
    trailer: "x-sum, authorization",
    "content-length": "5",
  }, "hello", { "x-sum": "1", authorization: "no" });
  const seen = JSON.parse(text);
  const values = (name) => pairs(seen.rawHeaders).filter(([key]) => key === name).map(([, value]) => value);
  assert.equal(seen.method, "POST");
  assert.equal(seen.url, "/a%2Fb?c=d&e");
  assert.equal(seen.body, "hello");
  assert.deepEqual(values("host"), [upstream]);
  assert.deepEqual(values("origin"), [`http://${upstream}`]);
  assert.deepEqual(values("te"), ["trailers"]);
  assert.deepEqual(values("x-forwarded-for"), []);
  assert.equal(values("authorization").length, 1);
  assert.notEqual(values("authorization")[0], "Bearer mine");
  assert.match(values("via")[0], /^2\.0 /);
  assert.deepEqual(values("trailer"), ["x-sum"]);
  assert.deepEqual(seen.rawTrailers, ["x-sum", "1"]);
  // A browser's cookies are removed; another program's are joined.
  assert.deepEqual(values("cookie"), []);
  const program = JSON.parse((await ask(session, { ":path": "/", cookie: ["a=1", "b=2"] })).text);
  assert.deepEqual(pairs(program.rawHeaders).find(([name]) => name === "cookie"), ["cookie", "a=1; b=2"]);
});

test("responses lose what belongs to a connection of HTTP/1.1, and some have no content", async (t) => {
  const { proxy } = await setUpStandIns(t, (request, response) => {
    const status = Number(new URL(request.url, "http://x").searchParams.get("status"));
    response.setHeader("Keep-Alive", "timeout=5");
    response.setHeader("Connection", "X-Own, keep-alive");
    response.setHeader("X-Own", "1");
    response.setHeader("X-Kept", "1");
    if (status === 304 || request.method === "HEAD") response.setHeader("content-length", 7);
    response.writeHead(status).end(status === 200 ? "content" : undefined);
  });
  const session = open(t, proxy.url);
  const get = (status, method = "GET") => ask(session, { ":method": method, ":path": `/?status=${status}` });
  const whole = await get(200);
  assert.equal(whole.text, "content");
  assert.equal(whole.headers["x-kept"], "1");
  for (const name of ["connection", "keep-alive", "transfer-encoding", "x-own"]) assert.ok(!(name in whole.headers), name);
  for (const [method, status, length] of [["HEAD", 200, "7"], ["GET", 204, undefined], ["GET", 304, "7"]]) {
    const { headers, text } = await get(status, method);
    assert.equal(headers[":status"], status);
    assert.equal(headers["content-length"], length, `${method} ${status}`);
    assert.equal(text, "");
  }
});

test("trailers of a response arrive if they are announced and the client accepts them", async (t) => {
  const { proxy } = await setUpStandIns(t, (request, response) => {
    response.writeHead(200, { trailer: "X-Sum, X-Other, Set-Cookie" });
    response.write("content");
    response.addTrailers({ "X-Sum": "1", "Set-Cookie": "a=b", "X-Secret": "2" });
    response.end();
  });
  const session = open(t, proxy.url);
  const accepted = await ask(session, { ":path": "/", te: "trailers" });
  assert.deepEqual(Object.entries(accepted.trailers), [["x-sum", "1"]]);
  assert.equal(accepted.text, "content");
  const other = await ask(session, { ":path": "/" });
  assert.equal(other.trailers, undefined);
  assert.equal(other.text, "content");
});

test("a response that breaks off is reset, after its head and what had arrived", async (t) => {
  const { proxy } = await setUpStandIns(t, (request, response) => {
    if (request.url === "/later") {
      response.writeHead(200, { "content-length": 100 }).write("half");
      return void setTimeout(() => response.destroy(), 50);
    }
    request.socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
  });
  const session = open(t, proxy.url);
  for (const path of ["/later", "/at-once"]) {
    const stream = session.request({ ":path": path });
    const ended = new Promise((end) => stream.on("close", end)); // an error comes before
    let [status, text, message] = [0, "", ""];
    stream.on("response", (headers) => (status = headers[":status"]));
    stream.on("data", (data) => (text += data)).on("error", (error) => (message = error.message));
    await ended;
    assert.deepEqual([status, text], [200, "half"], path);
    assert.match(message, /NGHTTP2_INTERNAL_ERROR/);
    assert.ok(!session.closed);
  }
});

test("an early answer arrives while the client still uploads, and the stream then ends without an error", { timeout: 60_000 }, async (t) => {
  const { proxy } = await setUpStandIns(t, (request, response) => response.writeHead(413, { connection: "close" }).end("too large"));
  const session = open(t, proxy.url);
  const stream = session.request({ ":method": "POST", ":path": "/" });
  const timer = setInterval(() => stream.writable && stream.write(Buffer.alloc(1000)), 10);
  t.after(() => clearInterval(timer));
  const [headers] = await once(stream, "response");
  assert.equal(headers[":status"], 413);
  stream.resume();
  await once(stream, "close");
  assert.equal(stream.rstCode, 0);
  assert.equal((await ask(session, { ":path": "/" })).headers[":status"], 413, "the connection is still open");
});

test("hundreds of uploads that are rejected in parallel leave the connection open", async (t) => {
  const { proxy } = await setUpStandIns(t, echo, { config: "[guard]\nread_only = true" });
  const session = open(t, proxy.url);
  let goaway;
  session.on("goaway", (code) => (goaway = code));
  await once(session, "remoteSettings");
  for (let round = 0; round < 20; round += 1) {
    const uploads = Array.from({ length: 20 }, () => ask(session, { ":method": "POST", ":path": "/" }, Buffer.alloc(100_000)));
    const statuses = (await Promise.all(uploads)).map(({ headers }) => headers[":status"]);
    assert.deepEqual(new Set(statuses), new Set([403]), `round ${round}`);
  }
  assert.equal((await ask(session, { ":path": "/" })).headers[":status"], 200);
  assert.equal(goaway, undefined);
});

test("the guard checks :authority as it checks Host, and cupbearer's own errors are problem details", async (t) => {
  const { proxy } = await setUpStandIns(t, echo, { config: '[guard]\nhosts = ["proxy.example"]' });
  const session = open(t, proxy.url);
  const { host } = new URL(proxy.url);
  const cases = [
    [{ ":authority": "proxy.example" }, 200],
    [{ ":authority": "evil.example" }, 403, "host_refused"],
    [{ ":authority": host, host: "evil.example" }, 400, "bad_request"],
    [{ ":authority": "a@localhost" }, 400, "bad_request"],
    [{ ":authority": host, origin: "https://evil.example" }, 403, "origin_refused"],
    [{ ":method": "CONNECT", ":authority": "localhost:1", ":path": undefined }, 405, "method_refused"],
    [{ ":method": "TRACE", ":authority": host }, 405, "method_refused"],
    [Object.fromEntries(Array.from({ length: 101 }, (_, number) => [`x-${number}`, "y"])), 431, "too_large"],
  ];
  for (const [fields, status, reason] of cases) {
    const { headers, text } = await ask(session, { ":path": "/", ...fields });
    assert.equal(headers[":status"], status, `${JSON.stringify(fields).slice(0, 80)}: ${text}`);
    if (!reason) continue;
    assert.equal(headers["content-type"], "application/problem+json");
    assert.equal(JSON.parse(text).reason, reason);
    assert.match(headers["proxy-status"], /^cupbearer/);
    assert.equal(headers.connection, undefined);
  }
  const head = await ask(session, { ":method": "HEAD", ":path": "/", ":authority": "evil.example" });
  assert.equal(head.headers[":status"], 403);
  assert.ok(Number(head.headers["content-length"]) > 0);
  assert.equal(head.text, "");
});

test("a head above limits.header_bytes is rejected with a reason, logged and counted, unless it is more than twice as long", async (t) => {
  const { proxy } = await setUpStandIns(t, echo, { config: '[limits]\nheader_bytes = "8KiB"' });
  const session = open(t, proxy.url);
  const asked = (length) => ask(session, { ":path": "/long", "x-long": "y".repeat(length) });
  assert.equal((await asked(7900)).headers[":status"], 200);
  for (const length of [8200, 16_000]) {
    const { headers, text } = await asked(length);
    assert.equal(headers[":status"], 431);
    const { reason, detail } = JSON.parse(text);
    assert.equal(reason, "too_large");
    assert.match(detail, /limits\.header_bytes/);
  }
  const far = await asked(20_000);
  assert.deepEqual([far.headers[":status"], far.text], [431, ""]);
  const lines = () => proxy.output.stderr.split("\n").filter((line) => /"reason":"too_large"/.test(line) && /"path":"\/long"/.test(line));
  await until(() => lines().length === 2, "two lines");
  const [, admin] = /admin +(http:\/\/127\.0\.0\.1:\d+)/.exec(proxy.output.stderr);
  assert.match((await curl(`${admin}/metrics`)).stdout, /cupbearer_failed_requests_total\{[^}]*reason="too_large"[^}]*\} 2\n/);
});

test("what HTTP/2 forbids in a request resets its stream, and the API sees nothing", async (t) => {
  let seen = 0;
  const { proxy } = await setUpStandIns(t, (request, response) => ((seen += 1), response.end()));
  const { stdout, stderr } = await run(process.env.E2E_PYTHON, ["http2_forbidden.py", new URL(proxy.url).port]);
  assert.equal(stderr, "");
  for (const [what, outcome] of Object.entries(JSON.parse(stdout))) assert.match(outcome, /^(RST_STREAM|GOAWAY) 1$/, what);
  assert.equal(seen, 0);
});

test("limits.streams is what the client may open at once, and each stream counts in limits.in_flight", { timeout: 60_000 }, async (t) => {
  const waiting = [];
  const { proxy, file } = await setUpStandIns(t, (request, response) => void waiting.push(response), { config: "[limits]\nstreams = 7\nin_flight = 3" });
  const session = open(t, proxy.url);
  await once(session, "remoteSettings");
  assert.equal(session.remoteSettings.maxConcurrentStreams, 7);
  const asked = Array.from({ length: 5 }, () => ask(session, { ":path": "/" }));
  const rejected = await Promise.race(asked);
  assert.equal(rejected.headers[":status"], 503);
  assert.equal(JSON.parse(rejected.text).reason, "saturated");
  await until(() => waiting.length === 3, "three requests");
  for (const response of waiting) response.end();
  const statuses = (await Promise.all(asked)).map(({ headers }) => headers[":status"]).sort();
  assert.deepEqual(statuses, [200, 200, 200, 503, 503]);

  writeFileSync(file, readFileSync(file, "utf8").replace("streams = 7", "streams = 9"));
  process.kill(proxy.pid, "SIGHUP");
  await until(async () => {
    const another = open(t, proxy.url);
    await once(another, "remoteSettings");
    return another.remoteSettings.maxConcurrentStreams === 9;
  }, "the new limit");
  assert.equal(session.remoteSettings.maxConcurrentStreams, 7, "an open connection keeps its own");
});

test("one client may take all of limits.in_flight with several connections, and what it takes beyond is rejected at once", async (t) => {
  const waiting = [];
  const { proxy } = await setUpStandIns(t, (request, response) => void waiting.push(response), { config: "[limits]\nstreams = 2\nin_flight = 8" });
  const greedy = Array.from({ length: 5 }, () => open(t, proxy.url));
  const asked = greedy.flatMap((session) => [ask(session, { ":path": "/" }), ask(session, { ":path": "/" })]);
  await until(() => waiting.length === 8, "eight requests");
  assert.equal((await Promise.race(asked)).headers[":status"], 503);
  const other = open(t, proxy.url);
  assert.equal((await ask(other, { ":path": "/" })).headers[":status"], 503);
  for (const response of waiting) response.end("ok");
  const statuses = (await Promise.all(asked)).map(({ headers }) => headers[":status"]).sort();
  assert.deepEqual(statuses, [...Array(8).fill(200), 503, 503]);
  const served = ask(other, { ":path": "/" });
  await until(() => waiting.length === 9, "a request of the other client");
  waiting[8].end("ok");
  assert.equal((await served).text, "ok");
});

test("an upload that is not forwarded does not hold up another upload or a response", { timeout: 60_000 }, async (t) => {
  const { proxy } = await setUpStandIns(t, (request, response) => (request.url === "/stuck" ? undefined : echo(request, response)));
  const session = open(t, proxy.url, { maxSessionMemory: 100 }); // what Node holds back itself
  const stuck = session.request({ ":method": "POST", ":path": "/stuck" });
  stuck.on("error", () => {});
  let written = 0;
  while (stuck.write(Buffer.alloc(65_536)) || written < 256) written += 1;
  let [left, since] = [0, Date.now()];
  await until(() => {
    if (stuck.writableLength !== left) [left, since] = [stuck.writableLength, Date.now()];
    return left > 0 && Date.now() - since > 500;
  }, "an upload that is stuck");
  const { text } = await ask(session, { ":method": "POST", ":path": "/" }, "x".repeat(200_000));
  assert.equal(JSON.parse(text).body.length, 200_000);
  stuck.close(http2.constants.NGHTTP2_CANCEL);
});

test("a canceled request closes its connection to the API", { timeout: 60_000 }, async (t) => {
  let closed;
  const arrived = new Promise((resolve) => {
    closed = new Promise((end) => {
      setUpStandIns(t, (request) => (resolve(), request.socket.once("close", end))).then(({ proxy }) => {
        const session = open(t, proxy.url);
        const stream = session.request({ ":path": "/" });
        stream.on("error", () => {});
        arrived.then(() => stream.close(http2.constants.NGHTTP2_CANCEL));
      });
    });
  });
  await arrived;
  await closed;
});

test("SIGTERM sends GOAWAY, what is in flight is answered, and idle connections end at once", { timeout: 60_000 }, async (t) => {
  const waiting = [];
  const { proxy } = await setUpStandIns(t, (request, response) => (request.url === "/wait" ? void waiting.push(response) : response.end("ok")));
  const [busy, idle] = [open(t, proxy.url), open(t, proxy.url)];
  await ask(idle, { ":path": "/" });
  const asked = Array.from({ length: 10 }, () => ask(busy, { ":path": "/wait" }));
  await until(() => waiting.length === 10, "ten requests");
  const goaway = once(busy, "goaway");
  const idleClosed = once(idle, "close");
  const signalled = Date.now();
  const stopped = proxy.stop();
  const [code] = await goaway;
  assert.equal(code, http2.constants.NGHTTP2_NO_ERROR);
  await idleClosed;
  assert.ok(Date.now() - signalled < 2000, "an idle connection ends at once");
  await sleep(500);
  for (const response of waiting) response.end("ok");
  const answers = await Promise.all(asked);
  assert.ok(answers.every(({ headers, text }) => headers[":status"] === 200 && text === "ok"));
  assert.equal(await stopped, 0);
});

test("connections end after limits.keep_alive and limits.header_timeout, as those of HTTP/1.1 do", { timeout: 60_000 }, async (t) => {
  const { proxy } = await setUpStandIns(t, echo, { config: '[limits]\nkeep_alive = "1s"\nheader_timeout = "1s"' });
  const silent = connectTcp(new URL(proxy.url).port, "127.0.0.1");
  silent.write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1"));
  silent.resume();
  const pinging = open(t, proxy.url);
  await ask(pinging, { ":path": "/" });
  const timer = setInterval(() => pinging.destroyed || pinging.ping(() => {}), 50); // PINGs are no requests
  t.after(() => clearInterval(timer));
  const began = Date.now();
  await Promise.all([once(silent, "close"), once(pinging, "close")]);
  assert.ok(Date.now() - began < 4000, `${Date.now() - began} ms`);
});

test("at limits.connections an idle connection gives way, and if all are busy a client reads why in HTTP/2", { timeout: 60_000 }, async (t) => {
  const waiting = [];
  const { proxy } = await setUpStandIns(t, (request, response) => (request.url === "/wait" ? void waiting.push(response) : response.end("ok")), { config: "[limits]\nconnections = 2" });
  const idle = open(t, proxy.url);
  await ask(idle, { ":path": "/" });
  const gone = once(idle, "close");
  const busy = [open(t, proxy.url), open(t, proxy.url)];
  const asked = busy.map((session) => ask(session, { ":path": "/wait" }));
  await gone;
  await until(() => waiting.length === 2, "two busy connections");
  const late = open(t, proxy.url);
  const { headers, text } = await ask(late, { ":path": "/" });
  assert.equal(headers[":status"], 503);
  assert.equal(JSON.parse(text).reason, "saturated");
  for (const response of waiting) response.end("ok");
  assert.ok((await Promise.all(asked)).every(({ text: content }) => content === "ok"));
});

test("logs, metrics and the status page say that a request came as HTTP/2", async (t) => {
  const { proxy } = await setUpStandIns(t, echo, { config: '[log]\naccess = "all"\n' });
  const session = open(t, proxy.url);
  await ask(session, { ":path": "/two" });
  await curl(`${proxy.url}/one`);
  const lineOf = (path) => proxy.output.stderr.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)).find((line) => line.path === path);
  await until(() => lineOf("/one") && lineOf("/two"), "both lines");
  assert.equal(lineOf("/two").protocol, "HTTP/2");
  assert.equal(lineOf("/one").protocol, "HTTP/1.1");
  const [, admin] = /admin +(http:\/\/127\.0\.0\.1:\d+)/.exec(proxy.output.stderr);
  const metrics = await curl(`${admin}/metrics`);
  assert.match(metrics.stdout, /cupbearer_http2_requests_total(\{[^}]*\})? 1\n/);
  const status = JSON.parse((await curl(`${admin}/status`)).stdout);
  const shown = Object.fromEntries(status.proxies[0].recent.map(({ path, http }) => [path, http]));
  assert.deepEqual(shown, { "/two": "HTTP/2", "/one": "HTTP/1.1" });
});

function pairs(raw) {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index].toLowerCase(), raw[2 * index + 1]]);
}

function open(t, url, options) {
  const session = http2.connect(url, options);
  session.on("error", () => {});
  t.after(() => session.destroy());
  return session;
}

/** Sends a request and returns its response. */
async function ask(session, headers, body, trailers) {
  const stream = session.request(headers, { endStream: body === undefined, waitForTrailers: Boolean(trailers) });
  if (trailers) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  let received;
  stream.on("trailers", (fields) => (received = fields));
  if (body !== undefined) stream.end(body);
  const [response] = await once(stream, "response");
  const text = (await stream.toArray()).join("");
  return { headers: response, text, trailers: received };
}

/** A listener's certificate of an authority of its own. */
async function certificate(t) {
  const directory = await temporaryDirectory(t);
  const path = (name) => join(directory, name);
  const openssl = async (...args) => {
    const { code, stderr } = await run("openssl", args);
    assert.equal(code, 0, stderr);
  };
  const newKey = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90"];
  await openssl(...newKey, "-subj", "/CN=CA", "-keyout", path("ca.key"), "-out", path("ca.pem"));
  const names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
  await openssl(...newKey, "-subj", "/CN=proxy", ...names, "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-keyout", path("tls.key"), "-out", path("tls.crt"));
  const [cert, key] = ["tls.crt", "tls.key"].map((name) => JSON.stringify(path(name)));
  return { config: `[tls]\ncert_file = ${cert}\nkey_file = ${key}`, authority: path("ca.pem") };
}
