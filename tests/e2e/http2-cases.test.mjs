// What RFC 9113, 7541 and 9218 ask of a server, case by case: of cupbearer, and of nghttpx, so that the cases are
// checked too.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { freePort } from "./nginx.mjs";
import { setUpStandIns } from "./stand_ins.mjs";
import { accepts, run, until } from "./support.mjs";

const NGHTTPX = process.env.NGHTTPX_BIN ?? "/usr/sbin/nghttpx";

function upstream(request, response) {
  const url = new URL(request.url, "http://x");
  if (url.pathname === "/stuck") return;
  if (url.pathname === "/late") return void request.resume().on("end", () => setTimeout(() => response.end("late"), 300));
  if (url.pathname === "/echo") return void request.pipe(response);
  if (url.pathname === "/bytes") return void response.end(Buffer.alloc(Number(url.searchParams.get("count"))));
  request.resume().on("end", () => response.end("ok"));
}

const OTHER_CODE = "the h2 crate has this one code for it; the connection ends as it must";

/** What cupbearer does otherwise than the case says, and why. Each is the h2 crate's doing unless it says more. */
const CUPBEARER = {
  ...all("GOAWAY PROTOCOL_ERROR", OTHER_CODE, [
    // instead of COMPRESSION_ERROR
    "7541 4.2: a larger table than the settings allow",
    "7541 4.2: a change of the table after a field",
    "7541 6.1: index 0",
    "7541 2.3.3: an index beyond both tables",
    "7541 2.3.3: a name whose index is beyond both tables",
    "7541 5.1: an integer that never ends",
    "7541 5.2: a text that is cut off",
    "7541 5.2: padding of a Huffman code with zeros",
    "7541 5.2: padding of a Huffman code that is a byte too long",
    "7541 5.2: the end of a text in Huffman code",
    // instead of FRAME_SIZE_ERROR
    "9113 6.3: PRIORITY of 4 bytes",
    "9113 6.4: RST_STREAM of 3 bytes",
    "9113 6.5: SETTINGS of 5 bytes",
    "9113 6.5: an ACK of SETTINGS that is not empty",
    "9113 6.7: PING of 7 bytes",
    "9113 6.7: PING of 9 bytes",
    "9113 6.8: GOAWAY of 7 bytes",
    "9113 6.9: WINDOW_UPDATE of 3 bytes",
    // instead of FLOW_CONTROL_ERROR
    "9113 6.5.2: INITIAL_WINDOW_SIZE of 2^31",
    // instead of STREAM_CLOSED
    "9113 5.1: DATA after the end of the request",
    "9113 5.1: a head after the end of the request",
    "9113 5.1: a head after RST_STREAM",
    "9113 5.1: a head after the response",
    "9113 8.1: DATA after trailers",
  ]),
  ...all("open", "it does not look at the type of the first frame; nothing depends on it", [
    "9113 3.4: no SETTINGS after the preface",
    "9113 3.4: an ACK instead of SETTINGS",
  ]),
  "9113 8.5: CONNECT without :authority": ["405", "the guard rejects each CONNECT in this way"],
};

/** What nghttpx does otherwise. */
const NGHTTPX_DIFFERS = {
  ...all("200", "nghttp2 ignores frames of streams that it has forgotten", [
    "9113 5.1: DATA after the response",
    "9113 5.1: a head after the response",
  ]),
  "9113 5.1.1: a stream below one that is open": ["open", "nghttp2 takes it for a stream that it has forgotten"],
  "9113 6.9.2: a change of INITIAL_WINDOW_SIZE that takes a window above 2^31-1": ["RST_STREAM FLOW_CONTROL_ERROR", "nghttp2 takes it for an error of that stream"],
  "9113 8.3.1: neither :authority nor host": ["RST_STREAM PROTOCOL_ERROR", "nghttp2 takes it for malformed, which the RFC does not say"],
  ...all("200", "nghttpx leaves the authority to the servers behind it", [
    "9113 8.3.1: host that is not :authority",
    "9113 8.3.1: a user in :authority",
  ]),
  "9113 8: extended CONNECT": ["200", "nghttpx supports it, and says so in its settings"],
};

function all(outcome, why, names) {
  return Object.fromEntries(names.map((name) => [name, [outcome, why]]));
}

test("cupbearer holds each case of the RFCs", { timeout: 120_000 }, async (t) => {
  const { proxy } = await setUpStandIns(t, upstream, { config: '[log]\naccess = "none"\n[limits]\nstreams = 40\n', env: { CUPBEARER_LOG__LEVEL: "info" } });
  await holds(t, new URL(proxy.url).port, CUPBEARER);
  assert.doesNotMatch(proxy.output.stderr, /"target":"h2/, "no client writes to the log");
});

test("nghttpx holds the same cases", { timeout: 120_000 }, async (t) => {
  const behind = createServer(upstream).listen(0, "127.0.0.1");
  await once(behind, "listening");
  t.after(() => (behind.close(), behind.closeAllConnections()));
  const port = await freePort();
  const child = spawn(NGHTTPX, ["--conf=/dev/null", `--backend=127.0.0.1,${behind.address().port}`, `--frontend=127.0.0.1,${port};no-tls`, "--workers=1", "--frontend-http2-max-concurrent-streams=40"], { stdio: "ignore" });
  const exit = once(child, "exit");
  t.after(async () => {
    child.kill(); // SIGTERM, because its worker is a process of its own
    await exit;
  });
  await until(() => child.exitCode !== null || accepts(port), "nghttpx did not listen");
  assert.equal(child.exitCode, null);
  await holds(t, port, NGHTTPX_DIFFERS);
});

/** Runs all cases, and checks that exactly those differ that `different` lists. */
async function holds(t, port, different) {
  const { stdout, stderr } = await run(process.env.E2E_PYTHON, ["http2_cases.py", String(port)]);
  assert.equal(stderr, "");
  const cases = Object.entries(JSON.parse(stdout));
  t.diagnostic(`figure: ${cases.length} cases`);
  assert.ok(cases.length >= 90);
  const differing = Object.fromEntries(cases.filter(([, { expected, outcome }]) => !expected.includes(outcome)).map(([name, { outcome }]) => [name, outcome]));
  const listed = Object.fromEntries(Object.entries(different).map(([name, [outcome]]) => [name, outcome]));
  assert.deepEqual(differing, listed);
}
