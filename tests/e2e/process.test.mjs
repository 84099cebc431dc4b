// The process: its configuration file, its exit codes, and how it stops.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CLIENTS } from "./authorization_server.mjs";
import { CUPBEARER, curl, run, setUp, temporaryDirectory, until } from "./support.mjs";

test("after SIGTERM, a request in flight is completed before the process exits with 0", async (t) => {
  const { api, proxy } = await setUp(t);
  const answer = curl("--fail", `${proxy.url}/slow`);
  await until(() => api.seen.length === 1, "the request did not arrive");
  assert.equal(await proxy.stop(), 0);
  const { code, stdout } = await answer;
  assert.equal(code, 0);
  assert.equal(stdout, "first second");
});

test("check prints the effective configuration without the secret", async (t) => {
  const { api, file } = await setUp(t);
  const { code, stdout, stderr } = await run(CUPBEARER, ["check", "--config", file]);
  assert.equal(code, 0, stderr);
  assert.ok(stdout.includes(api.url));
  assert.ok(stdout.includes("(set)"));
  assert.ok(!`${stdout}${stderr}`.includes(CLIENTS.basic.secret));
});

test("all mistakes of a configuration are reported at once, with exit code 3", async (t) => {
  const file = join(await temporaryDirectory(t), "cupbearer.toml");
  await writeFile(file, '[upstream]\nurl = "api.example.com"\nhead_timout = "30s"\n');
  const { code, stderr } = await run(CUPBEARER, ["--config", file]);
  assert.equal(code, 3, stderr);
  for (const part of ["upstream.url", "https://api.example.com", "head_timout", "head_timeout", "token.client_id"]) {
    assert.ok(stderr.includes(part), `${part} is missing in:\n${stderr}`);
  }
});

test("an unknown option exits with 2", async () => {
  assert.equal((await run(CUPBEARER, ["--no-such-option"])).code, 2);
});
