// Overload: more requests than limits.in_flight, more connections than the system allows open files, and no
// descriptor left at all.
//
// The capacity is known: the upstream serves AT_ONCE requests at a time, SERVICE_MS each, and queues the others; the
// proxy lets IN_FLIGHT requests through, so a request takes at most LONGEST_MS. With FULL_SIZE=1 each stage lasts a
// minute.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { Agent } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, sendAtRate, setUpStandIns } from "./stand_ins.mjs";
import { until } from "./support.mjs";

const AT_ONCE = 20;
const SERVICE_MS = 100;
const IN_FLIGHT = 4 * AT_ONCE;
const CAPACITY = (AT_ONCE * 1000) / SERVICE_MS; // requests a second
const LONGEST_MS = (IN_FLIGHT * 1000) / CAPACITY;
const STAGE_MS = process.env.FULL_SIZE ? 60_000 : 5000;

/** `/` takes SERVICE_MS, AT_ONCE at a time; `/?ms=N` takes N milliseconds, without a limit. */
function upstream() {
  const waiting = [];
  let busy = 0;
  const end = (response) => response.writeHead(200, { "content-length": 2 }).end("ok");
  const next = () => {
    while (busy < AT_ONCE && waiting.length > 0) {
      const response = waiting.shift();
      busy += 1;
      setTimeout(() => (end(response), (busy -= 1), next()), SERVICE_MS);
    }
  };
  return (request, response) => {
    request.resume();
    const ms = new URL(request.url, "http://x").searchParams.get("ms");
    if (ms !== null) return void setTimeout(end, Number(ms), response);
    waiting.push(response);
    next();
  };
}

async function setUp(t, options) {
  const { proxy } = await setUpStandIns(t, upstream(), options);
  await until(async () => (await ask(`${proxy.url}/?ms=0`)).status === 200, "the first answer");
  return proxy;
}

const of = (answers, status) => answers.filter((answer) => answer.status === status);
const percentile = (answers, part) => answers.map(({ ms }) => ms).sort((a, b) => a - b)[Math.ceil(answers.length * part) - 1];
const ms = (number) => `${number.toFixed(0)} ms`;
const ticksOf = async (pid) => (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1].split(" ").slice(11, 13).map(Number).reduce((a, b) => a + b);
const TICKS_A_SECOND = Number(execFileSync("getconf", ["CLK_TCK"]));

/** The share of one core that the process uses during `forMs`. */
async function cpuShare(pid, forMs) {
  const before = await ticksOf(pid);
  await sleep(forMs);
  return ((await ticksOf(pid)) - before) / TICKS_A_SECOND / (forMs / 1000);
}

test("80 % of the capacity causes no error; at four times the capacity the excess is rejected at once; afterwards all requests succeed again", { timeout: 5 * STAGE_MS + 60_000 }, async (t) => {
  const proxy = await setUp(t, { config: `[limits]\nin_flight = ${IN_FLIGHT}` });
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  t.after(() => agent.destroy());
  const say = (what, value) => t.diagnostic(`figure: ${what}: ${value}`);
  const one = () => ask(`${proxy.url}/`, { agent });
  const resident = async () => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${proxy.pid}/status`, "utf8"))[1]);

  await sendAtRate(one, CAPACITY * 0.8, 1000, { evenly: true });
  const rss = [await resident()];
  const below = await sendAtRate(one, CAPACITY * 0.8, STAGE_MS, { evenly: true });
  rss.push(await resident());
  const above = await sendAtRate(one, CAPACITY * 4, STAGE_MS);
  const [served, rejected] = [of(above, 200), of(above, 503)];
  const goodput = served.length / (STAGE_MS / 1000);
  const after = await sendAtRate(one, CAPACITY * 0.8, 4000, { evenly: true });

  say("at 80 % of capacity: requests, errors, p99", `${below.length}, ${below.length - of(below, 200).length}, ${ms(percentile(below, 0.99))} of which the upstream takes ${SERVICE_MS}`);
  say("resident memory before and after that, MiB", rss.map((kib) => (kib / 1024).toFixed(1)).join(", "));
  say("at 4 times the capacity: requests, served, rejected", `${above.length}, ${served.length}, ${rejected.length}`);
  say("served per second, of the capacity", `${goodput.toFixed(0)} of ${CAPACITY} (${((100 * goodput) / CAPACITY).toFixed(0)} %)`);
  say("median and p99 of those served", `${ms(percentile(served, 0.5))}, ${ms(percentile(served, 0.99))}, where ${IN_FLIGHT} in flight take up to ${LONGEST_MS} ms`);
  say("median, p95 and p99 of those rejected", [0.5, 0.95, 0.99].map((part) => ms(percentile(rejected, part))).join(", "));
  const late = after.filter(({ at, status }) => at > 2000 && status !== 200);
  say("errors later than 2 s after the overload", late.length);

  assert.equal(below.length - of(below, 200).length, 0, "no error at 80 %");
  assert.equal(served.length + rejected.length, above.length, "each is served or rejected");
  assert.ok(rejected.every(({ reason }) => reason === "saturated"));
  assert.ok(goodput >= 0.8 * CAPACITY, `${goodput} a second`);
  assert.ok(percentile(rejected, 0.95) < 100, "rejected at once");
  assert.ok(percentile(served, 0.95) < LONGEST_MS + 100, "no request waits longer than for those before it");
  assert.equal(late.length, 0, "no error after the overload");
});

test("with 256 open files, connections beyond the limit get a 503, and later requests succeed", { timeout: 120_000 }, async (t) => {
  const proxy = await setUp(t, { under: ["sh", "-c", 'ulimit -n 256; exec "$0" "$@"'] });
  const slow = Array.from({ length: 300 }, () => ask(`${proxy.url}/?ms=3000`));
  await sleep(1000);
  const share = await cpuShare(proxy.pid, 1000);
  const answers = await Promise.all(slow);
  const counts = [200, 503, 0].map((status) => of(answers, status).length);
  t.diagnostic(`figure: 300 requests of 3 s at once with 256 open files, answered with 200, with 503, and not at all: ${counts.join(", ")}`);
  t.diagnostic(`figure: share of a core during that: ${(100 * share).toFixed(0)} %`);
  assert.ok(counts[0] >= 60 && counts[2] === 0, `${counts}`);
  assert.ok(of(answers, 503).every(({ reason }) => reason === "saturated"));
  assert.ok(share < 0.5, `${share}`);
  assert.equal((await ask(proxy.url)).status, 200);
});

test("without a free descriptor it waits without using the processor, and continues when there are descriptors again", { timeout: 60_000 }, async (t) => {
  const proxy = await setUp(t);
  const limit = (files) => execFileSync("prlimit", ["--pid", String(proxy.pid), `--nofile=${files}:`]);
  limit(8); // fewer than it has
  const waiting = Array.from({ length: 20 }, () => connect(Number(new URL(proxy.url).port), "127.0.0.1"));
  t.after(() => waiting.forEach((socket) => socket.destroy()));
  await Promise.all(waiting.map((socket) => once(socket, "connect")));
  const held = ask(`${proxy.url}/?ms=0`);
  const share = await cpuShare(proxy.pid, 3000);
  t.diagnostic(`figure: share of a core while no connection can be accepted: ${(100 * share).toFixed(0)} %`);
  assert.ok(share < 0.5, `${share}`);
  limit(1024);
  const { status, ms: took } = await held;
  assert.equal(status, 200, "the waiting request is served");
  assert.ok(took < 3000 + 2000, `${took}`);
});
