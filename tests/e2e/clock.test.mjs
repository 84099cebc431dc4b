// Clocks that jump under the running binary (libfaketime): no request with an expired token, none
// refused, no loop of token requests. The authorization server and the API keep the real time.

import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TOKEN_LIFETIME_S } from "./authorization_server.mjs";
import { setUp, temporaryDirectory } from "./support.mjs";

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
