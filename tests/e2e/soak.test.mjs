// Injects a fault every few seconds, in random order, under traffic with streams. Every request must end exactly once:
// with its own response, an error of the proxy or a visible transport error. No request that must not be repeated is
// executed twice, and the proxy's memory and descriptors do not grow. Half of the requests and event streams use HTTP/2 on
// both sides.
//
// Takes a minute and a half. With FULL_SIZE=1 it takes 30 minutes (SOAK_MINUTES=N changes that), with tokens of 60 s
// and a fault every 10 s.

import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RequestLog, Requests, streams } from "./soak_clients.mjs";
import { issueCertificate, writeSecret } from "./stand_ins.mjs";
import { startApi, startRelay, startTokens } from "./soak_servers.mjs";
import { startProxy, temporaryDirectory, until } from "./support.mjs";

const FULL = Boolean(process.env.FULL_SIZE);
const DURATION_MS = FULL ? Number(process.env.SOAK_MINUTES ?? 30) * 60_000 : 80_000;
const [LIFETIME_S, FAULT_EVERY_MS, LONG_OUTAGE_MS] = FULL ? [60, 10_000, 70_000] : [6, 4000, 8000];
const STREAMS = FULL ? 100 : 20; // tunnels, and as many event streams
const EVERY_MS = 20; // between two requests
const MAX_RSS_KIB = 64 * 1024;
const POOL_IDLE_S = 5;

/** By the numbers of tests/survives.md. Each function starts a fault and returns a function that ends it. */
const FAULTS = ({ tokens, relay }) => {
  const endpoint = (mode) => () => ((tokens.state.mode = mode), () => ((tokens.state.mode = "good"), tokens.closeConnections()));
  const path = (fault) => () => ((relay.state.fault = fault), () => ((relay.state.fault = undefined), relay.reset()));
  return {
    "3: token endpoint 503": endpoint("unavailable"),
    "4: token endpoint unreachable": async () => (await tokens.stopListening(), tokens.listenAgain),
    "5: token endpoint 429": endpoint("busy"),
    "7: token endpoint silent": endpoint("silent"),
    "7: token endpoint responds with a web page": endpoint("page"),
    "7: token endpoint slow": endpoint("slow"),
    "9: token revoked": () => (tokens.revokeAll(), () => {}),
    "10: upstream refuses connections": async () => (await relay.stopListening(), relay.listenAgain),
    "10: upstream hangs up": path("hang up"),
    "11: upstream closes its connections": () => (relay.end(), () => {}),
    "12: responses truncated": path("truncate"),
    "13: all connections reset": () => (relay.reset(), () => {}),
    "14: upstream stalls": path("stall"),
    "slow upstream": path("slow"),
  };
};

const config = (relay, tokens, secret, authority) => `listen = "127.0.0.1:0"
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
[network]
ca_file = ${JSON.stringify(authority)}
`;

async function setUp(t) {
  const tokens = await startTokens(LIFETIME_S);
  const certificate = await issueCertificate(t);
  const api = await startApi(tokens, certificate);
  const relay = await startRelay(api.port);
  t.after(() => Promise.all([tokens.close(), api.close(), relay.close()]));
  const directory = await temporaryDirectory(t);
  const [file, secret] = [join(directory, "cupbearer.toml"), join(directory, "secret")];
  writeSecret(secret);
  await writeFile(file, config(relay, tokens, secret, certificate.authority));
  const env = { CUPBEARER_LOG__ACCESS: "none" };
  const proxy = await startProxy(["--config", file], { env });
  t.after(() => proxy.stop());
  return { tokens, api, relay, proxy };
}

const descriptors = async (pid) => (await readdir(`/proc/${pid}/fd`)).length;
const residentKib = async (pid) => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))[1]);
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** Injects one fault after the other, in rounds with a random order. Each ends before the next one starts. */
async function injectFaults(servers, isOver, note) {
  let left = [];
  for (let round = 0; !isOver(); ) {
    if (left.length === 0) {
      left = Object.entries(FAULTS(servers)).sort(() => Math.random() - 0.5);
      round += 1;
    }
    const [name, start] = left.pop();
    note(name);
    const end = await start();
    const isLong = name.startsWith("4:") && round % 4 === 1; // until after the token has expired
    await sleep(isLong ? LONG_OUTAGE_MS : FAULT_EVERY_MS / 2);
    await end();
    await sleep(FAULT_EVERY_MS / 2);
  }
}

