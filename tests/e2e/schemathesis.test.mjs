// schemathesis (PyPI) reads the demo's OpenAPI document through the proxy and sends what the document allows and
// forbids. It finds nothing to complain about only if the document describes the API as seen through the proxy.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { run, start, temporaryDirectory } from "./support.mjs";

test("a generator of requests finds no failure through the proxy, and does where the document still asks for a token", async (t) => {
  const removed = await examine(t, []);
  assert.equal(removed.code, 0, removed.stdout + removed.stderr);
  const kept = await examine(t, ["--set", "upstream.openapi_security=keep"]);
  assert.notEqual(kept.code, 0);
  assert.match(kept.stdout, /accepts requests without authentication/);
});

/** Runs schemathesis on a demo of its own, since it changes the data. */
async function examine(t, more) {
  const args = ["demo", "--listen", "127.0.0.1:0", "--set", "admin.listen=off", ...more];
  const demo = await start(args, ({ stdout, stderr }) => /listens on +(http:\S+)/.exec(stdout + stderr));
  t.after(() => demo.stop());
  const program = join(dirname(process.env.E2E_PYTHON), "schemathesis");
  const document = `${demo.found[1]}/api/v1/openapi.json`;
  const options = ["--max-examples", "20", "--seed", "1", "--generation-database", "none", "--no-color"];
  return run(program, ["run", document, ...options], { cwd: await temporaryDirectory(t), limitMs: 300_000 });
}
