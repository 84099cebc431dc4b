// OpenAPI documents and other references to the upstream: with an nginx that compresses, and with Swagger UI's
// "Try it out" in Chromium.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { freePort, startNginx } from "./nginx.mjs";
import { startAuthorizationServer } from "./authorization_server.mjs";
import { curl, run, start, startProxy, temporaryDirectory, writeConfiguration } from "./support.mjs";

test("Try it out gets a 200 without Authorize if the servers are relative", async (t) => {
  const demo = await startDemo(t);
  await tryItOut(t, demo.proxy);
});

test("Try it out gets a 200 without Authorize if the servers contain the API's full address", async (t) => {
  // An API whose document contains its full address: nginx in front of the demo, with a second proxy.
  const demo = await startDemo(t);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const document = JSON.parse((await curl("--fail", `${demo.api}/api/v1/openapi.json`)).stdout);
  document.servers = [{ url }];
  await startNginx(t, { port, behind: demo.proxy, files: { "api/v1/openapi.json": JSON.stringify(document) } });
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const directory = await temporaryDirectory(t);
  const file = await writeConfiguration(directory, { authorizationServer, api: { url }, client: "basic", config: "" });
  const proxy = await startProxy(["--config", file]);
  t.after(() => proxy.stop());
  await tryItOut(t, proxy.url);
});

test("Swagger UI shows neither a padlock nor Authorize through the proxy, and shows the note if it is configured", async (t) => {
  const demo = await startDemo(t);
  const look = async (url) => {
    const page = await (await openBrowser(t)).newPage();
    await page.goto(`${url}/docs`);
    await page.locator(".opblock").first().waitFor();
    return [await page.locator(".auth-wrapper .authorize").count(), await page.locator(".authorization__btn").count(), await page.locator(".info").innerText()];
  };
  const [authorize, padlocks, info] = await look(demo.proxy);
  assert.deepEqual([authorize, padlocks], [0, 0]);
  assert.doesNotMatch(info, /signed in/i);
  const [direct, directPadlocks] = await look(demo.api);
  assert.ok(direct > 0 && directPadlocks > 0, "the API's own document asks for a token");

  const kept = await startDemo(t, ["--set", "upstream.openapi_security=keep", "--set", "upstream.docs_note=true"]);
  const [keptAuthorize, keptPadlocks, keptInfo] = await look(kept.proxy);
  assert.ok(keptAuthorize > 0 && keptPadlocks > 0);
  assert.match(keptInfo, /Signed in by cupbearer/);
});

test("a client that is generated from the document behind the proxy takes no token, and works", async (t) => {
  const directory = await temporaryDirectory(t);
  const generate = async (name, more) => {
    const { proxy } = await startDemo(t, more);
    const file = join(directory, `${name}.json`);
    await writeFile(file, (await curl("--fail", `${proxy}/api/v1/openapi.json`)).stdout);
    const args = ["generate", "--path", file, "--meta", "none", "--output-path", join(directory, name)];
    const { code, stdout, stderr } = await run(join(dirname(process.env.E2E_PYTHON), "openapi-python-client"), args, { cwd: directory });
    assert.equal(code, 0, stdout + stderr);
    const program = [
      `from ${name} import Client`,
      `from ${name}.api.certificates import list_certificates as operation`,
      "import typing",
      "print(Client in typing.get_args(typing.get_type_hints(operation.sync_detailed)['client']))",
      `print(operation.sync_detailed(client=Client(base_url="${proxy}")).status_code.value)`,
    ];
    return run(process.env.E2E_PYTHON, ["-c", program.join("\n")], { cwd: directory, env: { NO_PROXY: "*" } });
  };
  const removed = await generate("removed", []);
  assert.equal(removed.stdout, "True\n200\n", removed.stderr);
  const kept = await generate("kept", ["--set", "upstream.openapi_security=keep"]);
  assert.match(kept.stdout, /^False\n/, kept.stderr);
});

