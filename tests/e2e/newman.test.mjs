// Postman's engine runs a collection that contains no credentials.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { run, setUp, start, temporaryDirectory } from "./support.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

/** The root of the repository: this file runs as a copy in target/e2e. */
const ROOT = join(HERE, "../..");

test("a Postman collection without credentials succeeds through the proxy and fails without it", async (t) => {
  const { api, proxy, directory } = await setUp(t);

  const direct = await newman(api.url, directory);
  assert.equal(direct.code, 1);
  assert.ok(api.seen.length > 0 && api.seen.every(({ status }) => status === 401));
  api.seen.length = 0;

  const through = await newman(proxy.url, directory);
  assert.equal(through.code, 0, through.stdout);
  assert.ok(through.assertions.total >= 15, `${through.assertions.total} assertions`);
  assert.equal(through.assertions.failed, 0);
  assert.ok(api.seen.every(({ authorization }) => authorization.length === 1));
});

test("the collection of docs/postman succeeds on the demo, through the proxy", async (t) => {
  const args = ["demo", "--listen", "127.0.0.1:0", "--set", "admin.listen=off"];
  const demo = await start(args, ({ stdout, stderr }) => /listens on +(http:\S+)/.exec(stdout + stderr));
  t.after(() => demo.stop());
  const directory = await temporaryDirectory(t);
  const collection = join(ROOT, "docs/postman/cupbearer-demo.postman_collection.json");
  const { code, stdout, assertions } = await newman(demo.found[1], directory, collection);
  assert.equal(code, 0, stdout);
  assert.ok(assertions.total >= 6 && assertions.failed === 0, stdout);
});

async function newman(baseUrl, directory, collection = join(HERE, "collection.postman.json")) {
  const report = join(directory, "newman.json");
  const { code, stdout, stderr } = await run(process.execPath, [
    join(HERE, "node_modules/newman/bin/newman.js"), "run", collection,
    "--env-var", `baseUrl=${baseUrl}`,
    "--reporters", "cli,json", "--reporter-json-export", report, "--color", "off",
  ]);
  const { assertions } = JSON.parse(await readFile(report, "utf8")).run.stats;
  return { code, stdout: stdout + stderr, assertions };
}
