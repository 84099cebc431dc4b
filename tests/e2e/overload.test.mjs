// Too much of everything: requests beyond limits.in_flight, connections beyond the open files that the system
// allows, no descriptor left at all.
//
// What there is room for is made known: an upstream that serves AT_ONCE requests at a time, SERVICE_MS each, and
// keeps the others waiting; the proxy lets IN_FLIGHT through, so that a request takes at most LONGEST_MS.
// FULL_SIZE=1 holds each stage for a minute.

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

/** Takes SERVICE_MS for `/`, AT_ONCE at a time; `/?ms=N` takes N for as many as come. */
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

test("80 % of what it can carry: no error; four times as much: the rest is told at once; then normal again", { timeout: 5 * STAGE_MS + 60_000 }, async (t) => {
  const proxy = await setUp(t, { config: `[limits]\nin_flight = ${IN_FLIGHT}` });
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  t.after(() => agent.destroy());
  const say = (what, value) => t.diagnostic(`figure: ${what}: ${value}`);
  const one = () => ask(`${proxy.url}/`, { agent });
  const resident = async () => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${proxy.pid}/status`, "utf8"))[1]);

  await sendAtRate(one, CAPACITY * 0.8, 1000, { evenly: true });
  const rss = [await resident()];
  const calm = await sendAtRate(one, CAPACITY * 0.8, STAGE_MS, { evenly: true });
  rss.push(await resident());
  const crowd = await sendAtRate(one, CAPACITY * 4, STAGE_MS);
  const [served, shed] = [of(crowd, 200), of(crowd, 503)];
  const goodput = served.length / (STAGE_MS / 1000);
  const after = await sendAtRate(one, CAPACITY * 0.8, 4000, { evenly: true });

  say("at 80 % of capacity: requests, errors, p99", `${calm.length}, ${calm.length - of(calm, 200).length}, ${ms(percentile(calm, 0.99))} of which the upstream takes ${SERVICE_MS}`);
  say("resident memory before and after that, MiB", rss.map((kib) => (kib / 1024).toFixed(1)).join(", "));
  say("at 4 times the capacity: requests, served, shed", `${crowd.length}, ${served.length}, ${shed.length}`);
  say("served a second, of what it can carry", `${goodput.toFixed(0)} of ${CAPACITY} (${((100 * goodput) / CAPACITY).toFixed(0)} %)`);
  say("median and p99 of those served", `${ms(percentile(served, 0.5))}, ${ms(percentile(served, 0.99))}, where ${IN_FLIGHT} in flight make ${LONGEST_MS} ms`);
  say("median, p95 and p99 of those shed", [0.5, 0.95, 0.99].map((part) => ms(percentile(shed, part))).join(", "));
  const late = after.filter(({ at, status }) => at > 2000 && status !== 200);
  say("errors later than 2 s after the crowd has gone", late.length);

  assert.equal(calm.length - of(calm, 200).length, 0, "no error at 80 %");
  assert.equal(served.length + shed.length, crowd.length, "each is served or told");
  assert.ok(shed.every(({ reason }) => reason === "saturated"));
  assert.ok(goodput >= 0.8 * CAPACITY, `${goodput} a second`);
  assert.ok(percentile(shed, 0.95) < 100, "at once");
  assert.ok(percentile(served, 0.95) < LONGEST_MS + 100, "nobody waits longer than for those before");
  assert.equal(late.length, 0, "normal again");
});

test("with 256 open files: busy connections beyond the room are told at once, and then all is well", { timeout: 120_000 }, async (t) => {
  const proxy = await setUp(t, { under: ["sh", "-c", 'ulimit -n 256; exec "$0" "$@"'] });
  const slow = Array.from({ length: 300 }, () => ask(`${proxy.url}/?ms=3000`));
  await sleep(1000);
  const share = await cpuShare(proxy.pid, 1000);
  const answers = await Promise.all(slow);
  const counts = [200, 503, 0].map((status) => of(answers, status).length);
  t.diagnostic(`figure: 300 requests of 3 s at once with 256 open files, answered 200, 503 and not at all: ${counts.join(", ")}`);
  t.diagnostic(`figure: share of a core meanwhile: ${(100 * share).toFixed(0)} %`);
  assert.ok(counts[0] >= 60 && counts[2] === 0, `${counts}`);
  assert.ok(of(answers, 503).every(({ reason }) => reason === "saturated"));
  assert.ok(share < 0.5, `${share}`);
  assert.equal((await ask(proxy.url)).status, 200);
});

test("with no descriptor left it waits without burning the processor, and goes on when there are some", { timeout: 60_000 }, async (t) => {
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
  assert.equal(status, 200, "the one that waited is served");
  assert.ok(took < 3000 + 2000, `${took}`);
});
