// curl as a client that knows nothing about OAuth.

import assert from "node:assert/strict";
import { randomBytes, createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { digestOfDownload } from "./api.mjs";
import { curl, setUp, statusOf } from "./support.mjs";

for (const client of ["basic", "post"]) {
  test(`a request that gets a 401 directly gets a 200 through the proxy (client_secret_${client})`, async (t) => {
    const { api, proxy } = await setUp(t, { client });
    assert.equal(await statusOf(`${api.url}/api/v1/certificates`), 401);
    const { stdout, code } = await curl("--fail", `${proxy.url}/api/v1/certificates`);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), [{ name: "first", fullchain: "…" }]);
    assertOneBearerEach(api.seen.slice(1));
  });
}

test("every method is forwarded, and the status of the response is returned", async (t) => {
  const { api, proxy } = await setUp(t);
  const created = `${proxy.url}/api/v1/certificates/second`;
  const json = ["--header", "content-type: application/json"];
  assert.equal(await statusOf("--data", '{"name":"second"}', ...json, `${proxy.url}/api/v1/certificates`), 201);
  assert.equal(await statusOf(created), 200);
  assert.equal(await statusOf("--request", "DELETE", `${created}?force_delete=true`), 204);
  assert.equal(await statusOf(created), 404);
  for (const method of ["PUT", "PATCH", "OPTIONS", "PROPFIND"]) {
    assert.equal(await statusOf("--request", method, `${proxy.url}/nowhere`), 404, method);
  }
  assert.deepEqual(
    api.seen.map(({ method, status }) => `${method} ${status}`),
    ["POST 201", "GET 200", "DELETE 204", "GET 404", "PUT 404", "PATCH 404", "OPTIONS 404", "PROPFIND 404"],
  );
  assertOneBearerEach(api.seen);
});

test("the response to HEAD has the head of GET and no body", async (t) => {
  const { proxy } = await setUp(t);
  const { stdout, code } = await curl("--head", `${proxy.url}/download?bytes=12345`);
  assert.equal(code, 0);
  assert.match(stdout, /^HTTP\/1\.1 200 /);
  assert.match(stdout, /^content-length: 12345\r$/im);
});

test("path and query are forwarded byte for byte", async (t) => {
  const { api, proxy } = await setUp(t);
  const target = "/echo?a=%2f%2F&b=c+d&&e==;x=%E4%zz&f[]={1,2}&q=?/:@!$'()*~";
  const { stdout } = await curl("--fail", "--globoff", "--path-as-is", `${proxy.url}${target}`);
  const echoed = JSON.parse(stdout);
  assert.equal(echoed.url, target);
  assert.equal(echoed.host, new URL(api.url).host);
});

test("the caller's own credentials are not forwarded", async (t) => {
  const { api, proxy } = await setUp(t);
  const status = await statusOf(
    "--header", "Authorization: Bearer of-the-caller",
    "--header", "Connection: authorization",
    `${proxy.url}/api/v1/certificates`,
  );
  assert.equal(status, 200);
  assertOneBearerEach(api.seen);
});

test("the API's 403 for a missing role is returned unchanged", async (t) => {
  const { proxy } = await setUp(t, { client: "auditor" });
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200);
  const { stdout } = await curl("--write-out", "%{http_code}", "--data", "{}", `${proxy.url}/api/v1/certificates`);
  assert.equal(stdout, '{"detail":"Access token is missing required scopes."}403');
});

test("an upload and a download of 32 MiB arrive unchanged", async (t) => {
  const { proxy, directory } = await setUp(t);
  const content = randomBytes(32 << 20);
  const file = join(directory, "upload");
  await writeFile(file, content);
  const sha256 = createHash("sha256").update(content).digest("hex");
  const up = await curl("--fail", "--data-binary", `@${file}`, `${proxy.url}/upload`);
  assert.deepEqual(JSON.parse(up.stdout), { bytes: content.length, sha256 });

  const down = await curl("--fail", "--output", file, `${proxy.url}/download?bytes=${32 << 20}`);
  assert.equal(down.code, 0);
  const again = await curl("--fail", "--upload-file", file, `${proxy.url}/upload`);
  assert.equal(JSON.parse(again.stdout).sha256, digestOfDownload(32 << 20));
});

test("an upload of unknown length arrives complete", async (t) => {
  const { api, proxy } = await setUp(t);
  const content = randomBytes(3_000_001);
  const { stdout } = await curl("--fail", "--upload-file", "-", `${proxy.url}/upload`, { input: content });
  assert.deepEqual(JSON.parse(stdout), {
    bytes: content.length,
    sha256: createHash("sha256").update(content).digest("hex"),
  });
  assertOneBearerEach(api.seen);
});

test("a request with Expect: 100-continue gets a 100, so that curl sends the body before its own timeout", async (t) => {
  const { proxy } = await setUp(t);
  const { code, stdout, stderr } = await curl(
    "--verbose", "--fail",
    "--expect100-timeout", "90", "--max-time", "30", // curl would time out before it sends the body without a 100
    "--header", "Expect: 100-continue",
    "--data-binary", "@-", `${proxy.url}/upload`,
    { input: "x".repeat(100_000) },
  );
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^< HTTP\/1\.1 100 Continue/im);
  assert.equal(JSON.parse(stdout).bytes, 100_000);
});

test("an HTTP/1.0 client is served", async (t) => {
  const { proxy } = await setUp(t);
  const { code, stdout } = await curl("--fail", "--http1.0", `${proxy.url}/slow`);
  assert.equal(code, 0);
  assert.equal(stdout, "first second");
});

function assertOneBearerEach(seen) {
  for (const { method, url, authorization } of seen) {
    assert.equal(authorization.length, 1, `${method} ${url}`);
    assert.match(authorization[0], /^Bearer eyJ/, `${method} ${url}`);
  }
}
