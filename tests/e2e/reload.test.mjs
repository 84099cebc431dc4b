// The configuration file changes under load, in every way in which files are replaced: a valid configuration is in
// use within 3 s, an invalid one is reported and changes nothing, and no request is lost. Also: several proxies in one
// process.

import assert from "node:assert/strict";
import { once } from "node:events";
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { Agent, request as send } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";
import { startApi } from "./api.mjs";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, run, start, temporaryDirectory, until } from "./support.mjs";

/** How long it may take until a change is in use. */
const RELOAD_LIMIT_MS = 3_000;

const WORKERS = 4;

/** The pause of each worker; all `WORKERS` send about 100 requests a second. */
const BETWEEN_REQUESTS_MS = 1000 / (100 / WORKERS);

const PATH = "/api/v1/certificates";

const READ_ONLY = "[guard]\nread_only = true\n";
const STRICTER = `${READ_ONLY}deny = ["GET /denied"]\n`;

for (const [name, prepare] of Object.entries({ "by a rename": renamed, "in place": inPlace, "by the update of a Kubernetes volume": swapped })) {
  test(`a configuration that is replaced ${name} is in use within 3 s, and no request is lost`, async (t) => {
    const scene = await setUp(t, prepare, READ_ONLY);
    const load = startLoad(t, scene.url);
    const at = Date.now();
    scene.replace(scene.text(STRICTER));
    const after = await timeUntil(at, async () => (await ask(scene.url, "/denied")).reason === "rule_refused");
    await until(async () => (await scene.reloads("applied")) === 1, "the reload is counted");
    assert.deepEqual(await load.stop(), []);
    t.diagnostic(`${load.answered()} requests, 0 lost; in use after ${after} ms`);
  });
}

test("the first half of a file that is written in two steps is never used", async (t) => {
  const scene = await setUp(t, inPlace, READ_ONLY);
  const load = startLoad(t, scene.url);
  const [first, second] = [scene.text(""), STRICTER]; // the first half alone is a valid file without `read_only`
  const posted = [];
  let going = true;
  t.after(() => (going = false));
  const poster = (async () => {
    while (going) posted.push((await ask(scene.url, PATH, "POST")).status);
  })();
  for (let round = 0; round < 4; round += 1) {
    writeFileSync(scene.file, first);
    await pause(300 + 40 * round); // shorter than the 500 ms between two equal reads, and at a different point of each check
    appendFileSync(scene.file, second);
    await pause(1_600);
  }
  assert.equal((await ask(scene.url, "/denied")).reason, "rule_refused");
  going = false;
  await poster;
  assert.deepEqual([...new Set(posted)], [403], `${posted.length} POSTs`);
  assert.deepEqual(await load.stop(), []);
});

test("an invalid, misspelt, deleted or unusable file changes nothing and is reported until it is valid again", async (t) => {
  const scene = await setUp(t, renamed, READ_ONLY);
  const load = startLoad(t, scene.url);
  let refused = 0;
  for (const [change, complaint] of [
    [() => scene.replace(`${scene.text(READ_ONLY)}[guard`), "is not TOML"],
    [() => scene.replace(scene.text("[guard]\nread_onyl = true\nhosts = [\"b\"]\n")), "did you mean guard.read_only?"],
    [() => rmSync(scene.file), "does not exist"],
    [() => scene.replace(scene.text(`${READ_ONLY}[network]\nca_file = "/none"\n`)), "network.ca_file"],
    [() => scene.replace(scene.text(READ_ONLY).replace("client_secret =", "client_secret = { file = '/none' } #")), "token.client_secret"],
    [() => scene.replace(scene.text(READ_ONLY).replace(scene.api.url, scene.url)), "is this proxy itself"],
  ]) {
    const at = Date.now();
    change();
    await timeUntil(at, async () => (await scene.notes()).some((note) => note.includes(complaint)));
    assert.equal((await ask(scene.url, PATH, "POST")).status, 403, "the old configuration is in use");
    assert.equal(await scene.reloads("refused"), (refused += 1));
    assert.match(scene.output.stderr, /ERROR.*configuration rejected|"level":"ERROR".*configuration rejected/);
    scene.replace(scene.text(READ_ONLY));
    await until(async () => (await scene.notes()).length === 0, `the note about ${complaint} is removed`);
  }
  assert.equal(await scene.reloads("applied"), 0);
  assert.deepEqual(await load.stop(), []);
});