test("a compressed document is rewritten to the proxy's address and loses the fields that describe the old bytes", async (t) => {
  const { nginx, proxy } = await behindNginx(t);
  const url = (base) => `${base}/compressed/openapi.json`;
  const direct = await head("--compressed", url(nginx));
  assert.match(direct, /^content-encoding: gzip\r$/im);
  assert.match(direct, /^etag: /im);

  const { stdout } = await curl("--fail", "--compressed", url(proxy));
  assert.equal(stdout, documentOf(proxy));
  const through = await head("--compressed", "--header", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", url(proxy));
  assert.match(through, /^HTTP\/1\.1 200 /);
  assert.match(through, /^cache-control: no-store\r$/im);
  assert.match(through, new RegExp(`^content-length: ${documentOf(proxy).length}\r$`, "im"));
  assert.doesNotMatch(through, /^(etag|last-modified|content-encoding):/im);
});

test("a document of 5 MB is rewritten, and one above 8 MiB passes unchanged", async (t) => {
  const { proxy, nginx } = await behindNginx(t);
  const five = await curl("--fail", `${proxy}/large/openapi.json`);
  assert.equal(five.stdout, documentOf(proxy, 5_000_000));
  const nine = await curl("--fail", `${proxy}/huge/openapi.json`);
  assert.equal(nine.stdout, documentOf(nginx, 9 << 20));
});

test("every other response passes byte for byte, compressed or not", async (t) => {
  const { proxy, nginx } = await behindNginx(t);
  for (const [path, ...options] of [
    ["/compressed/other.json", "--header", "Accept-Encoding: gzip"],
    ["/compressed/other.json"],
    ["/relative/openapi.json"],
    ["/compressed/openapi.json", "--head"],
    ["/plain.txt", "--range", "3-7"],
    ["/plain.txt", "--header", "If-None-Match: *"],
  ]) {
    const direct = await rawAnswer(`${nginx}${path}`, options);
    const through = await rawAnswer(`${proxy}${path}`, options);
    assert.deepEqual(through, direct, `${path} ${options.join(" ")}`);
  }
});

test("with upstream.via = false nginx compresses its responses to the proxy", async (t) => {
  const text = /^content-encoding: gzip\r$/im;
  const signed = await behindNginx(t);
  assert.doesNotMatch(await head("--compressed", `${signed.proxy}/other.json`), text);
  const unsigned = await behindNginx(t, ["--set", "upstream.via=false"]);
  assert.match(await head("--compressed", `${unsigned.proxy}/other.json`), text);
});

test("a client that follows the upstream's redirect to itself stays with the proxy", async (t) => {
  const { proxy } = await behindNginx(t);
  const { stdout } = await curl("--fail", "--location", "--write-out", " %{url_effective}", `${proxy}/redirect`);
  assert.equal(stdout, `a target ${proxy}/compressed/target.txt`);
});

/** Starts `cupbearer demo` and returns the addresses of the API and of the proxy that it prints. */
async function startDemo(t, more = []) {
  const demo = await start(["demo", "--listen", "127.0.0.1:0", ...more], ({ stdout, stderr }) => {
    const lines = `${stdout}${stderr}`.match(/(?<=\bcurl .*)http:\S+(?=\/api\/v1\/\S+\n)/g);
    const listens = /listens on\s+(http:\S+)/.exec(stderr);
    return lines?.length >= 2 && listens && { api: lines[0], proxy: listens[1] };
  });
  t.after(() => demo.stop());
  return demo.found;
}

/** Opens the API's Swagger UI through the proxy and runs its first operation. */
async function tryItOut(t, proxy) {
  const context = await openBrowser(t);
  const page = await context.newPage();
  await page.goto(`${proxy}/docs`);
  await page.locator("#operations-certificates-list_certificates .opblock-summary-control").click();
  await page.locator(".btn.execute").click();
  const shown = page.locator(".live-responses-table .response .response-col_status");
  assert.match(await shown.first().innerText(), /^200\b/);
  assert.equal(await page.locator(".request-url pre").innerText(), `${proxy}/api/v1/certificates`);
}

/** A document with one server at `base` and a description of `size` letters. */
function documentOf(base, size = 10) {
  return `{ "openapi": "3.1.0", "servers": [ {"url": "${base}/v1"} ], "info": {"description": "${"x".repeat(size)}"} }\n`;
}

/** A proxy in front of an nginx with a few files. */
async function behindNginx(t, args = []) {
  const port = await freePort();
  const nginx = `http://127.0.0.1:${port}`;
  await startNginx(t, {
    port,
    behind: "http://127.0.0.1:9", // nothing listens there
    files: {
      "compressed/openapi.json": documentOf(nginx),
      "compressed/other.json": documentOf(nginx),
      "compressed/target.txt": "a target",
      "relative/openapi.json": documentOf(""),
      "large/openapi.json": documentOf(nginx, 5_000_000),
      "huge/openapi.json": documentOf(nginx, 9 << 20),
      "other.json": documentOf(nginx),
      "plain.txt": "a plain text",
    },
  });
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const directory = await temporaryDirectory(t);
  const file = await writeConfiguration(directory, {
    authorizationServer,
    api: { url: nginx },
    client: "basic",
    config: "",
  });
  const proxy = await startProxy(["--config", file, ...args]);
  t.after(() => proxy.stop());
  return { nginx, proxy: proxy.url };
}

async function head(...args) {
  return (await curl("--dump-header", "-", "--output", "/dev/null", ...args)).stdout;
}

/** The status line, the sorted fields except those that differ according to docs/forwarding.md, and the body as
 * hexadecimal digits. */
async function rawAnswer(url, options) {
  const line = ["curl --disable --noproxy '*' --silent --include", ...options.map((option) => `'${option}'`), `'${url}'`];
  const { stdout } = await run("sh", ["-c", `${line.join(" ")} | od -An -v -tx1 | tr -d ' \\n'`]);
  const end = stdout.search(/0d0a0d0a/);
  const [status, ...fields] = Buffer.from(stdout.slice(0, end), "hex").toString("latin1").split("\r\n");
  const differs = /^(connection|date|keep-alive|transfer-encoding|x-request-id):/;
  const kept = fields.map((field) => field.replace(/^[^:]+/, (name) => name.toLowerCase()));
  return { status, fields: kept.filter((field) => !differs.test(field)).sort(), body: stdout.slice(end + 8) };
}
