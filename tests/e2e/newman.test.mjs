// Postman's engine runs a collection that contains no credentials.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";
import converter from "openapi-to-postmanv2";
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

test("what Postman imports from the document behind the proxy asks for no token, and works", async (t) => {
  const directory = await temporaryDirectory(t);
  const imported = async (more) => {
    const args = ["demo", "--listen", "127.0.0.1:0", "--set", "admin.listen=off", ...more];
    const demo = await start(args, ({ stdout, stderr }) => /listens on +(http:\S+)/.exec(stdout + stderr));
    t.after(() => demo.stop());
    const data = await (await fetch(`${demo.found[1]}/api/v1/openapi.json`)).text();
    const { result, output, reason } = await promisify(converter.convert)({ type: "string", data }, {});
    assert.ok(result, reason);
    return { url: demo.found[1], collection: output[0].data };
  };
  const requestsIn = ({ item, request }) => (item ? item.flatMap(requestsIn) : [request]);
  const authOf = (collection) => [collection, ...requestsIn(collection)].map(({ auth }) => auth).filter(Boolean);

  const { url, collection } = await imported([]);
  assert.deepEqual(authOf(collection), []);
  // Its other requests delete what is not there, or send what the demo has already.
  const readable = requestsIn(collection).filter(({ method }) => method === "GET");
  assert.ok(readable.length >= 2);
  const item = readable.map((request) => ({
    name: request.url.path.join("/"),
    request,
    event: [{ listen: "test", script: { exec: ['pm.test("200", () => pm.response.to.have.status(200));'] } }],
  }));
  const file = join(directory, "imported.json");
  await writeFile(file, JSON.stringify({ ...collection, item }));
  const { code, stdout, assertions } = await newman(url, directory, file);
  assert.equal(code, 0, stdout);
  assert.deepEqual([assertions.total, assertions.failed], [readable.length, 0]);

  const kept = await imported(["--set", "upstream.openapi_security=keep"]);
  assert.equal(authOf(kept.collection)[0].type, "bearer", "the API's own document asks for a token");
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