test("a new identity is used once it has a token, and its stricter guard before that", async (t) => {
  const scene = await setUp(t, swapped, "");
  const load = startLoad(t, scene.url);
  const clients = () => new Set(scene.api.seen.slice(-20).map(clientOf));
  await until(() => clients().has(CLIENTS.basic.id), "the first requests");

  let at = Date.now();
  scene.replace(scene.text('[guard]\ndeny = ["GET /denied"]\n', { id: "nobody" }));
  const waits = async () => (await scene.notes()).some((note) => note.includes("waits for its first token") && note.includes("invalid_client"));
  t.diagnostic(`a wrong identity is reported after ${await timeUntil(at, waits)} ms`);
  assert.equal((await ask(scene.url, "/denied")).reason, "rule_refused", "new restrictions apply at once");
  const granted = await scene.metric('cupbearer_token_requests_total{outcome="granted"}');
  await until(async () => (await scene.metric('cupbearer_token_requests_total{outcome="granted"}')) > granted, "the old identity refreshes its token");
  assert.deepEqual([...clients()], [CLIENTS.basic.id]);
  assert.equal(await scene.reloads("waiting"), 1);

  at = Date.now();
  scene.replace(scene.text("", { client: "auditor" }));
  const after = await timeUntil(at, async () => (await scene.notes()).length === 0 && (await scene.reloads("applied")) === 1);
  const before = scene.api.seen.length;
  await until(() => scene.api.seen.length > before + 50, "requests with the new identity");
  assert.deepEqual([...new Set(scene.api.seen.slice(before + 10).map(clientOf))], [CLIENTS.auditor.id]);
  assert.notEqual((await ask(scene.url, "/denied")).reason, "rule_refused", "the guard of the replaced file no longer applies");
  assert.ok((await scene.metric('cupbearer_token_requests_total{outcome="granted"}')) > granted, "counters are kept");
  assert.deepEqual(await load.stop(), []);
  t.diagnostic(`${load.answered()} requests, 0 lost; the correct identity is in use after ${after} ms`);
});

test("SIGHUP causes a check at once, and a change that needs a restart is reported until it is undone", async (t) => {
  const scene = await setUp(t, renamed, "");
  const load = startLoad(t, scene.url);
  scene.replace(`name = "other"\n${scene.text("[runtime]\nthreads = 2\n").replace("127.0.0.1:0", "127.0.0.1:1")}`);
  scene.signal("SIGHUP");
  const at = Date.now();
  const note = "changed in the configuration, and needs a restart: listen, name, runtime.threads";
  await until(async () => (await scene.notes()).includes(note), note);
  assert.ok(Date.now() - at < 1_500, `${Date.now() - at} ms`);
  assert.equal(await scene.reloads("restart"), 1);
  scene.replace(scene.text(""));
  await until(async () => (await scene.notes()).length === 0, "the note is removed");
  scene.signal("SIGHUP");
  await pause(1_000);
  assert.equal(await scene.reloads("applied"), 0, "nothing has changed");
  assert.deepEqual(await load.stop(), []);
});

