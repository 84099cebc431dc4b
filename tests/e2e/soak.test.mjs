// A fault every few seconds, in turn and at random, under traffic with streams: whatever happens, every request
// ends once, with its own answer, an error of the proxy or a visible break; nothing is carried out twice that must
// not be; and what the proxy holds in memory and descriptors does not grow.
//
// A minute and a half; FULL_SIZE=1 makes it 30 minutes with tokens of 60 s and a fault every 10 s
// (SOAK_MINUTES=N another length).

import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RequestLog, Requests, streams } from "./soak_clients.mjs";
import { writeSecret } from "./stand_ins.mjs";
import { startApi, startRelay, startTokens } from "./soak_servers.mjs";
import { startProxy, temporaryDirectory, until } from "./support.mjs";

const FULL = Boolean(process.env.FULL_SIZE);
const DURATION_MS = FULL ? Number(process.env.SOAK_MINUTES ?? 30) * 60_000 : 80_000;
const [LIFETIME_S, FAULT_EVERY_MS, LONG_OUTAGE_MS] = FULL ? [60, 10_000, 70_000] : [6, 4000, 8000];
const STREAMS = FULL ? 100 : 20; // of each kind
const EVERY_MS = 20; // a request
const MOST_RSS_KIB = 64 * 1024;
const POOL_IDLE_S = 5;

/** By the scorecard's numbers; each begins a fault and returns what ends it, after `ms`. */
const FAULTS = ({ tokens, relay }) => {
  const endpoint = (mode) => () => ((tokens.state.mode = mode), () => ((tokens.state.mode = "good"), tokens.closeConnections()));
  const path = (fault) => () => ((relay.state.fault = fault), () => ((relay.state.fault = undefined), relay.reset()));
  return {
    "3: token endpoint 503": endpoint("unavailable"),
    "4: token endpoint away": async () => (await tokens.stopListening(), tokens.listenAgain),
    "5: token endpoint 429": endpoint("busy"),
    "7: token endpoint silent": endpoint("silent"),
    "7: token endpoint answers with a page": endpoint("page"),
    "7: token endpoint slow": endpoint("slow"),
    "9: token revoked": () => (tokens.revokeAll(), () => {}),
    "10: upstream refuses": async () => (await relay.stopListening(), relay.listenAgain),
    "10: upstream hangs up": path("hang up"),
    "11: upstream ends its connections": () => (relay.end(), () => {}),
    "12: answers cut": path("cut"),
    "13: all connections reset": () => (relay.reset(), () => {}),
    "14: upstream swallows": path("swallow"),
    "a slow upstream": path("slow"),
  };
};

const config = (relay, tokens, secret) => `listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[upstream]
url = "${relay.url}"
connect_timeout = "2s"
head_timeout = "5s"
stall_timeout = "10s"
pool_idle = "${POOL_IDLE_S}s"
[token]
url = "${tokens.url}"
client_id = "id"
client_secret = { file = ${JSON.stringify(secret)} }
wait = "5s"
`;

async function setUp(t) {
  const tokens = await startTokens(LIFETIME_S);
  const api = await startApi(tokens);
  const relay = await startRelay(api.port);
  t.after(() => Promise.all([tokens.close(), api.close(), relay.close()]));
  const directory = await temporaryDirectory(t);
  const [file, secret] = [join(directory, "cupbearer.toml"), join(directory, "secret")];
  writeSecret(secret);
  await writeFile(file, config(relay, tokens, secret));
  const env = { CUPBEARER_LOG__ACCESS: "none" };
  const proxy = await startProxy(["--config", file], { env });
  t.after(() => proxy.stop());
  return { tokens, api, relay, proxy };
}

