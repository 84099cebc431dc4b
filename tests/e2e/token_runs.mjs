#!/usr/bin/env node
// Recorded runs of the token refresh in real time, each of which takes minutes.
//
//   RELEASE=1 tests/long tokens-CASE
//
// The cases are at the end of this file. Needs only node 20: the authorization server and the API are stand-ins in
// this process. Prints a page in Markdown; the exit code is 1 if a claim does not hold.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request as send } from "node:http";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

const CUPBEARER = process.env.CUPBEARER_BIN ?? "target/release/cupbearer";
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** The result of a run: claims, which hold or do not, and additional figures. */
const claims = [];
const figures = [];
const claim = (words, holds, figure) => claims.push({ words, holds, figure });
const figure = (words, value) => figures.push({ words, value });

/** An authorization server whose tokens are valid for `lifetimeS` seconds, and the API that accepts them. */
async function startServers({ lifetimeS, latencyMs = 0 }) {
  const tokens = new Map();
  const tokenRequests = [];
  const calls = [];
  let answer = "token";

  const issue = (request, response) => {
    request.resume();
    const entry = { at: Date.now(), status: answer === "token" ? 200 : 503 };
    tokenRequests.push(entry);
    setTimeout(() => {
      if (entry.status === 503) return void response.writeHead(503).end();
      const token = randomBytes(24).toString("base64url");
      tokens.set(`Bearer ${token}`, Date.now() + lifetimeS * SECOND_MS);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ access_token: token, token_type: "Bearer", expires_in: lifetimeS }));
      entry.granted = Date.now();
    }, latencyMs);
  };
  const serve = (request, response) => {
    const isValid = (tokens.get(request.headers.authorization) ?? 0) > Date.now();
    calls.push({ at: Date.now(), isValid });
    response.writeHead(isValid ? 200 : 401, { "content-length": 2 }).end("{}");
  };
  let endpoint = await listen(issue);
  const api = await listen(serve);
  const port = endpoint.address().port;
  return {
    tokenUrl: `http://127.0.0.1:${port}/token`,
    apiUrl: `http://127.0.0.1:${api.address().port}`,
    tokenRequests,
    calls,
    granted: () => tokenRequests.filter(({ granted }) => granted),
    lifetimeMs: lifetimeS * SECOND_MS,
    answers: (what) => (answer = what),
    /** Closes the token endpoint: connections to it are refused. */
    stopListening: async () => {
      endpoint.close();
      endpoint.closeAllConnections();
      await once(endpoint, "close");
    },
    listenAgain: async () => (endpoint = await listen(issue, port)),
  };
}