test("two proxies in one process each have their own listener, identity, guard and metrics", async (t) => {
  const [one, two] = [await startServers(t), await startServers(t)];
  const text = (side, name, more = "") => `name = "${name}"\n${side.text(more)}`;
  const process = "[admin]\nlisten = '127.0.0.1:0'\n[log]\nlevel = 'info'\n";
  writeFileSync(one.file, text(one, "one", process));
  writeFileSync(two.file, text(two, "two", READ_ONLY));
  const proxies = await startSeveral(t, [one.file, two.file]);
  const [first, second] = proxies.urls;
  await until(async () => (await ask(proxies.admin, "/ready")).status === 200, "both are ready");

  assert.equal((await ask(first, PATH)).status, 200);
  assert.equal((await ask(second, PATH)).status, 200);
  assert.deepEqual([one.api.seen.length, two.api.seen.length], [1, 1], "each uses its own API, with a token that the API accepts");
  assert.equal((await ask(second, PATH, "POST")).reason, "rule_refused");
  assert.notEqual((await ask(first, PATH, "POST")).status, 403);
  const line = () => proxies.output.stderr.split("\n").find((line) => line.includes('"reason":"rule_refused"'));
  await until(line, "the access line");
  assert.equal(JSON.parse(line()).proxy, "two");

  const load = startLoad(t, first);
  await two.authorizationServer.close();
  await until(async () => (await ask(proxies.admin, "/ready")).text.startsWith("two: not ready: token expired"), "the token of the second proxy expires");
  assert.equal((await ask(second, PATH)).reason, "token_unavailable");
  const metrics = (await ask(proxies.admin, "/metrics")).text;
  assert.match(metrics, /^cupbearer_token_state\{proxy="one",state="(fresh|stale)"\} 1$/m);
  assert.match(metrics, /^cupbearer_token_state\{proxy="two",state="expired"\} 1$/m);
  assert.match(metrics, /^cupbearer_requests_total\{caller="",method="GET",proxy="two",reason="token_unavailable",status_class="5xx"\} 1$/m);

  await disconnectDuringResponse(first);
  assert.ok(!proxies.output.stderr.includes('"level":"DEBUG"'));
  writeFileSync(one.file, text(one, "one", process.replace("info", "debug")));
  await until(async () => {
    await disconnectDuringResponse(first); // logged at level debug
    return proxies.output.stderr.includes('"level":"DEBUG"');
  }, "the log level follows the file");
  writeFileSync(two.file, "broken");
  await until(async () => (await proxies.status()).proxies[1].notes.some((note) => note.includes("is not TOML")), "the note of the second proxy");
  writeFileSync(one.file, text(one, "one", `${process}${STRICTER}`));
  await timeUntil(Date.now(), async () => (await ask(first, "/denied")).reason === "rule_refused");
  assert.deepEqual((await proxies.status()).proxies[0].notes, [], "each file is handled separately");
  assert.deepEqual(await load.stop(), []);
});

test("a proxy that cannot start does not prevent the other one from serving", async (t) => {
  const [one, two] = [await startServers(t), await startServers(t)];
  const other = createServer((connection) => connection.destroy()).listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const taken = other.address().port; // only the start notices that, and no check of the configuration
  writeFileSync(one.file, `name = "one"\n${one.text("[admin]\nlisten = '127.0.0.1:0'\n").replace("127.0.0.1:0", `127.0.0.1:${taken}`)}`);
  writeFileSync(two.file, `name = "two"\n${two.text("")}`);
  const proxies = await startSeveral(t, [one.file, two.file], 1);
  assert.match(proxies.output.stderr, new RegExp(`one: cupbearer cannot start: .*${taken}`));
  await until(async () => (await ask(proxies.urls[0], PATH)).status === 200, "the other proxy serves");
  assert.match((await proxies.status()).proxies[0].notes[0], /^one: cupbearer cannot start/);
});

