// An upstream whose name gets another address: followed by the next connection, without a failed request.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { PORT, startNameServer, startProxyToApi, testInNamespace } from "./namespace.mjs";

const POOL_IDLE_MS = 1000;

testInNamespace("a connection that the old address closes is followed by one to the new", async (scene) => {
  const { addresses, old, ask } = await setUp(scene);
  addresses.splice(0, 1, "127.0.0.2");
  assert.equal(await ask(), "127.0.0.1", "a connection in use stays where it is");
  old.closeIdleConnections();
  for (let time = 0; time < 20; time++) assert.equal(await ask(), "127.0.0.2");
});

testInNamespace("the new address is used once the idle connection to the old one has had its time", async (scene) => {
  const { addresses, ask } = await setUp(scene);
  addresses.splice(0, 1, "127.0.0.2");
  await new Promise((resolve) => setTimeout(resolve, POOL_IDLE_MS + 100)); // that time is the claim
  for (let time = 0; time < 20; time++) assert.equal(await ask(), "127.0.0.2");
});

testInNamespace("an old address at which nobody is left costs no request", async (scene) => {
  const { addresses, old, ask } = await setUp(scene);
  addresses.splice(0, 1, "127.0.0.2");
  old.close();
  old.closeAllConnections();
  for (let time = 0; time < 20; time++) assert.equal(await ask(), "127.0.0.2");
});

/** Two servers, of which the name means the first. */
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
