// Named callers: keys from `keygen`, each way to send a key, and revocation while requests run.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, curl, run, setUp, start, startProxy, statusOf, temporaryDirectory, until } from "./support.mjs";

/** How long a revoked key may keep working. */
const REVOKED_WITHIN_MS = 3000;

test("a key from keygen is accepted in each way of sending it, and is never forwarded", async (t) => {
  const directory = await temporaryDirectory(t);
  const { key, lines } = await newCaller(directory, "ci");
  assert.match(key, /^cbk_[0-9A-Za-z]{36}$/);
  const { proxy, api } = await setUp(t, { config: `[log]\naccess = "all"\n${lines}` });
  const url = `${proxy.url}/echo`;

  for (const sent of [
    ["--header", `Authorization: Bearer ${key}`],
    ["--user", `whoever:${key}`],
    ["--header", `X-Cupbearer-Key: ${key}`],
    ["--header", `X-Cupbearer-Key: ${key}`, "--header", "Authorization: Bearer the-tools-own"],
  ]) {
    const { stdout } = await curl(url, ...sent);
    assert.equal(JSON.parse(stdout).url, "/echo", sent[0]);
    assert.ok(!stdout.includes(key) && !/x-cupbearer-key/i.test(stdout), "the key was forwarded");
  }
  for (const misplaced of [
    ["--request-target", `http://x:${key}@localhost/p`],
    ["--header", `Host: x:${key}@localhost`],
    ["--header", `Origin: http://x:${key}@localhost`],
    ["--header", `Referer: http://x:${key}@localhost/`],
  ]) {
    const { stdout } = await curl(url, ...misplaced); // leaks.mjs searches the log for the key
    assert.ok(!stdout.includes(key), misplaced[1].slice(0, 10));
  }
  const { stdout } = await curl("--include", url);
  assert.match(stdout, /^HTTP\/1\.1 401 /);
  assert.match(stdout, /^www-authenticate: Basic realm="cupbearer", Bearer\r$/im);
  assert.match(stdout, /"reason":"caller_unknown"/);
  assert.equal(await statusOf(url, "--user", `x:${key.slice(0, -1)}`), 401);
  assert.equal(api.seen.length, 4);
  const served = () => proxy.output.stderr.split("\n").filter((line) => /"status":200/.test(line) && /"caller":"ci"/.test(line));
  await until(() => served().length === 4, "no four access lines named the caller");
  assert.ok(!proxy.output.stderr.includes(key));
});

test("each caller has its own rules", async (t) => {
  const directory = await temporaryDirectory(t);
  const [reader, admin] = [await newCaller(directory, "reader"), await newCaller(directory, "admin")];
  const { proxy, api } = await setUp(t, {
    config: `${reader.lines}\nallow = ["GET /api/v1/**"]\n${admin.lines}\ndeny = ["* /api/v1/certificates/first"]\n`,
  });
  const status = (caller, path, ...more) => statusOf(`${proxy.url}${path}`, "--path-as-is", "--user", `x:${caller.key}`, ...more);
  const remove = ["--request", "DELETE"];

  assert.equal(await status(reader, "/api/v1/certificates"), 200);
  assert.equal(await status(reader, "/api/v1/certificates/first", ...remove), 403);
  assert.equal(await status(reader, "/echo"), 403);
  assert.equal(await status(reader, "/api/v1/../../echo"), 403);
  assert.equal(await status(admin, "/echo"), 200);
  assert.equal(await status(admin, "/api/v1/certificates/FIRST", ...remove), 403);
  assert.equal(await status(admin, "/api/v1/certificates/f%69rst", ...remove), 403);
  assert.deepEqual(api.seen.map(({ method, url }) => `${method} ${url}`), ["GET /api/v1/certificates", "GET /echo"]);
});

test("a key that is removed from its file stops working within 3 s, while requests in flight continue", async (t) => {
  const directory = await temporaryDirectory(t);
  const [one, other] = [await newCaller(directory, "one"), await newCaller(directory, "other")];
  const { proxy } = await setUp(t, { config: `${one.lines}\n${other.lines}` });
  const status = (caller) => statusOf(`${proxy.url}/echo`, "--user", `x:${caller.key}`);
  assert.equal(await status(one), 200);

  // Started before the edit, and slowed down so that it ends after the key has stopped working.
  const download = curl(`${proxy.url}/download?bytes=5000000`, "--user", `x:${one.key}`, "--limit-rate", "1M", "--output", "/dev/null", "--write-out", "%{http_code} %{size_download}");
  await new Promise((resolve) => setTimeout(resolve, 300));
  await writeFile(one.file, `# ${one.key}\n`);
  const edited = performance.now();
  let revoked;
  while (performance.now() - edited < 4000) {
    const [ofOne, ofOther] = await Promise.all([status(one), status(other)]);
    assert.equal(ofOther, 200);
    if (ofOne === 401) revoked ??= performance.now() - edited;
    else assert.equal(revoked, undefined, "the revoked key worked again");
  }
  assert.ok(revoked < REVOKED_WITHIN_MS, `revoked after ${revoked} ms`);
  assert.equal((await download).stdout, "200 5000000");
  t.diagnostic(`revoked after ${Math.round(revoked)} ms`);
});

