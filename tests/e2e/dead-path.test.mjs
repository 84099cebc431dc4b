// A network path that fails silently, as when a gateway or a firewall loses its connection table: its connections
// seem to be alive, but nothing that is sent is acknowledged. The upstream has a second address, which works.

import assert from "node:assert/strict";
import { PORT, startFarServer, startNameServer, startProxyToApi, testInNamespace } from "./namespace.mjs";

const LIMIT_S = 35;
const IDLE = 10;
const ADDRESSES = ["10.99.1.2", "10.99.2.2"];

const FAR = `
  require("node:http").createServer({ keepAliveTimeout: 0 }, (request, response) => {
    request.resume().on("end", () => setTimeout(() => response.end(request.socket.localAddress), 100));
  }).listen(${PORT}, "0.0.0.0", () => console.log("listening"));
`;

testInNamespace(`new requests succeed over a new connection within ${LIMIT_S} s after the path fails`, async (scene) => {
  const addresses = await startNameServer(scene);
  const far = await startFarServer(scene, FAR, ADDRESSES);
  addresses.push(...ADDRESSES);
  const proxy = await startProxyToApi(scene);
  const before = await Promise.all(Array.from({ length: IDLE }, () => ask(proxy, "GET")));
  const used = before[0].text;
  assert.ok(before.every(({ status, text }) => status === 200 && text === used), JSON.stringify(before));

  far.cut(ADDRESSES.indexOf(used));
  const cut = Date.now();
  const post = ask(proxy, "POST");
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
  const other = ADDRESSES.find((address) => address !== used);
  for (const answer of answers) assert.deepEqual([answer.status, answer.text], [200, other]);
  const slowest = Math.max(...answers.map(({ seconds }) => seconds));
  assert.ok(slowest < LIMIT_S, `${slowest} s`);
  const lost = await post;
  assert.equal(lost.status, 502, lost.text);
  assert.equal(JSON.parse(lost.text).reason, "upstream_closed");

  scene.figure("idle connections at the failure", IDLE);
  scene.figure("GETs sent during the failure, one per second, all answered with 200 by the other address", answers.length);
  scene.figure("the slowest of them, s", slowest.toFixed(1));
  scene.figure("time until a new request is answered at once again, s", (recoveredMs / 1000).toFixed(1));
  scene.figure("time until the POST gets a 502 upstream_closed, s", lost.seconds.toFixed(1));
});

async function ask(proxy, method) {
  const start = Date.now();
  const response = await fetch(proxy.url, { method, body: method === "POST" ? "x" : undefined });
  const text = await response.text();
  return { status: response.status, text, seconds: (Date.now() - start) / 1000 };
}
