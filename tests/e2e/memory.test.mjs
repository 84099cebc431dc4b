// Bodies stream: with 1 GiB in each direction, peak resident memory stays below 40 MiB. FULL_SIZE=1 makes it 5 GiB.
// Clients that are connected and idle cost little.
//
// The binary is the unoptimised one unless CUPBEARER_BIN names another: the release binary is smaller, so it stays
// below the limit too, and no second build is needed.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { digestOfDownload } from "./api.mjs";
import { run, setUp, until } from "./support.mjs";

const GIB_EACH = process.env.FULL_SIZE ? 5 : 1;
const BYTES = GIB_EACH * 2 ** 30;
const LIMIT_KIB = 40 * 1024;

test(`peak resident memory stays below 40 MiB with ${GIB_EACH} GiB up and ${GIB_EACH} GiB down`, { timeout: 900_000 }, async (t) => {
  const { proxy } = await setUp(t);
  const curl = "curl --disable --noproxy '*' --silent --show-error --fail";
  const limitMs = 400_000;
  const peak = async (when) => {
    const kib = await proxy.peakMemoryKib();
    t.diagnostic(`figure: peak resident memory ${when}, MiB: ${(kib / 1024).toFixed(1)}`);
    return kib;
  };
  const small = await run("sh", ["-c", `${curl} "$0/download?bytes=1"`, proxy.url]);
  assert.equal(small.code, 0, small.stderr);
  await peak("after one small request");

  const up = await run("sh", ["-c", `head -c ${BYTES} /dev/zero | ${curl} --upload-file - "$0/upload"`, proxy.url], { limitMs });
  assert.equal(up.code, 0, up.stderr);
  assert.equal(JSON.parse(up.stdout).bytes, BYTES);
  await peak(`after ${GIB_EACH} GiB up`);

  const down = await run("sh", ["-c", `${curl} "$0/download?bytes=${BYTES}" | sha256sum`, proxy.url], { limitMs });
  assert.equal(down.stdout.split(" ")[0], digestOfDownload(BYTES), down.stderr);

  const last = await peak(`after ${GIB_EACH} GiB down`);
  assert.ok(last < LIMIT_KIB, `peak ${last} KiB, limit ${LIMIT_KIB} KiB`);
});

const IDLE_CLIENTS = 500;
/** Without giving hyper's buffers back, a client costs more than 17 KiB. */
const LIMIT_KIB_EACH = 8;

test(`each of ${IDLE_CLIENTS} idle clients costs less than ${LIMIT_KIB_EACH} KiB, and can go on`, async (t) => {
  const { proxy } = await setUp(t);
  const { hostname, port } = new URL(proxy.url);
  const request = async (client) => {
    client.write(`GET /download?bytes=1 HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
    let response = "";
    while (!/\r\n\r\n[^]$/.test(response)) response += await once(client, "data");
    assert.match(response, /^HTTP\/1\.1 200 /);
  };
  const join = async () => {
    const client = connect(port, hostname);
    t.after(() => client.destroy());
    await request(client);
    return client;
  };
  for (let number = 0; number < 20; number += 1) await join(); // what the first ones cost is not theirs alone
  const before = await proxy.memoryKib();
  const clients = [];
  while (clients.length < IDLE_CLIENTS) clients.push(await join());
  const each = async () => ((await proxy.memoryKib()) - before) / IDLE_CLIENTS;
  const measured = await until(async () => (await each()) < LIMIT_KIB_EACH, "idle clients cost little");
  assert.ok(measured);
  t.diagnostic(`figure: resident memory of an idle client, KiB: ${(await each()).toFixed(1)}`);
  for (const client of clients) await request(client);
});