const descriptors = async (pid) => (await readdir(`/proc/${pid}/fd`)).length;
const residentKib = async (pid) => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))[1]);
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** One fault after the other, in rounds of all of them in another order; each is over before the next. */
async function trouble(world, isOver, note) {
  let left = [];
  for (let round = 0; !isOver(); ) {
    if (left.length === 0) {
      left = Object.entries(FAULTS(world)).sort(() => Math.random() - 0.5);
      round += 1;
    }
    const [name, begin] = left.pop();
    note(name);
    const end = await begin();
    const isLong = name.startsWith("4:") && round % 4 === 1; // past the token's expiry
    await sleep(isLong ? LONG_OUTAGE_MS : FAULT_EVERY_MS / 2);
    await end();
    await sleep(FAULT_EVERY_MS / 2);
  }
}

test("a fault every few seconds: the log stays exact, memory and descriptors do not grow", { timeout: DURATION_MS + 240_000 }, async (t) => {
  const world = await setUp(t);
  const { proxy, api, tokens } = world;
  const log = new RequestLog();
  const requests = new Requests(proxy.url, log);
  await until(async () => (await requests.one(0)) === "200", "the first answer");
  await sleep(POOL_IDLE_S * 1000 + 1500);
  const baseline = { descriptors: await descriptors(proxy.pid), rss: await residentKib(proxy.pid) };

  const start = Date.now();
  const isOver = () => Date.now() > start + DURATION_MS;
  const faults = new Map();
  const troubled = trouble(world, isOver, (name) => faults.set(name, (faults.get(name) ?? 0) + 1));
  const open = streams(proxy.url, log, STREAMS, isOver);
  const rss = [];
  for (let next = start; !isOver(); next += EVERY_MS) {
    await sleep(next - Date.now());
    requests.one();
    if ((next - start) % 1000 === 0) rss.push(await residentKib(proxy.pid));
  }
  await Promise.all([troubled, open.ended, ...requests.inFlight]);
  const healed = await until(async () => (await requests.one(0)) === "200", "an answer after it all", 60_000);
  assert.ok(healed);
  for (let number = 0; number < 100; number += 1) assert.equal(await requests.one(0), "200", "afterwards all is well");

  const twice = [...log.posts].filter((id) => api.executed.get(id) > 1);
  const invented = [...api.executed.keys()].filter((id) => !log.outcomes.has(id));
  const untrue = [...log.succeeded].filter((id) => !api.executed.has(id));
  const [early, late] = [rss.slice(rss.length * 0.2, rss.length * 0.3), rss.slice(rss.length * 0.9)].map(mean);
  const say = (what, value) => t.diagnostic(`figure: ${what}: ${value}`);
  say("requests, streams and tunnels sent, and ended", `${log.sent}, ${log.outcomes.size}`);
  say("how they ended", log.summary());
  say("POSTs, of them carried out twice", `${log.posts.size}, ${twice.length}`);
  say("answered 200 and never carried out; carried out and never sent; with an answer that was not theirs", `${untrue.length}; ${invented.length}; ${log.wrong.length}`);
  say("requests at the API without a token of the endpoint", api.unauthorized.length);
  say("bodies compared, GB", (log.bytes / 1e9).toFixed(2));
  say("tunnels, event streams to their end, broken by a fault, messages", Object.values(open.tally).join(", "));
  say("faults", [...faults].sort().map(([name, count]) => `${count} × ${name.replace(":", "")}`).join(", "));
  say("token requests", tokens.state.requests);
  say("resident memory before, after a quarter, at the end, highest, MiB", [baseline.rss, early, late, Math.max(...rss)].map((kib) => (kib / 1024).toFixed(1)).join(", "));

  assert.equal(log.outcomes.size, log.sent, "each request ends");
  assert.deepEqual(log.wrong.slice(0, 5), []);
  assert.deepEqual([twice, invented, untrue, api.unauthorized].map((list) => list.slice(0, 5)), [[], [], [], []]);
  assert.ok(Math.max(...rss) < MOST_RSS_KIB, `${Math.max(...rss)} KiB`);
  requests.agent.destroy();
  const last = await until(async () => {
    const now = await descriptors(proxy.pid);
    return now <= baseline.descriptors + 5 && now;
  }, "descriptors are not back to where they were", 30_000);
  say("descriptors before and afterwards", `${baseline.descriptors}, ${last}`);
});
