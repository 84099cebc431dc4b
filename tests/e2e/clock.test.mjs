// Clocks that jump under the running binary or differ from the server's (libfaketime), a process that is
// stopped, lives that are very short and very long: no request with an expired token, none refused, no loop
// of token requests. The authorization server and the API keep the real time.

import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TOKEN_LIFETIME_S } from "./authorization_server.mjs";
import { CUPBEARER, run, setUp, temporaryDirectory } from "./support.mjs";

const HOURS_S = 2 * 3600;
/** How long requests go on before the jump, and after it: several lifetimes. */
const BEFORE_MS = 3_000;
const AFTER_MS = 10_000;

const library = readdirSync("/usr/lib", { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => join("/usr/lib", name, "faketime/libfaketimeMT.so.1"))
  .find(existsSync);

for (const { name, jump, wallOnly } of [
  { name: "the wall clock alone goes two hours forward, as over a sleep", jump: HOURS_S, wallOnly: true },
  { name: "the wall clock alone goes two hours back", jump: -HOURS_S, wallOnly: true },
  { name: "both clocks go two hours forward", jump: HOURS_S, wallOnly: false },
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
    assert.ok(api.seen.every(({ status }) => status === 200), "every token that the API saw was good");
    assert.ok(waited < 1_500, `the first answer after the jump took ${waited} ms`);
    const after = authorizationServer.tokenRequests.length - asked;
    // due at half of the lifetime at the earliest, one for the jump, one that was due anyway
    const most = AFTER_MS / (0.5 * TOKEN_LIFETIME_S * 1000) + 2;
    assert.ok(after >= 2 && after <= most, `${after} token requests after the jump, at most ${most} expected`);
    t.diagnostic(`${api.seen.length} requests in ${Date.now() - started} ms, ${after} token requests after the jump, first answer ${waited} ms`);
  });
}

test("a process that is stopped for longer than its token lives loses no request and sends no expired token", async (t) => {
  const stoppedMs = 1.5 * TOKEN_LIFETIME_S * 1000;
  // Callers' connections outlive their limit too, with a request on them that nobody has read yet.
  const { authorizationServer, api, proxy } = await setUp(t, { config: '[limits]\nkeep_alive = "3s"' });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const ask = () => statusOver(agent, proxy);
  await Promise.all(Array.from({ length: 20 }, ask)); // as many connections
  await requests(proxy, BEFORE_MS / 2);
  await Promise.all(Array.from({ length: 20 }, ask));

  proxy.signal("SIGSTOP");
  const held = Array.from({ length: 40 }, ask); // half of them on connections that are there
  await sleep(stoppedMs);
  const asked = authorizationServer.tokenRequests.length;
  const woken = Date.now();
  proxy.signal("SIGCONT");
  await requests(proxy, 0);
  const waited = Date.now() - woken;
  assert.deepEqual(await Promise.all(held), Array(40).fill(200));
  await requests(proxy, AFTER_MS / 2);

  assert.ok(api.seen.every(({ status }) => status === 200), "every token that the API saw was good");
  assert.ok(waited < 1_500, `the first answer took ${waited} ms`);
  const after = authorizationServer.tokenRequests.length - asked;
  const most = AFTER_MS / 2 / (0.5 * TOKEN_LIFETIME_S * 1000) + 2;
  assert.ok(after >= 1 && after <= most, `${after} token requests, at most ${most} expected`);
  t.diagnostic(`stopped for ${stoppedMs} ms: first answer after ${waited} ms, ${api.seen.length} requests, none lost`);
});

for (const offset of [-600, 600]) {
  for (const client of ["basic", "secretJwt", "privateKeyJwt"]) {
    test(`an authorization server whose clock differs by ${-offset} s from ours grants tokens to ${client}`, async (t) => {
      assert.ok(library, "libfaketime is installed: tests/run does that");
      const env = { LD_PRELOAD: library, FAKETIME: offset < 0 ? `${offset}` : `+${offset}`, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
      const { authorizationServer, api, proxy } = await setUp(t, { env, ...await registered(t, client) });
      await requests(proxy, 2 * TOKEN_LIFETIME_S * 1000);

      assert.ok(api.seen.every(({ status }) => status === 200), "every token that the API saw was good");
      const statuses = authorizationServer.tokenRequests.map(({ status }) => status);
      const refused = statuses.filter((status) => status !== 200).length;
      // An assertion of ours from before ten minutes has expired; from its refusal we learn the server's time,
      // and keep to it. One from the future is taken by this server.
      assert.equal(refused, client === "basic" || offset > 0 ? 0 : 1, `${statuses}`);
      assert.ok(statuses.length >= 3, "refreshed too");
    });
  }
}

for (const { name, lifetimeS, most } of [
  { name: "5 s", lifetimeS: 5, most: AFTER_MS / 2_500 + 1 },
  { name: "ten years", lifetimeS: 10 * 365 * 86_400, most: 1 },
]) {
  test(`tokens that live ${name}: no request refused, no loop`, async (t) => {
    const { authorizationServer, api, proxy } = await setUp(t, { server: { lifetimeS } });
    await requests(proxy, AFTER_MS);
    assert.ok(api.seen.every(({ status }) => status === 200), "every token that the API saw was good");
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

/** The status of one GET over a connection of `agent`; 0 without an answer. */
function statusOver(agent, proxy) {
  return new Promise((resolve) => {
    get(`${proxy.url}/api/v1/certificates`, { agent }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    }).on("error", () => resolve(0));
  });
}

/** One request after the other for so long, at least one; each must be answered 200. */
async function requests(proxy, ms) {
  const end = Date.now() + ms;
  do {
    const response = await fetch(`${proxy.url}/api/v1/certificates`);
    await response.arrayBuffer();
    assert.equal(response.status, 200);
    await sleep(5);
  } while (Date.now() < end);
}