async function listen(handler, port = 0) {
  const server = createServer(handler).listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Starts the binary between them. */
async function startProxy({ tokenUrl, apiUrl }) {
  const directory = mkdtempSync(join(tmpdir(), "cupbearer-long-"));
  writeFileSync(join(directory, "secret"), "s3cret", { mode: 0o600 });
  const file = join(directory, "cupbearer.toml");
  writeFileSync(file, `listen = "127.0.0.1:0"
[upstream]
url = "${apiUrl}"
[token]
url = "${tokenUrl}"
client_id = "id"
client_secret = { file = ${JSON.stringify(join(directory, "secret"))} }
[admin]
listen = "127.0.0.1:0"
[log]
access = "none"
`);
  const environment = Object.entries(process.env).filter(([name]) => !/^CUPBEARER_|_proxy$|^RUST_LOG$/i.test(name));
  const child = spawn(CUPBEARER, ["--config", file], { env: Object.fromEntries(environment), stdio: ["ignore", "ignore", "pipe"] });
  process.on("exit", () => {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  let exit;
  child.on("exit", (code, signal) => (exit = code ?? signal));
  const agent = new Agent({ keepAlive: true });
  const find = (name) => new RegExp(`${name}\\s+http://127\\.0\\.0\\.1:(\\d+)`).exec(log)?.[1];
  while (!find("admin")) {
    if (exit !== undefined) throw new Error(`cupbearer exited with ${exit}:\n${log}`);
    await sleep(20);
  }
  const port = Number(find("listens on"));
  const adminPort = Number(find("admin"));
  /** Sends a GET and returns its status, its `Retry-After` and how long it took; status 0 without a response. */
  const ask = (options) => new Promise((resolve) => {
    const at = Date.now();
    const start = performance.now();
    const end = (status, retryAfter) => resolve({ at, status, retryAfter, ms: performance.now() - start });
    send({ host: "127.0.0.1", ...options }, (response) => {
      response.resume().on("end", () => end(response.statusCode, response.headers["retry-after"]));
    }).on("error", () => end(0)).end();
  });
  return {
    alive: () => exit === undefined,
    signal: (name) => child.kill(name),
    get: () => ask({ port, path: "/items", agent }),
    /** Sends a GET to the admin listener over a new connection, as a kubelet does. */
    probe: (path) => ask({ port: adminPort, path, agent: false }),
    /** Runs `cupbearer health --ready` and returns its exit code and its output. */
    health: () => {
      const { status, stdout } = spawnSync(CUPBEARER, ["health", "--ready", "--admin", `127.0.0.1:${adminPort}`], { encoding: "utf8" });
      return { code: status, line: stdout.trim() };
    },
    residentKib: () => Number(execFileSync("ps", ["-o", "rss=", "-p", `${child.pid}`]).toString()),
  };
}

/** Sends a request every `everyMs`, whatever the responses are, until the returned function is called. */
function traffic(proxy, everyMs, ask = proxy.get) {
  const sent = [];
  const timer = setInterval(() => sent.push(ask()), everyMs);
  return async () => {
    clearInterval(timer);
    return Promise.all(sent);
  };
}

const until = async (time) => sleep(Math.max(0, time - Date.now()));
const seconds = (ms) => `${(ms / SECOND_MS).toFixed(1)} s`;
const milliseconds = (ms) => `${ms.toFixed(2)} ms`;
const percentile = (answers, part) => answers.map(({ ms }) => ms).sort((a, b) => a - b)[Math.ceil(answers.length * part) - 1];
/** Counts the statuses, as in `2941 × 200, 1 × no response`. */
function statuses(answers) {
  const counts = new Map();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} × ${status || "no response"}`).join(", ");
}
const gaps = (entries) => entries.slice(1).map(({ at }, index) => at - entries[index].at);

/** Case 1: 200 simultaneous first requests, while the token request takes 2 s. */
async function herd() {
  const servers = await startServers({ lifetimeS: 3600, latencyMs: 2 * SECOND_MS });
  const proxy = await startProxy(servers);
  const answers = await Promise.all(Array.from({ length: 200 }, () => proxy.get()));
  claim("one token request", servers.tokenRequests.length === 1, servers.tokenRequests.length);
  claim("every response is a 200", answers.every(({ status }) => status === 200), statuses(answers));
  claim("the slowest takes at most 2.5 s", percentile(answers, 1) < 2.5 * SECOND_MS, seconds(percentile(answers, 1)));
}

/** Case 2: tokens of 60 s, 100 requests a second, 150 s; for comparison, the same with a token that does not expire. */
async function refresh() {
  const short = await startServers({ lifetimeS: 60, latencyMs: 200 });
  const long = await startServers({ lifetimeS: 36_000, latencyMs: 200 });
  const [a, b] = [await startProxy(short), await startProxy(long)];
  await Promise.all([a.get(), b.get()]);
  const [stopA, stopB] = [traffic(a, 10), traffic(b, 10)];
  await sleep(150 * SECOND_MS);
  const [answers, compared] = [await stopA(), await stopB()];
  const posts = short.tokenRequests.length;
  claim("2 to 5 token requests", posts >= 2 && posts <= 5, posts);
  claim("every response is a 200", answers.every(({ status }) => status === 200), statuses(answers));
  claim("no 401 at the API", short.calls.every(({ isValid }) => isValid), short.calls.length);
  const [p99, p99Compared] = [percentile(answers, 0.99), percentile(compared, 0.99)];
  claim("p99 is at most 1.5 times that of a proxy whose token is never refreshed", p99 <= 1.5 * p99Compared, (p99 / p99Compared).toFixed(2));
  figure("p50, p99, slowest with tokens of 60 s", [0.5, 0.99, 1].map((part) => milliseconds(percentile(answers, part))).join(", "));
  figure("p50, p99, slowest with a token of 10 h", [0.5, 0.99, 1].map((part) => milliseconds(percentile(compared, part))).join(", "));
}

/** Case 3: 503 for 20 s from half of the lifetime of 60 s on; the endpoint recovers before the token expires. */
async function unreachableBeforeExpiry() {
  const servers = await startServers({ lifetimeS: 60 });
  const proxy = await startProxy(servers);
  await proxy.get();
  const stop = traffic(proxy, 20);
  const issued = servers.granted()[0].granted;
  await until(issued + 30 * SECOND_MS);
  servers.answers("503");
  await until(issued + 50 * SECOND_MS);
  servers.answers("token");
  await until(issued + 75 * SECOND_MS);
  const answers = await stop();
  const failed = servers.tokenRequests.filter(({ status }) => status === 503);
  claim("no client sees an error", answers.every(({ status }) => status === 200), statuses(answers));
  claim("3 to 12 attempts", failed.length >= 3 && failed.length <= 12, failed.length);
  const between = gaps(failed);
  claim("every gap is longer than the one before", between.every((gap, index) => index === 0 || gap > between[index - 1]), between.map(seconds).join(", "));
  claim("a new token arrives before the old one expires", servers.granted()[1]?.granted < issued + 58 * SECOND_MS, seconds(servers.granted()[1]?.granted - issued));
}

/** Cases 4 and 45: the endpoint refuses connections until some time after the token has expired. */
async function unreachablePastExpiry({ lifetimeS, outage, everyMs }) {
  const servers = await startServers({ lifetimeS });
  const proxy = await startProxy(servers);
  await proxy.get();
  const resident = proxy.residentKib();
  const expiry = servers.granted()[0].granted + servers.lifetimeMs;
  await servers.stopListening();
  const outageStart = Date.now();
  const stop = traffic(proxy, everyMs);
  const stopLive = traffic(proxy, SECOND_MS, () => proxy.probe("/live"));
  const stopReady = traffic(proxy, SECOND_MS, () => proxy.probe("/ready"));
  await until(outage.since === "expiry" ? expiry + outage.ms : outageStart + outage.ms);
  const answers = await stop();
  const health = proxy.health();
  await sleep(5 * SECOND_MS); // without traffic, so that the recovery does not depend on requests
  await servers.listenAgain();
  const back = Date.now();
  while (servers.granted().length < 2 && Date.now() < back + MINUTE_MS) await sleep(5);
  const recovered = servers.granted()[1]?.granted - back;
  const first = await proxy.get();
  const [live, ready] = [await stopLive(), await stopReady()];

  // A token is no longer sent in the last 2 s of its lifetime.
  const good = answers.filter(({ at }) => at < expiry - 3 * SECOND_MS);
  const late = answers.filter(({ at }) => at >= expiry);
  claim("until the token expires no client sees an error", good.every(({ status }) => status === 200), statuses(good));
  claim("after that every request gets a 503 with Retry-After", late.every(({ status, retryAfter }) => status === 503 && Number(retryAfter) >= 1), statuses(late));
  claim("within 2 s each", late.every(({ ms }) => ms < 2 * SECOND_MS), `slowest ${seconds(percentile(late, 1))}`);
  claim("no request reaches the API without a valid token", servers.calls.every(({ isValid }) => isValid), `${servers.calls.length} requests, all with a valid token`);
  claim("a token arrives within 5 s after the endpoint recovers, without traffic", recovered <= 5 * SECOND_MS, seconds(recovered));
  claim("the next request gets a 200", first.status === 200, milliseconds(first.ms));
  const [readyBefore, readyLate] = [ready.filter(({ at }) => at < expiry - 3 * SECOND_MS), ready.filter(({ at }) => at >= expiry && at < back)];
  claim("/live is 200 throughout", live.every(({ status }) => status === 200), `${statuses(live)}, slowest ${milliseconds(percentile(live, 1))}`);
  claim("/ready is 200 until the token expires", readyBefore.every(({ status }) => status === 200), statuses(readyBefore));
  claim("/ready is 503 from then until the endpoint recovers", readyLate.every(({ status }) => status === 503), statuses(readyLate));
  claim("`cupbearer health --ready` exits with 1 and says why", health.code === 1 && /refused/.test(health.line), health.line);
  claim("the process runs all the time", proxy.alive(), "running");
  figure("duration of the outage", seconds(back - outageStart));
  figure("resident memory before and after", `${resident} KiB, ${proxy.residentKib()} KiB`);
}

/** Case 39: the process is stopped for 90 s, longer than the lifetime of its token (60 s), and continues. */
async function stopped() {
  const servers = await startServers({ lifetimeS: 60, latencyMs: 200 });
  const proxy = await startProxy(servers);
  await proxy.get();
  const before = traffic(proxy, 20);
  await sleep(5 * SECOND_MS);
  await before();
  proxy.signal("SIGSTOP");
  const waiting = Array.from({ length: 20 }, () => proxy.get());
  await sleep(90 * SECOND_MS);
  const asked = servers.tokenRequests.length;
  const woken = Date.now();
  proxy.signal("SIGCONT");
  const first = await proxy.get();
  const after = traffic(proxy, 20);
  const held = await Promise.all(waiting);
  await sleep(60 * SECOND_MS);
  const answers = [first, ...held, ...await after()];
  const requests = servers.tokenRequests.length - asked;
  claim("no request carries an expired token", servers.calls.every(({ isValid }) => isValid), `${servers.calls.length} requests, all with a valid token`);
  claim("no client sees an error", answers.every(({ status }) => status === 200), statuses(answers));
  claim("the first response arrives within the token latency (200 ms) plus 1 s", first.ms <= 1200, milliseconds(first.ms));
  claim("so do the responses to the waiting requests", held.every(({ at, ms }) => at + ms - woken <= 1200), `${held.length}, the last after ${milliseconds(Math.max(...held.map(({ at, ms }) => at + ms - woken)))}`);
  claim("token requests do not loop: 1 to 3 in the next minute", requests >= 1 && requests <= 3, requests);
}

const CASES = {
  herd: ["Simultaneous first requests", "1: 200 requests at once, a token request that takes 2 s", herd],
  refresh: ["Refresh under traffic", "2: tokens of 60 s, 100 requests a second, 150 s", refresh],
  "away-before-expiry": ["The endpoint fails and recovers before the token expires", "3: 503 for 20 s, from 50 % of the lifetime of 60 s on", unreachableBeforeExpiry],
  "away-past-expiry": ["The endpoint is unreachable until after the token expires", "4: refused connections until 60 s after a token of 60 s has expired",
    () => unreachablePastExpiry({ lifetimeS: 60, outage: { since: "expiry", ms: MINUTE_MS }, everyMs: 100 })],
  "long-outage": ["A long outage", "45: refused connections for 40 min, tokens of 300 s",
    () => unreachablePastExpiry({ lifetimeS: 300, outage: { since: "start", ms: 40 * MINUTE_MS }, everyMs: SECOND_MS })],
  stopped: ["A process is stopped and continues", "39: SIGSTOP for 90 s, tokens of 60 s", stopped],
};

const name = process.argv[2];
if (!CASES[name]) {
  console.error(`usage: token_runs.mjs CASE, one of: ${Object.keys(CASES).join(", ")}`);
  process.exit(2);
}
const [title, numbers, body] = CASES[name];
const started = new Date();
await body();
const commit = process.env.CUPBEARER_COMMIT ?? execFileSync("git", ["rev-parse", "--short", "HEAD"]).toString().trim();
console.log(`# ${title}

Case ${numbers}.

| | |
| --- | --- |
| command | \`tests/long tokens-${name}\` |
| commit | ${commit} (${process.env.CUPBEARER_BUILD ?? "release"} build) |
| when | ${started.toISOString().slice(0, 16).replace("T", " ")} UTC, ${seconds(Date.now() - started)} |
| machine | ${cpus().length} × ${cpus()[0].model}, Linux; other work at the same time |

| claim | | measured |
| --- | --- | --- |
${claims.map(({ words, holds, figure }) => `| ${words} | ${holds ? "holds" : "**does not hold**"} | ${figure} |`).join("\n")}
${figures.length ? `\n${figures.map(({ words, value }) => `- ${words}: ${value}`).join("\n")}\n` : ""}`);
process.exit(claims.every(({ holds }) => holds) ? 0 : 1);