test("all conflicts between several files are reported at once, each with its file", async (t) => {
  const [one, two] = [await startServers(t), await startServers(t)];
  writeFileSync(one.file, one.text("[log]\nlevel = 'info'\n").replace("127.0.0.1:0", "127.0.0.1:6001"));
  writeFileSync(two.file, two.text("[admin]\nlisten = 'off'\n[token_]\n").replace("127.0.0.1:0", "127.0.0.1:6001"));
  const args = ["check", "--config", one.file, "--config", two.file];
  const { code, stderr } = await run(CUPBEARER, [...args, "--set", "token.scope=x"], {
    env: { CUPBEARER_UPSTREAM__URL: "http://localhost:1", CUPBEARER_DRAIN: "3s" },
  });
  assert.equal(code, 3);
  for (const words of [
    /^configuration: 6 problems$/m,
    /upstream\.url +CUPBEARER_UPSTREAM__URL +is a key of one proxy, but several are configured/,
    /token\.scope +--set +is a key of one proxy/,
    new RegExp(`name +${two.file}: default +"cupbearer" is also used by ${one.file} +choose another name`),
    new RegExp(`listen +${two.file}:1 +"127.0.0.1:6001" is also used by ${one.file}`),
    new RegExp(`admin\\.listen +${two.file}:\\d+ +applies to the whole process, for which ${one.file} sets keys`),
    new RegExp(`token_ +${two.file}:\\d+ +unknown key`),
  ]) {
    assert.match(stderr, words);
  }
});

test("check shows each of several configurations", async (t) => {
  const [one, two] = [await startServers(t), await startServers(t)];
  writeFileSync(one.file, `name = "one"\ndrain = "7s"\n${one.text("")}`);
  writeFileSync(two.file, `name = "two"\n${two.text("")}`);
  const { code, stdout } = await run(CUPBEARER, ["check", "--json", "--config", one.file, "--config", two.file]);
  assert.equal(code, 0);
  const { proxies } = JSON.parse(stdout);
  assert.deepEqual(proxies.map(({ file }) => file), [one.file, two.file]);
  const drains = proxies.map(({ effective }) => effective.find(({ key }) => key === "drain"));
  assert.deepEqual(drains.map(({ value, source }) => [value, source]), Array(2).fill(['"7s"', `${one.file}:2`]));
});

/** A proxy with a replaceable configuration file, and functions that read its admin listener. */
async function setUp(t, prepare, more) {
  const side = await startServers(t);
  const text = (extra, options) => `${side.text(`[admin]\nlisten = '127.0.0.1:0'\n${extra}`, options)}`;
  const { file, replace } = prepare(await temporaryDirectory(t), text(more));
  const { urls, ...proxy } = await startSeveral(t, [file]);
  const metric = async (name) => {
    const line = (await ask(proxy.admin, "/metrics")).text.split("\n").find((line) => line.startsWith(`${name} `));
    return line ? Number(line.split(" ").at(-1)) : 0;
  };
  await until(async () => (await ask(proxy.admin, "/ready")).status === 200, "it is ready");
  return {
    ...side,
    ...proxy,
    url: urls[0],
    file,
    text,
    replace,
    metric,
    notes: async () => (await proxy.status()).proxies[0].notes,
    reloads: (outcome) => metric(`cupbearer_reload_total{outcome="${outcome}"}`),
  };
}

/** An authorization server, an API, and a function that writes the configuration for them. */
async function startServers(t) {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close().catch(() => {}));
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  const text = (more, { client = "basic", id = CLIENTS[client].id } = {}) => {
    const { secret } = CLIENTS[client];
    registerSecret(secret, CLIENTS[client].id);
    writeFileSync(join(directory, client), secret, { mode: 0o600 });
    return [
      `listen = "127.0.0.1:0"`,
      `upstream.url = "${api.url}"`,
      "[token]",
      `url = "${authorizationServer.tokenUrl}"`,
      `client_id = ${JSON.stringify(id)}`,
      `client_secret = { file = ${JSON.stringify(join(directory, client))} }`,
      more,
    ].join("\n");
  };
  return { authorizationServer, api, text, file: join(directory, "cupbearer.toml") };
}

