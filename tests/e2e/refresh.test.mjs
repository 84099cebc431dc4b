// With tokens that expire after four seconds, no request is rejected across refreshes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TOKEN_LIFETIME_S } from "./authorization_server.mjs";
import { curl, setUp, statusOf } from "./support.mjs";

test("no request gets a 401 across three refreshes", async (t) => {
  const { authorizationServer, api, proxy } = await setUp(t);
  const started = Date.now();
  const limit = started + 10 * TOKEN_LIFETIME_S * 1000;
  const used = () => new Set(api.seen.map(({ jti }) => jti)).size;
  while (used() < 4 && Date.now() < limit) {
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200);
  }
  assert.equal(used(), 4, "tokens that the API received");
  assert.deepEqual(api.seen.filter(({ status }) => status !== 200), []);
  assert.ok(api.seen.every(({ authorization }) => authorization.length === 1));
  // A refresh is due at half of the lifetime at the earliest.
  const most = 1 + (Date.now() - started) / (0.5 * TOKEN_LIFETIME_S * 1000) + 1;
  const asked = authorizationServer.tokenRequests.length;
  assert.ok(asked <= most, `${asked} token requests, at most ${most} expected`);
});

test("a hundred concurrent first requests cause one token request", async (t) => {
  const { authorizationServer, api, proxy } = await setUp(t);
  const urls = Array.from({ length: 100 }, (_, index) => ["--output", "/dev/null", `${proxy.url}/echo?n=${index}`]);
  const { code, stdout } = await curl("--parallel", "--parallel-max", "100", "--parallel-immediate",
    "--write-out", "%{http_code}\n", ...urls.flat());
  assert.equal(code, 0);
  assert.equal(stdout, "200\n".repeat(100));
  assert.equal(api.seen.length, 100);
  assert.ok(authorizationServer.tokenRequests.length <= 2, "one token, and a refresh if the machine is slow");
});

test("a rejected grant fails closed: the problem details say why, and nothing reaches the API", async (t) => {
  const { authorizationServer, api, proxy } = await setUp(t, { secret: "not-the-secret" });
  const { stdout } = await curl("--include", `${proxy.url}/api/v1/certificates`);
  const [head, body] = stdout.split("\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 502 /);
  assert.match(head, /^content-type: application\/problem\+json\r?$/im);
  assert.match(head, /^proxy-status: cupbearer; *error=proxy_configuration_error/im);
  const problem = JSON.parse(body);
  assert.equal(problem.reason, "token_refused");
  assert.equal(problem.status, 502);
  assert.deepEqual(api.seen, []);
  assert.ok(authorizationServer.tokenRequests.every(({ status }) => status === 401));
  assert.ok(!proxy.output.stderr.includes("not-the-secret") && !stdout.includes("not-the-secret"));
});
