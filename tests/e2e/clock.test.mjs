// Clocks that jump while the binary runs or that differ from the server's (libfaketime), a process that is stopped, and
// very short and very long lifetimes: no request carries an expired token, none is rejected, and token requests do not
// loop. The authorization server and the API use the real time.

import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TOKEN_LIFETIME_S } from "./authorization_server.mjs";
import { CUPBEARER, run, setUp, temporaryDirectory } from "./support.mjs";

const HOURS_S = 2 * 3600;
/** How long requests are sent before and after the jump: several lifetimes. */
const BEFORE_MS = 3_000;
const AFTER_MS = 10_000;

const library = readdirSync("/usr/lib", { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => join("/usr/lib", name, "faketime/libfaketimeMT.so.1"))
  .find(existsSync);

for (const { name, jump, wallOnly } of [
  { name: "no request is rejected when only the wall clock jumps two hours forward, as during a suspend", jump: HOURS_S, wallOnly: true },
  { name: "no request is rejected when only the wall clock jumps two hours back", jump: -HOURS_S, wallOnly: true },
  { name: "no request is rejected when both clocks jump two hours forward", jump: HOURS_S, wallOnly: false },
]) {
  test(name, async (t) => {
    assert.ok(library, "libfaketime is installed: tests/run does that");
    const file = join(await temporaryDirectory(t), "clock");
    writeFileSync(file, "+0");
    const env = { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1" };
    if (wallOnly) env.FAKETIME_DONT_FAKE_MONOTONIC = "1";
    const { authorizationServer, api, proxy } = await setUp(t, { env });
    const started = Date.now();

    await requests(proxy, BEFORE_MS);
    const asked = authorizationServer.tokenRequests.length;
    writeFileSync(file, jump < 0 ? `${jump}` : `+${jump}`);
    const first = Date.now();
    await requests(proxy, 0);
    const waited = Date.now() - first;
    await requests(proxy, AFTER_MS);

    assert.match(proxy.output.stderr, wallOnly ? /wall clock moved/ : /token fresh/);
    assert.ok(api.seen.every(({ status }) => status === 200), "every token that the API received was valid");
    assert.ok(waited < 1_500, `the first answer after the jump took ${waited} ms`);
    const after = authorizationServer.tokenRequests.length - asked;
    // A refresh is due at half of the lifetime at the earliest; one more for the jump, and one that was due anyway.
    const most = AFTER_MS / (0.5 * TOKEN_LIFETIME_S * 1000) + 2;
    assert.ok(after >= 2 && after <= most, `${after} token requests after the jump, at most ${most} expected`);
    t.diagnostic(`${api.seen.length} requests in ${Date.now() - started} ms, ${after} token requests after the jump, first answer ${waited} ms`);
  });
}

test("a process that is stopped for longer than its token's lifetime loses no request and sends no expired token", async (t) => {
  const stoppedMs = 1.5 * TOKEN_LIFETIME_S * 1000;
  // The callers' connections also exceed their idle limit, with a request on them that has not been read yet.
  const { authorizationServer, api, proxy } = await setUp(t, { config: '[limits]\nkeep_alive = "3s"' });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const ask = () => statusOver(agent, proxy);
  await Promise.all(Array.from({ length: 20 }, ask)); // opens as many connections
  await requests(proxy, BEFORE_MS / 2);
  await Promise.all(Array.from({ length: 20 }, ask));

  proxy.signal("SIGSTOP");
  const held = Array.from({ length: 40 }, ask); // half of them on connections that are open already
  await sleep(stoppedMs);
  const asked = authorizationServer.tokenRequests.length;
  const woken = Date.now();
  proxy.signal("SIGCONT");
  await requests(proxy, 0);
  const waited = Date.now() - woken;
  assert.deepEqual(await Promise.all(held), Array(40).fill(200));
  await requests(proxy, AFTER_MS / 2);

  assert.ok(api.seen.every(({ status }) => status === 200), "every token that the API received was valid");
  assert.ok(waited < 1_500, `the first answer took ${waited} ms`);
  const after = authorizationServer.tokenRequests.length - asked;
  const most = AFTER_MS / 2 / (0.5 * TOKEN_LIFETIME_S * 1000) + 2;
  assert.ok(after >= 1 && after <= most, `${after} token requests, at most ${most} expected`);
  t.diagnostic(`stopped for ${stoppedMs} ms: first answer after ${waited} ms, ${api.seen.length} requests, none lost`);
});

for (const offset of [-600, 600]) {
  for (const client of ["basic", "secretJwt", "privateKeyJwt"]) {
    test(`an authorization server whose clock is ahead of the proxy's by ${-offset} s grants tokens to ${client}`, async (t) => {
      assert.ok(library, "libfaketime is installed: tests/run does that");
      const env = { LD_PRELOAD: library, FAKETIME: offset < 0 ? `${offset}` : `+${offset}`, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
      const { authorizationServer, api, proxy } = await setUp(t, { env, ...await registered(t, client) });
      await requests(proxy, 2 * TOKEN_LIFETIME_S * 1000);

      assert.ok(api.seen.every(({ status }) => status === 200), "every token that the API received was valid");
      const statuses = authorizationServer.tokenRequests.map(({ status }) => status);
      const rejected = statuses.filter((status) => status !== 200).length;
      // An assertion issued ten minutes ago has expired. From its rejection the proxy learns the server's time, and
      // uses that from then on. This server accepts an assertion from the future.
      assert.equal(rejected, client === "basic" || offset > 0 ? 0 : 1, `${statuses}`);
      assert.ok(statuses.length >= 3, "the token is refreshed too");
    });
  }
}

for (const { name, lifetimeS, most } of [
  { name: "5 s", lifetimeS: 5, most: AFTER_MS / 2_500 + 1 },
  { name: "ten years", lifetimeS: 10 * 365 * 86_400, most: 1 },
]) {
  test(`with a token lifetime of ${name} no request is rejected and token requests do not loop`, async (t) => {
    const { authorizationServer, api, proxy } = await setUp(t, { server: { lifetimeS } });
    await requests(proxy, AFTER_MS);
    assert.ok(api.seen.every(({ status }) => status === 200), "every token that the API received was valid");
    const asked = authorizationServer.tokenRequests.length;
    assert.ok(asked <= most, `${asked} token requests, at most ${most} expected`);
  });
}

/** What `setUp` needs for this client. */
async function registered(t, client) {
  if (client !== "privateKeyJwt") {
    return { client, config: ({ issuer }) => `audience = ${JSON.stringify(issuer)}` };
  }
  const file = join(await temporaryDirectory(t), "private_key.pem");
  const { stdout } = await run(CUPBEARER, ["keygen", "--out", file]);
  const token = ({ tokenUrl, issuer }) => [
    `url = ${JSON.stringify(tokenUrl)}`,
    `audience = ${JSON.stringify(issuer)}`,
    `private_key = { file = ${JSON.stringify(file)} }`,
  ].join("\n");
  return { client, server: { jwks: JSON.parse(stdout) }, token };
}

/** The status of one GET over a connection of `agent`; 0 without a response. */
function statusOver(agent, proxy) {
  return new Promise((resolve) => {
    get(`${proxy.url}/api/v1/certificates`, { agent }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    }).on("error", () => resolve(0));
  });
}

/** Sends one request after the other for this long, at least one; each must be answered with 200. */
async function requests(proxy, ms) {
  const end = Date.now() + ms;
  do {
    const response = await fetch(`${proxy.url}/api/v1/certificates`);
    await response.arrayBuffer();
    assert.equal(response.status, 200);
    await sleep(5);
  } while (Date.now() < end);
}