test("under a fault every few seconds every request ends once and correctly, and memory and descriptors do not grow", { timeout: DURATION_MS + 240_000 }, async (t) => {
  const servers = await setUp(t);
  const { proxy, api, tokens } = servers;
  const log = new RequestLog();
  const requests = new Requests(proxy.url, log);
  await until(async () => (await requests.one(0)) === "200", "the first answer");
  await sleep(POOL_IDLE_S * 1000 + 1500);
  const baseline = { descriptors: await descriptors(proxy.pid), rss: await residentKib(proxy.pid) };

  const start = Date.now();
  const isOver = () => Date.now() > start + DURATION_MS;
  const faults = new Map();
  const injection = injectFaults(servers, isOver, (name) => faults.set(name, (faults.get(name) ?? 0) + 1));
  const open = streams(proxy.url, log, STREAMS, isOver);
  const rss = [];
  for (let next = start; !isOver(); next += EVERY_MS) {
    await sleep(next - Date.now());
    requests.one();
    if ((next - start) % 1000 === 0) rss.push(await residentKib(proxy.pid));
  }
  await Promise.all([injection, open.ended, ...requests.inFlight]);
  const recovered = await until(async () => (await requests.one(0)) === "200", "a 200 after the last fault", 60_000);
  assert.ok(recovered);
  for (let number = 0; number < 100; number += 1) assert.equal(await requests.one(0), "200", "requests succeed after the last fault");

  const executedTwice = [...log.posts].filter((id) => api.executed.get(id) > 1);
  const neverSent = [...api.executed.keys()].filter((id) => !log.outcomes.has(id));
  const notExecuted = [...log.succeeded].filter((id) => !api.executed.has(id));
  const [early, late] = [rss.slice(rss.length * 0.2, rss.length * 0.3), rss.slice(rss.length * 0.9)].map(mean);
  const say = (what, value) => t.diagnostic(`figure: ${what}: ${value}`);
  say("requests, streams and tunnels sent, and ended", `${log.sent}, ${log.outcomes.size}`);
  say("requests and event streams over HTTP/2 that succeeded", [...log.succeeded].filter((id) => log.overHttp2.has(id)).length);
  say("outcomes", log.summary());
  say("POSTs, and how many were executed twice", `${log.posts.size}, ${executedTwice.length}`);
  say("answered 200 but not executed; executed but not sent; with a wrong response", `${notExecuted.length}; ${neverSent.length}; ${log.wrong.length}`);
  say("requests at the API without a token from the endpoint", api.unauthorized.length);
  say("bodies compared, GB", (log.bytes / 1e9).toFixed(2));
  say("tunnels, complete event streams, streams broken by a fault, messages", Object.values(open.tally).join(", "));
  say("faults", [...faults].sort().map(([name, count]) => `${count} × ${name.replace(":", "")}`).join(", "));
  say("token requests", tokens.state.requests);
  say("resident memory before, after a quarter, at the end, highest, MiB", [baseline.rss, early, late, Math.max(...rss)].map((kib) => (kib / 1024).toFixed(1)).join(", "));

  assert.equal(log.outcomes.size, log.sent, "every request ends");
  assert.deepEqual(log.wrong.slice(0, 5), []);
  assert.deepEqual([executedTwice, neverSent, notExecuted, api.unauthorized].map((list) => list.slice(0, 5)), [[], [], [], []]);
  assert.ok(Math.max(...rss) < MAX_RSS_KIB, `${Math.max(...rss)} KiB`);
  requests.close();
  const last = await until(async () => {
    const now = await descriptors(proxy.pid);
    return now <= baseline.descriptors + 5 && now;
  }, "descriptors have not returned to the baseline", 30_000);
  say("descriptors before and after", `${baseline.descriptors}, ${last}`);
});