async function startSeveral(t, files, serving = files.length) {
  const args = files.flatMap((file) => ["--config", file]);
  const listeners = /listens on\s+(http:\/\/127\.0\.0\.1:\d+)/g;
  const proxy = await start(args, ({ stderr }) => {
    const urls = [...stderr.matchAll(listeners)].map((match) => match[1]);
    const admin = /admin +(http:\/\/127\.0\.0\.1:\d+)/.exec(stderr) ?? (serving < files.length && ["", undefined]);
    return urls.length === serving && admin && { urls, admin: admin[1] };
  });
  t.after(() => proxy.stop());
  const { urls, admin } = proxy.found;
  const status = async () => JSON.parse((await ask(admin, "/status")).text);
  return { ...proxy, urls, admin, status };
}

function renamed(directory, text) {
  const file = join(directory, "cupbearer.toml");
  writeFileSync(file, text);
  return {
    file,
    replace(next) {
      writeFileSync(`${file}.new`, next);
      renameSync(`${file}.new`, file);
    },
  };
}

function inPlace(directory, text) {
  const file = join(directory, "cupbearer.toml");
  writeFileSync(file, text);
  return { file, replace: (next) => writeFileSync(file, next) };
}

/** The layout that a kubelet creates: a folder for each version, a link `..data` to one of them, and links to its files. */
function swapped(directory, text) {
  let version = 0;
  const write = (content) => {
    const name = `..2026_${(version += 1)}`;
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, "cupbearer.toml"), content);
    symlinkSync(name, join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    if (version > 1) rmSync(join(directory, `..2026_${version - 1}`), { recursive: true });
  };
  write(text);
  symlinkSync("..data/cupbearer.toml", join(directory, "cupbearer.toml"));
  return { file: join(directory, "cupbearer.toml"), replace: write };
}

/** Waits for `condition`, and returns how long it took since `at`, in ms. Fails above the limit. */
async function timeUntil(at, condition) {
  await until(condition, "the change is in use", RELOAD_LIMIT_MS + 2_000);
  const after = Date.now() - at;
  assert.ok(after <= RELOAD_LIMIT_MS, `in use after ${after} ms`);
  return after;
}

/** Keep-alive clients, each with one connection. `stop` returns everything that was not a 200. */
function startLoad(t, url) {
  let going = true;
  t.after(() => (going = false));
  let answered = 0;
  const failures = [];
  const workers = Array.from({ length: WORKERS }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (going) {
      try {
        const { status, reason } = await ask(url, PATH, "GET", agent);
        answered += 1;
        if (status !== 200) failures.push(`${status} ${reason}`);
      } catch (error) {
        failures.push(error.message);
      }
      await pause(BETWEEN_REQUESTS_MS);
    }
    agent.destroy();
  });
  return {
    answered: () => answered,
    async stop() {
      going = false;
      await Promise.all(workers);
      return failures;
    },
  };
}

/** The status and body of the response, and its reason if the proxy generated it. */
function ask(url, path, method = "GET", agent = undefined) {
  return new Promise((resolve, reject) => {
    const request = send(`${url}${path}`, { method, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => (text += piece));
      response.on("error", reject).on("end", () => {
        const isProblem = response.headers["content-type"]?.startsWith("application/problem+json");
        resolve({ status: response.statusCode, text, reason: isProblem ? JSON.parse(text).reason : undefined });
      });
    });
    request.on("error", reject).end();
  });
}

/** Disconnects after the first half of a response. */
function disconnectDuringResponse(url) {
  return new Promise((resolve, reject) => {
    const request = send(`${url}/slow`, { agent: false }, (response) => {
      response.once("data", () => request.destroy());
      response.on("error", () => {}).on("close", resolve);
    });
    request.on("error", reject).end();
  });
}

/** The client whose token a request carried. */
function clientOf({ authorization }) {
  const [, payload] = authorization[0].split(".");
  return JSON.parse(Buffer.from(payload, "base64url")).client_id;
}
