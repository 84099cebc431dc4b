// `cupbearer learn` turns the requests of a program into the rules of a caller. The programs are curl and newman; the
// APIs are that of the demo, which has an OpenAPI document, and that of these tests, which has none.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { appendFile, readFile, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { CUPBEARER, curl, run, setUp, start, startProxy, statusOf, temporaryDirectory, until } from "./support.mjs";

const NEWMAN = new URL("node_modules/newman/bin/newman.js", import.meta.url).pathname;
const COLLECTION = new URL("collection.postman.json", import.meta.url).pathname;

/** A shell command that sends one request and prints its status. */
const ask = (path, ...more) =>
  ["curl --disable --noproxy '*' -s -o /dev/null -w '%{http_code}\\n' -u x:$CUPBEARER_KEY", ...more, `"$CUPBEARER_URL${path}"`].join(" ");

test("curl: the printed rules allow the same commands and nothing else, and --check reports further requests", async (t) => {
  const demo = await startDemo(t);
  const directory = await temporaryDirectory(t);
  const command = [
    ask("/api/v1/certificates"),
    ask("/api/v1/certificates?limit=1", "--head"),
    ask("/api/v1/hostnames/one.example", "-X DELETE"),
    ask("/api/v1/hostnames/tw%6f.example", "-X DELETE"),
  ].join("; ");

  const learnt = await learn(directory, demo.file, ["--name", "ci"], command);
  assert.equal(learnt.code, 0, learnt.stderr);
  const statuses = /^(?:\d{3}\n){4}/.exec(learnt.stdout)[0];
  const block = learnt.stdout.slice(statuses.length);
  assert.match(block, /^# Learned from one run of sh: 4 requests; paths grouped by the templates in \/api\/v1\/openapi\.json\.$/m);
  assert.deepEqual(allowed(block), ["GET /api/v1/certificates", "DELETE /api/v1/hostnames/*"]);

  const proxy = await withBlock(t, demo.file, directory, block);
  const environment = { CUPBEARER_URL: proxy.url, CUPBEARER_KEY: proxy.key };
  assert.equal((await run("sh", ["-c", command], { env: environment })).stdout, statuses, "the same command, with the block");
  for (const [path, ...more] of [
    ["/api/v1/hostnames"],
    ["/api/v1/certificates/a", "--request", "DELETE"],
    ["/api/v1/certificates", "--request", "POST", "--data", "{}"],
    ["/api/v1/hostnames/one.example/more", "--request", "DELETE"],
    ["/API/v1/certificates"],
  ]) {
    const { stdout } = await curl("--user", `x:${proxy.key}`, ...more, `${proxy.url}${path}`);
    assert.equal(JSON.parse(stdout).reason, "rule_refused", path);
  }

  const same = await learn(directory, proxy.file, ["--check", "ci"], command);
  assert.equal(same.code, 0, same.stdout + same.stderr);
  assert.match(same.stdout, /^guard\.callers\.ci allows all requests of this run$/m);
  assert.doesNotMatch(same.stdout, /not used/);

  const wider = await learn(directory, proxy.file, ["--check", "ci"], `${ask("/api/v1/certificates")}; ${ask("/api/v1/hostnames")}`);
  assert.equal(wider.code, 1);
  assert.match(wider.stdout, /^refused by guard\.callers\.ci:\n  GET \/api\/v1\/hostnames$/m);
  assert.match(wider.stdout, /^allowed, but not used in this run:\n  DELETE \/api\/v1\/hostnames\/\*$/m);
});

test("newman: the rules learned from a collection allow the collection", async (t) => {
  const { file, directory } = await setUp(t);
  const collection = ["-c", `exec "$0" "$1" run "$2" --color off --env-var baseUrl="$(echo $CUPBEARER_URL | sed "s,//,//x:$CUPBEARER_KEY@,")"`, process.execPath, NEWMAN, COLLECTION];
  const output = join(directory, "newman.toml");

  const learnt = await run(CUPBEARER, ["learn", "--config", file, "--name", "postman", "--output", output, "--", "sh", ...collection], { cwd: directory });
  assert.equal(learnt.code, 0, learnt.stdout + learnt.stderr);
  const block = await readFile(output, "utf8");
  assert.match(block, /each path as requested, because no OpenAPI document was found/);
  assert.ok(allowed(block).includes("GET /api/v1/certificates"), block);
  const again = await run(CUPBEARER, ["learn", "--config", file, "--output", output, "--", "true"]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /exists and is not overwritten/);

  const proxy = await withBlock(t, file, directory, block);
  const env = { CUPBEARER_URL: proxy.url, CUPBEARER_KEY: proxy.key };
  const passed = await run("sh", collection, { env });
  assert.equal(passed.code, 0, passed.stdout);
  assert.equal(await statusOf("--user", `x:${proxy.key}`, `${proxy.url}/slow`), 403);
});

test("--output is tried before the run, and the rules are printed if they cannot be written after it", async (t) => {
  const { file, directory, api } = await setUp(t);
  const before = api.seen.length;
  const missing = await learn(directory, file, ["--output", join(directory, "missing", "ci.toml")], ask("/echo"));
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /cannot be written: .*the program has not been run/);
  assert.equal(api.seen.length, before, "the program has been run");

  // The program takes the name.
  const output = join(directory, "ci.toml");
  const taken = await learn(directory, file, ["--name", "ci", "--output", output], `${ask("/echo")}; echo mine >${output}`);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /cannot be written: .*the rules have been printed/);
  assert.deepEqual(allowed(taken.stdout), ["GET /echo"]);
  assert.equal(await readFile(output, "utf8"), "mine\n");
  assert.deepEqual((await readdir(directory)).filter((name) => name.startsWith(".cupbearer-")), []);

  const openapi = await learn(directory, file, ["--openapi", join(directory, "none.json")], ask("/echo"));
  assert.equal(openapi.code, 1);
  assert.match(openapi.stderr, /there is no file .*none\.json, and as a path of the API it /);
});

