// Postman's engine runs a collection that contains no credentials.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { run, setUp } from "./support.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

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

async function newman(baseUrl, directory) {
  const report = join(directory, "newman.json");
  const { code, stdout, stderr } = await run(process.execPath, [
    join(HERE, "node_modules/newman/bin/newman.js"), "run", join(HERE, "collection.postman.json"),
    "--env-var", `baseUrl=${baseUrl}`,
    "--reporters", "cli,json", "--reporter-json-export", report, "--color", "off",
  ]);
  const { assertions } = JSON.parse(await readFile(report, "utf8")).run.stats;
  return { code, stdout: stdout + stderr, assertions };
}
