// Bodies stream: 1 GiB each way leaves the peak of resident memory below 40 MiB.
//
// The binary is the unoptimised one unless CUPBEARER_BIN says otherwise: a bound that it keeps, the
// smaller release binary keeps too, and nobody waits for a second build.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOfDownload } from "./api.mjs";
import { run, setUp } from "./support.mjs";

const GIB = 2 ** 30;
const LIMIT_KIB = 40 * 1024;

test("1 GiB up and 1 GiB down, peak resident memory below 40 MiB", { timeout: 300_000 }, async (t) => {
  const { proxy } = await setUp(t);
  const curl = "curl --disable --noproxy '*' --silent --show-error --fail";

  const up = await run("sh", ["-c", `head -c ${GIB} /dev/zero | ${curl} --upload-file - "$0/upload"`, proxy.url]);
  assert.equal(up.code, 0, up.stderr);
  assert.equal(JSON.parse(up.stdout).bytes, GIB);

  const down = await run("sh", ["-c", `${curl} "$0/download?bytes=${GIB}" | sha256sum`, proxy.url]);
  assert.equal(down.stdout.split(" ")[0], digestOfDownload(GIB), down.stderr);

  const peak = await proxy.peakMemoryKib();
  t.diagnostic(`peak resident memory ${(peak / 1024).toFixed(1)} MiB`);
  assert.ok(peak < LIMIT_KIB, `peak ${peak} KiB, limit ${LIMIT_KIB} KiB`);
});
