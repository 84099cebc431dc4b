// `cupbearer demo`, used by someone new to it: the printed commands are run as they are.

import assert from "node:assert/strict";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { run, start, temporaryDirectory, until } from "./support.mjs";

/** The lifetime of the demo's tokens; a refresh is due after 70 % of it at the latest. */
const TOKEN_LIFETIME_MS = 60_000;

test("the demo's curl lines: refused without the proxy, answered through it, across two refreshes", async (t) => {
  const demo = await start(["demo"], ({ stdout, stderr }) => {
    const lines = `${stdout}${stderr}`.match(/\bcurl .*\/api\/v1\/\S+(?=\n)/g);
    return lines?.length >= 2 && lines;
  });
  t.after(() => demo.stop());
  const [refused, answered] = demo.found;

  assert.match(await headOf(refused), /^HTTP\/1\.1 401 /, refused);
  const end = Date.now() + 2 * 0.7 * TOKEN_LIFETIME_MS + 5_000;
  do {
    assert.match(await headOf(answered), /^HTTP\/1\.1 200 /, answered);
    await new Promise((resolve) => setTimeout(resolve, 250)); // limits the rate; it does not wait for anything
  } while (Date.now() < end);

  assert.equal(await demo.stop(), 0);
});

test("the directory of a killed demo is removed by the next demo, and that of a running one is not", async (t) => {
  const TMPDIR = await temporaryDirectory(t);
  const begin = async () => {
    const args = ["demo", "--listen", "127.0.0.1:0", "--set", "admin.listen=off"];
    const demo = await start(args, ({ stdout, stderr }) => /^ +(\/\S+)\/cupbearer\.toml$/m.exec(stdout + stderr)?.[1], { env: { TMPDIR } });
    t.after(() => demo.stop());
    return demo;
  };
  const left = async () => (await readdir(TMPDIR)).filter((name) => name.startsWith("cupbearer-demo-")).sort();
  const [killed, running] = [await begin(), await begin()];
  assert.equal(await killed.stop("SIGKILL"), "SIGKILL");
  assert.deepEqual(await left(), [killed, running].map(({ found }) => basename(found)).sort());
  const next = await begin();
  assert.deepEqual(await left(), [running, next].map(({ found }) => basename(found)).sort());
  for (const demo of [running, next]) assert.equal(await demo.stop(), 0);
  assert.deepEqual(await left(), []);
});

test("the demo opens the docs page in a browser, through the proxy, once that listens", async (t) => {
  const directory = await temporaryDirectory(t);
  const opened = join(directory, "opened");
  await writeFile(join(directory, "xdg-open"), `#!/bin/sh\necho "$1" >${opened}.part && mv ${opened}.part ${opened}\n`, { mode: 0o755 });
  const args = ["demo", "--open", "--listen", "127.0.0.1:0", "--set", "admin.listen=off"];
  const env = { PATH: `${directory}:${process.env.PATH}` };
  const demo = await start(args, ({ stdout, stderr }) => /listens on +(http:\S+)/.exec(stdout + stderr), { env });
  t.after(() => demo.stop());
  const url = await until(() => readFile(opened, "utf8").catch(() => false), "no browser was opened");
  assert.equal(url.trim(), `${demo.found[1]}/docs`);
  assert.match(await headOf(`curl --disable --noproxy '*' --include --silent ${url.trim()}`), /^HTTP\/1\.1 200 /);
});

/** Runs `line` in a shell and returns the first line of its output. */
async function headOf(line) {
  const { stdout, stderr } = await run("sh", ["-c", line]);
  return (stdout + stderr).split("\n")[0];
}
