// A network path that fails silently, as when a gateway or a firewall loses its connection table: its connections
// seem to be alive, but nothing that is sent is acknowledged. The upstream has a second address, which works. Over HTTP/2,
// all requests share the connection that is lost.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { PORT, startFarServer, startNameServer, startProxyToApi, testInNamespace } from "./namespace.mjs";
import { until } from "./support.mjs";

const LIMIT_S = 35;
const IDLE = 10;
const ADDRESSES = ["10.99.1.2", "10.99.2.2"];

/** Answers with the address that the request was sent to; never, if that is the path. */
const farServer = (module, options) => `
  require("node:${module}").createServer(${options}, (request, response) => {
    const address = request.socket.localAddress;
    if (request.url === "/" + address) return void console.log("waits: " + request.method);
    request.resume().on("end", () => setTimeout(() => response.end(address), 100));
  }).listen(${PORT}, "0.0.0.0", () => console.log("listening"));
`;

/** Each has networks of its own, and only waits. */
describe("a dead path", { concurrency: true }, () => {
  testInNamespace(`new requests succeed over a new connection within ${LIMIT_S} s after the path fails`, async (scene) => {
    await losePath(scene, { server: farServer("http", "{ keepAliveTimeout: 0 }"), upload: 1 });
  });

  testInNamespace(`the same over HTTP/2, also with requests that wait for a response and with an upload`, async (scene) => {
    const server = farServer("http2", "{}");
    await losePath(scene, { server, upstream: 'http2 = "always"', upload: 200_000, waiting: ["GET", "POST"] });
  });

  testInNamespace("a request that waits over HTTP/2 is repeated over a new connection, although nothing else is sent", async (scene) => {
    const { far, proxy, used, other } = await setUp(scene, { server: farServer("http2", "{}"), upstream: 'http2 = "always"' });
    const waiting = await wait(far, proxy, used, "GET");
    far.cut(ADDRESSES.indexOf(used));
    const { status, text, seconds } = await waiting.answer;
    assert.deepEqual([status, text], [200, other]);
    assert.ok(seconds < LIMIT_S, `${seconds} s`);
    scene.figure("HTTP/2: time until the only request, which waits, is answered by the other address, s", seconds.toFixed(1));
  });
});

async function setUp(scene, { server, upstream }) {
  const addresses = await startNameServer(scene);
  const far = await startFarServer(scene, server, ADDRESSES);
  addresses.push(...ADDRESSES);
  const proxy = await startProxyToApi(scene, upstream);
  const before = await Promise.all(Array.from({ length: IDLE }, () => ask(proxy, "GET")));
  const used = before[0].text;
  assert.ok(before.every(({ status, text }) => status === 200 && text === used), JSON.stringify(before));
  return { far, proxy, used, other: ADDRESSES.find((address) => address !== used) };
}

async function losePath(scene, { server, upstream, upload, waiting = [] }) {
  const { far, proxy, used, other } = await setUp(scene, { server, upstream });
  const waits = [];
  for (const method of waiting) waits.push(await wait(far, proxy, used, method));

  far.cut(ADDRESSES.indexOf(used));
  const cut = Date.now();
  const post = ask(proxy, "POST", "/", "x".repeat(upload));
  const gets = [];
  let recoveredMs;
  while (!recoveredMs && Date.now() - cut < LIMIT_S * 1000) {
    const next = ask(proxy, "GET");
    gets.push(next);
    const second = new Promise((resolve) => setTimeout(resolve, 1000));
    if ((await Promise.race([next, second]))?.status === 200) recoveredMs = Date.now() - cut;
    await second;
  }
  assert.ok(recoveredMs, `no new request was answered at once within ${LIMIT_S} s after the failure`);

  const answers = await Promise.all(gets);
  for (const answer of answers) assert.deepEqual([answer.status, answer.text], [200, other]);
  const slowest = Math.max(...answers.map(({ seconds }) => seconds));
  assert.ok(slowest < LIMIT_S, `${slowest} s`);
  const lost = await post;
  assertLost(lost);
  for (const [index, method] of waiting.entries()) {
    const answer = await waits[index].answer;
    if (method === "POST") assertLost(answer);
    else assert.deepEqual([answer.status, answer.text], [200, other]);
  }

  const say = (what, value) => scene.figure(upstream ? `HTTP/2: ${what}` : what, value);
  say("requests before the failure", IDLE);
  say("GETs sent during the failure, one per second, all answered with 200 by the other address", answers.length);
  say("the slowest of them, s", slowest.toFixed(1));
  say("time until a new request is answered at once again, s", (recoveredMs / 1000).toFixed(1));
  say("time until the POST gets a 502 upstream_closed, s", lost.seconds.toFixed(1));
}

function assertLost({ status, text }) {
  assert.equal(status, 502, text);
  assert.equal(JSON.parse(text).reason, "upstream_closed");
}

/** A request that has arrived at the address in use, which does not answer it. */
async function wait(far, proxy, used, method) {
  const answer = ask(proxy, method, `/${used}`, "x");
  await until(() => far.output.text.includes(`waits: ${method}`), `the ${method} did not arrive`);
  return { answer };
}

async function ask(proxy, method, path = "/", body = "x") {
  const start = Date.now();
  const response = await fetch(proxy.url + path, { method, body: method === "POST" ? body : undefined });
  const text = await response.text();
  return { status: response.status, text, seconds: (Date.now() - start) / 1000 };
}
