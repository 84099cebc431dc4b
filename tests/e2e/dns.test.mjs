// The upstream's name gets another address: the next connection uses it, and no request fails.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { PORT, startNameServer, startProxyToApi, testInNamespace } from "./namespace.mjs";

const POOL_IDLE_MS = 1000;

testInNamespace("after the old address has closed its connection, the next one goes to the new address", async (scene) => {
  const { addresses, old, ask } = await setUp(scene);
  addresses.splice(0, 1, "127.0.0.2");
  assert.equal(await ask(), "127.0.0.1", "a connection that is in use is kept");
  old.closeIdleConnections();
  for (let time = 0; time < 20; time++) assert.equal(await ask(), "127.0.0.2");
});

testInNamespace("the new address is used once the idle connection to the old one has expired", async (scene) => {
  const { addresses, ask } = await setUp(scene);
  addresses.splice(0, 1, "127.0.0.2");
  await new Promise((resolve) => setTimeout(resolve, POOL_IDLE_MS + 100)); // the time that the test is about
  for (let time = 0; time < 20; time++) assert.equal(await ask(), "127.0.0.2");
});

testInNamespace("no request fails when nothing listens at the old address any more", async (scene) => {
  const { addresses, old, ask } = await setUp(scene);
  addresses.splice(0, 1, "127.0.0.2");
  old.close();
  old.closeAllConnections();
  for (let time = 0; time < 20; time++) assert.equal(await ask(), "127.0.0.2");
});

/** Starts two servers; the name resolves to the first one. */
async function setUp(scene) {
  const addresses = await startNameServer(scene);
  const [old] = await Promise.all(["127.0.0.1", "127.0.0.2"].map((address) => startServer(scene, address)));
  addresses.push("127.0.0.1");
  const proxy = await startProxyToApi(scene, `pool_idle = "${POOL_IDLE_MS}ms"`);
  const ask = async () => {
    const answer = await fetch(proxy.url);
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.text();
  };
  assert.equal(await ask(), "127.0.0.1");
  return { addresses, old, ask };
}

async function startServer(scene, address) {
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => response.end(address));
  server.listen(PORT, address);
  await once(server, "listening");
  scene.after(() => (server.close(), server.closeAllConnections()));
  return server;
}