test("the program gets an address and a key but no secret, and learn exits with its exit code", async (t) => {
  const { file, directory, api } = await setUp(t);
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(/client_secret = .*/, 'client_secret = { env = "THE_SECRET" }'));
  const secret = await readFile(join(directory, "client_secret"), "utf8");
  const env = { THE_SECRET: secret.trimEnd(), CUPBEARER_NAME: "mine" };

  const { code, stdout, stderr } = await run(
    CUPBEARER,
    ["learn", "--config", file, "--", "sh", "-c", `env; ${ask("/echo")}; exit 7`],
    { env },
  );
  assert.equal(code, 7, stderr);
  const ours = stdout.match(/^(?:CUPBEARER_|THE_SECRET)\w*(?==)/gm);
  assert.deepEqual(ours.sort(), ["CUPBEARER_KEY", "CUPBEARER_URL"]);
  assert.ok(!stdout.includes(env.THE_SECRET));
  assert.match(stdout, /^# Warning: the program failed \(exit status: 7\)/m);
  const key = /^CUPBEARER_KEY=(cbk_\w{36})$/m.exec(stdout)[1];
  assert.ok(!stdout.replace(`CUPBEARER_KEY=${key}`, "").includes(key) && !stderr.includes(key), "the run's key was printed");
  assert.ok(api.seen.some(({ url, status }) => url === "/echo" && status === 200));

  const silent = await run(CUPBEARER, ["learn", "--config", file, "--", "true"], { env });
  assert.equal(silent.code, 1);
  assert.match(silent.stderr, /no request with the key arrived/);
  assert.equal(silent.stdout, "");
});

