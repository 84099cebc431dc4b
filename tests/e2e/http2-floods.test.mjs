// Hostile clients of HTTP/2, each with a bystander beside it: memory stays bounded, the attacker's connection or stream
// ends with the right error code, and the bystander is served all the time.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, setUpStandIns } from "./stand_ins.mjs";
import { run, until } from "./support.mjs";

const SECONDS = process.env.FULL_SIZE ? 60 : 4;
const BYSTANDER_MS = 5000; // only a hang reaches this on a busy machine; the figures say how long it took
const CHUNK = Buffer.alloc(65_536);

// The h2 crate says PROTOCOL_ERROR where RFC 9113 says STREAM_CLOSED (headers_after_end) and COMPRESSION_ERROR
// (bad_hpack).

/** `report` is what must have arrived at the attacker; `mib` is how much memory the process may take in addition. */
const ATTACKS = {
  rapid_reset: { report: "GOAWAY ENHANCE_YOUR_CALM", mib: 40 },
  late_reset: { report: "closed", mib: 60 },
  continuation: { report: "GOAWAY ENHANCE_YOUR_CALM", mib: 40 },
  empty_continuation: { report: "GOAWAY ENHANCE_YOUR_CALM", mib: 40 },
  settings: { mib: 40 },
  ping: { mib: 40 },
  read_ping: { mib: 40 },
  pong: { mib: 40 },
  empty_data: { mib: 40 },
  padded_data: { mib: 40 },
  hpack_bomb: { mib: 60 },
  zero_window: { report: "RST_STREAM CANCEL", mib: 120 },
  slow_reader: { mib: 100 },
  stalled_uploads: { mib: 80 },
  window_overflow: { report: "GOAWAY FLOW_CONTROL_ERROR", mib: 40 },
  stream_window_overflow: { report: "RST_STREAM FLOW_CONTROL_ERROR", mib: 60 },
  headers_after_end: { report: "GOAWAY PROTOCOL_ERROR", mib: 60 },
  oversized_frame: { report: "GOAWAY FRAME_SIZE_ERROR", mib: 60 },
  even_stream: { report: "GOAWAY PROTOCOL_ERROR", mib: 40 },
  data_on_idle_stream: { report: "GOAWAY PROTOCOL_ERROR", mib: 40 },
  bad_hpack: { report: "GOAWAY PROTOCOL_ERROR", mib: 40 },
  malformed: { report: "closed", mib: 40 },
  connect_with_content: { report: "closed", mib: 40 },
  too_many_streams: { report: "RST_STREAM REFUSED_STREAM", mib: 80 },
};

function upstream(request, response) {
  const url = new URL(request.url, "http://x");
  if (url.pathname === "/stuck") return;
  if (url.pathname === "/late") return void setTimeout(() => response.end("late"), 200);
  if (url.pathname === "/upload") return void request.resume().on("end", () => response.end("ok"));
  if (url.pathname !== "/download") return void response.end("ok");
  let left = Number(url.searchParams.get("bytes"));
  response.writeHead(200, { "content-length": left });
  const more = () => {
    while (left > 0) {
      const chunk = CHUNK.subarray(0, Math.min(left, CHUNK.length));
      left -= chunk.length;
      if (!response.write(chunk)) return void response.once("drain", more);
    }
    response.end();
  };
  more();
}

for (const [name, { report: expected, mib }] of Object.entries(ATTACKS)) {
  test(`${name} costs at most ${mib} MiB, and a bystander is served`, { timeout: 180_000 }, async (t) => {
    const { proxy } = await setUpStandIns(t, upstream, { config: '[log]\naccess = "none"\n', env: { CUPBEARER_LOG__LEVEL: "info", CUPBEARER_UPSTREAM__STALL_TIMEOUT: "2s", CUPBEARER_LIMITS__IN_FLIGHT: "4096" } });
    await until(async () => (await ask(proxy.url)).status === 200, "the first answer");
    const before = await residentKib(proxy.pid, "VmRSS");
    await writeFile(`/proc/${proxy.pid}/clear_refs`, "5"); // the peak begins anew
    const attacker = run(process.env.E2E_PYTHON, ["http2_hostile.py", name, new URL(proxy.url).port, String(SECONDS)]);
    let attacking = true;
    attacker.finally(() => (attacking = false));
    const agent = new Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    const times = [];
    while (attacking) {
      const began = Date.now();
      const { status } = await ask(proxy.url, { agent });
      times.push(Date.now() - began);
      assert.equal(status, 200);
      await sleep(20);
    }
    const { stdout, stderr } = await attacker;
    assert.equal(stderr, "");
    const report = JSON.parse(stdout);
    const took = (await residentKib(proxy.pid, "VmHWM")) - before;
    times.sort((one, other) => one - other);
    const longest = times.at(-1);
    t.diagnostic(`figure: ${name}: ${JSON.stringify(report)}`);
    t.diagnostic(`figure: ${name}: additional MiB ${(took / 1024).toFixed(1)}; bystander ${times.length} requests, median ${times[times.length >> 1]} ms, longest ${longest} ms`);
    assert.ok(took < mib * 1024, `${took} KiB`);
    assert.ok(longest < BYSTANDER_MS, `${longest} ms`);
    if (expected) assert.ok(Object.keys(report).some((key) => key.endsWith(expected)), `${expected}: ${stdout}`);
    await until(async () => (await ask(proxy.url)).status === 200, "an answer after the attack");
    assert.doesNotMatch(proxy.output.stderr, /"target":"h2/, "no client writes to the log");
  });
}

async function residentKib(pid, field) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)[1]);
}
