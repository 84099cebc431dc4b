// What gRPC's own client makes of the responses that cupbearer generates: a status code and a message, not an error of
// HTTP.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "./nginx.mjs";
import { registerSecret } from "./printed.mjs";
import { ask, configurationFor, setUpStandIns, writeSecret } from "./stand_ins.mjs";
import { curl, run, startProxy, temporaryDirectory, until } from "./support.mjs";

const METHOD = "/shop.Orders/Place";

test("the guard's rejections are UNAUTHENTICATED and PERMISSION_DENIED, and are logged and counted with their own status", async (t) => {
  const directory = await temporaryDirectory(t);
  const [key, file] = [randomBytes(24).toString("base64url"), join(directory, "key")];
  registerSecret(key, "ci");
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  const config = `[guard]\ndeny = ["* /shop.Orders/**"]\n[guard.callers.ci]\nkey = { file = ${JSON.stringify(file)} }\n`;
  const { proxy } = await setUpStandIns(t, (request, response) => response.end(), { config });
  const cases = [
    [[], "UNAUTHENTICATED", 401, "caller_unknown", /key/],
    [[key], "PERMISSION_DENIED", 403, "rule_refused", /guard\.deny/],
  ];
  for (const [keys, code, status, reason, words] of cases) {
    await expectCalls(proxy, keys, { code, reason, words });
    const lineOf = () => proxy.output.stderr.split("\n").find((line) => line.includes(`"reason":"${reason}"`));
    await until(lineOf, `a line with ${reason}`);
    const line = JSON.parse(lineOf());
    assert.deepEqual([line.status, line.protocol, line.path], [status, "HTTP/2", METHOD]);
  }
  const [, admin] = /admin +(http:\/\/127\.0\.0\.1:\d+)/.exec(proxy.output.stderr);
  const { stdout } = await curl(`${admin}/metrics`);
  assert.match(stdout, /cupbearer_failed_requests_total\{[^}]*reason="rule_refused"[^}]*\} 2\n/);
  assert.match(stdout, /cupbearer_requests_total\{[^}]*reason="caller_unknown"[^}]*status_class="4xx"[^}]*\} 2\n/);
  assert.doesNotMatch(stdout, /cupbearer_requests_total\{[^}]*status_class="2xx"\} [1-9]/);
});

test("a token endpoint and an API that are down are UNAVAILABLE", async (t) => {
  const { url: working } = await server(t, (request, response) => response.end("ok"));
  const down = `http://127.0.0.1:${await freePort()}`;
  const secret = join(await temporaryDirectory(t), "secret");
  writeSecret(secret);
  const without = async (more) => {
    const file = join(await temporaryDirectory(t), "cupbearer.toml");
    writeFileSync(file, configurationFor({ secret, ...more }));
    const proxy = await startProxy(["--config", file], { env: { CUPBEARER_TOKEN__WAIT: "100ms" } });
    t.after(() => proxy.stop("SIGKILL"));
    return proxy;
  };
  const token = await without({ url: working, token: `${down}/token` });
  await expectCalls(token, [], { code: "UNAVAILABLE", reason: "token_unavailable", words: /token endpoint/ });
  const { tokens } = await setUpStandIns(t, (request, response) => response.end());
  const upstream = await without({ url: down, token: tokens.url });
  await expectCalls(upstream, [], { code: "UNAVAILABLE", reason: "upstream_refused", words: /No response from the upstream/ });
});

test("limits.in_flight is RESOURCE_EXHAUSTED, and so is limits.connections", async (t) => {
  const waiting = [];
  const { proxy } = await setUpStandIns(t, (request, response) => void waiting.push(response), { config: "[limits]\nin_flight = 1\n" });
  const held = ask(proxy.url);
  await until(() => waiting.length === 1, "a request in flight");
  await expectCalls(proxy, [], { code: "RESOURCE_EXHAUSTED", reason: "saturated", words: /limits\.in_flight/ });
  waiting[0].end();
  assert.equal((await held).status, 200);

  const { proxy: full } = await setUpStandIns(t, (request, response) => void waiting.push(response), { config: "[limits]\nconnections = 1\n" });
  const busy = ask(full.url);
  await until(() => waiting.length === 2, "a busy connection");
  const [first] = await calls(full, []);
  assert.deepEqual([first.code, /limits\.connections/.test(first.details)], ["RESOURCE_EXHAUSTED", true], JSON.stringify(first));
  waiting[1].end();
  assert.equal((await busy).status, 200);
});

/** Both calls end with this, and say who said so. */
async function expectCalls(proxy, keys, { code, reason, words }) {
  for (const call of await calls(proxy, keys)) {
    assert.equal(call.code, code, JSON.stringify(call));
    assert.match(call.details, words);
    assert.match(call.metadata["proxy-status"], new RegExp(`^cupbearer; error=\\w+; details="${reason}"$`));
    assert.match(call.metadata["x-request-id"], /^[0-9a-f]{16}$/);
  }
}

async function calls(proxy, keys) {
  const { code, stdout, stderr } = await run(process.env.E2E_PYTHON, ["grpc_calls.py", new URL(proxy.url).port, METHOD, ...keys]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function server(t, handle) {
  const one = createServer(handle).listen(0, "127.0.0.1");
  await once(one, "listening");
  t.after(() => (one.close(), one.closeAllConnections()));
  return { url: `http://127.0.0.1:${one.address().port}` };
}