test("a signal is passed to the program, and the requests that it has sent are learned", async (t) => {
  const { file } = await setUp(t);
  const program = `trap 'echo got TERM; exit 9' TERM; ${ask("/echo")}; echo ready; while :; do sleep 0.05; done`;
  const learning = await start(["learn", "--config", file, "--name", "ci", "--", "sh", "-c", program], ({ stdout }) => /^ready$/m.test(stdout));
  assert.equal(await learning.stop("SIGTERM"), 9);
  await until(() => learning.output.stdout.includes("]\n"), "there is no block");
  assert.match(learning.output.stdout, /^200\nready\ngot TERM\n# Learned/);
  assert.deepEqual(allowed(learning.output.stdout), ["GET /echo"]);
});

test("after the end of the program, a signal ends the search for the document and requests still in flight", async (t) => {
  const { file, directory } = await setUp(t);
  // The usual API of these tests responds to every request, but this one must not.
  const asked = [];
  const hanging = createServer((request, response) => {
    asked.push(request.url);
    if (request.url === "/fine") response.end();
  });
  hanging.listen(0, "127.0.0.1");
  await once(hanging, "listening");
  t.after(() => hanging.close() && hanging.closeAllConnections());
  const upstream = `http://127.0.0.1:${hanging.address().port}`;
  const args = ["learn", "--config", file, "--upstream", upstream, "--set", "drain=5m", "--name", "ci"];

  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]]) {
    asked.length = 0;
    const learning = await start([...args, "--", "sh", "-c", ask("/fine")], () => asked.some((url) => url.endsWith("/openapi.json")));
    await endsBy(learning, signal, code);
    await until(() => learning.output.stdout.includes("]\n"), "there is no block");
    assert.match(learning.output.stdout, /^# Warning: a signal ended the search/m);
    assert.deepEqual(allowed(learning.output.stdout), ["GET /fine"]);
  }

  // A request that the program has left in flight delays the end.
  const document = join(directory, "openapi.json");
  await writeFile(document, JSON.stringify({ openapi: "3.1.0", paths: { "/fine": { get: {} } } }));
  const program = `${ask("/hangs")} & ${ask("/fine")}; echo "I am $$"; read line <"$1"`;
  const gate = join(directory, "gate");
  assert.equal((await run("mkfifo", [gate])).code, 0);
  const left = await start([...args, "--openapi", document, "--", "sh", "-c", program, "sh", gate], () => asked.includes("/hangs"));
  const pid = await until(() => /^I am (\d+)$/m.exec(left.output.stdout)?.[1], "the program said nothing");
  await writeFile(gate, "\n");
  await until(() => !existsSync(`/proc/${pid}`), "the program goes on");
  await endsBy(left, "SIGTERM", 143);
});

/** Checks the exit code after a signal, and that the process exits soon. */
async function endsBy(learning, signal, code) {
  const started = Date.now();
  const late = setTimeout(() => learning.signal("SIGKILL"), 20_000);
  assert.equal(await learning.stop(signal), code, learning.output.stderr);
  clearTimeout(late);
  assert.ok(Date.now() - started < 5_000, `${Date.now() - started} ms`);
}

test("the rules of [guard] apply in the run, and what they refuse is listed", async (t) => {
  const { file, directory } = await setUp(t, { config: '[guard]\ndeny = ["* /echo"]' });
  const { code, stdout, stderr } = await learn(directory, file, ["--name", "ci"], `${ask("/echo")}; ${ask("/api/v1/certificates")}; ${ask("/a%2fb")}`);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^403\n200\n403\n/);
  assert.deepEqual(allowed(stdout), ["GET /api/v1/certificates"]);
  assert.match(stdout, /^# Rejected in this run.*:\n#   GET \/a%2fb\n#   GET \/echo$/m);
});

/** The demo, and a copy of its configuration with another listener. */
async function startDemo(t) {
  const directory = await temporaryDirectory(t);
  const demo = await start(["demo", "--listen", "127.0.0.1:0", "--set", "admin.listen=off"], ({ stderr }) => /token {8}valid until/.test(stderr), {
    env: { TMPDIR: directory },
  });
  t.after(() => demo.stop());
  const [own] = (await readdir(directory)).filter((name) => name.startsWith("cupbearer-demo-"));
  const file = join(directory, "own.toml");
  await writeFile(file, `listen = "127.0.0.1:0"\n${await readFile(join(directory, own, "cupbearer.toml"), "utf8")}`);
  return { file };
}

/** Runs a shell's command line under `cupbearer learn`. */
function learn(cwd, file, args, command) {
  return run(CUPBEARER, ["learn", "--config", file, ...args, "--", "sh", "-c", command], { cwd });
}

/** The rules of `allow` in the output. */
function allowed(block) {
  const lines = /^allow = \[\n([^\]]*)^\]$/m.exec(block)[1];
  return [...lines.matchAll(/^ {2}["'](.*)["'],/gm)].map(([, rule]) => rule);
}

/** A proxy with the learned rules in its configuration, and the key created as the output says. */
async function withBlock(t, file, directory, block) {
  const [, name, keyFile] = /keygen --caller (\S+) --out (\S+)$/m.exec(block);
  const made = await run(CUPBEARER, ["keygen", "--caller", name, "--out", keyFile], { cwd: directory });
  assert.equal(made.code, 0, made.stderr);
  const own = join(directory, "with-block.toml");
  await writeFile(own, await readFile(file, "utf8"));
  await appendFile(own, `\n${block}`);
  const proxy = await startProxy(["--config", own]);
  t.after(() => proxy.stop());
  return { url: proxy.url, key: (await readFile(keyFile, "utf8")).trimEnd(), file: own };
}