test("revoking a key closes the tunnels that were opened with it, and no others", async (t) => {
  const directory = await temporaryDirectory(t);
  const [one, other] = [await newCaller(directory, "one"), await newCaller(directory, "other")];
  const config = `${one.lines}\n${other.lines}\n[guard.callers.user]\nuid = ${process.getuid()}`;
  const echo = createServer().on("upgrade", (_, socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    socket.pipe(socket);
  });
  await once(echo.listen(0, "127.0.0.1"), "listening");
  t.after(() => (echo.close(), echo.closeAllConnections()));
  const { file } = await setUp(t, { config });
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(/(\[upstream\]\nurl = ).*/, `$1"http://127.0.0.1:${echo.address().port}"`));
  const proxy = await startProxy(["--config", file]);
  t.after(() => proxy.stop());

  const tunnels = {
    one: await tunnel(proxy.url, { "x-cupbearer-key": one.key }),
    other: await tunnel(proxy.url, { authorization: `Bearer ${other.key}` }),
    user: await tunnel(proxy.url, { authorization: "Bearer of-the-tool-itself" }),
  };
  for (const open of Object.values(tunnels)) assert.equal(await open.echo("before"), "before");
  await writeFile(one.file, `# ${one.key}\n`);
  const edited = performance.now();
  await until(() => tunnels.one.socket.closed, "the tunnel of a revoked key is still open");
  const closed = performance.now() - edited;
  assert.ok(closed < REVOKED_WITHIN_MS, `closed after ${closed} ms`);
  assert.equal(await tunnels.other.echo("after"), "after");
  assert.equal(await tunnels.user.echo("after"), "after");
  for (const open of Object.values(tunnels)) open.socket.destroy();
  t.diagnostic(`closed after ${Math.round(closed)} ms`);
});

test("an access line names the user if no callers are configured", async (t) => {
  const { proxy } = await setUp(t, { config: '[log]\naccess = "all"' });
  assert.equal(await statusOf(`${proxy.url}/echo`), 200);
  const line = () => proxy.output.stderr.split("\n").find((one) => /"path":"\/echo"/.test(one));
  await until(line, "there is no access line");
  assert.equal(JSON.parse(line()).caller, `uid:${process.getuid()}`);
});

test("a listener beyond loopback accepts callers with a key, and never by uid", async (t) => {
  const address = Object.values(networkInterfaces()).flat().find(({ internal, family }) => !internal && family === "IPv4")?.address;
  assert.ok(address, "this machine has no address except loopback");
  const directory = await temporaryDirectory(t);
  const { key, lines } = await newCaller(directory, "far");
  const { file } = await setUp(t, { config: `${lines}\n[guard.callers.near]\nuid = ${process.getuid()}` });
  const network = ["--config", file, "--listen", "0.0.0.0:0", "--set", `guard.hosts=["${address}"]`];
  const proxy = await start(network, ({ stderr }) => /listens on\s+http:\/\/0\.0\.0\.0:(\d+)/.exec(stderr));
  t.after(() => proxy.stop());
  const url = `http://${address}:${proxy.found[1]}/echo`;

  assert.equal(await statusOf(url, "--user", `x:${key}`), 200);
  assert.equal(await statusOf(url), 401);
});

test("an unusable key stops the start with exit code 3 and a message that does not contain the key", async (t) => {
  const { file, directory } = await setUp(t);
  const keys = join(directory, "keys");
  const text = await readFile(file, "utf8");
  await writeFile(file, `${text}\n[guard.callers.ci]\nkey = { file = ${JSON.stringify(keys)} }\n`);
  for (const [content, complaint] of [
    [undefined, /guard\.callers\.ci\.key .* cannot be read: does not exist/],
    ["", /guard\.callers\.ci\.key .* the secret is empty/],
    ["hunter2\n", /guard\.callers\.ci\.key .* line 1 is shorter than 16 characters/],
    [`cbk_hunter2${"0".repeat(29)}\n`, /guard\.callers\.ci\.key .* line 1 is not a complete key/],
  ]) {
    if (content !== undefined) await writeFile(keys, content);
    const { code, stderr } = await run(CUPBEARER, ["--config", file]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, complaint);
    assert.ok(!stderr.includes("hunter2"));
  }
});

/** Opens an upgraded connection to an echo server. */
async function tunnel(url, headers) {
  const asking = request(url, { headers: { ...headers, connection: "Upgrade", upgrade: "websocket" } }).end();
  const [, socket] = await once(asking, "upgrade");
  socket.on("error", () => {});
  return {
    socket,
    async echo(text) {
      socket.write(text);
      const [bytes] = await once(socket, "data");
      return bytes.toString();
    },
  };
}

/** Runs `keygen --caller NAME`, and returns the key, its file and the lines to write to the configuration. */
async function newCaller(directory, name) {
  const file = join(directory, `${name}.key`);
  const { code, stdout, stderr } = await run(CUPBEARER, ["keygen", "--caller", name, "--out", file]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "");
  const key = (await readFile(file, "utf8")).trimEnd();
  registerSecret(key, "x");
  const lines = /^\[guard\.callers\.[^]*?(?=\n\n)/m.exec(stderr)[0];
  return { key, file, lines };
}
