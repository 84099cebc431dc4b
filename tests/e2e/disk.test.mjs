// Invalid files and full disks: cupbearer either does not start and says why, or it serves completely. It never hangs,
// and never serves with half of its configuration.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SECRET, ask, configurationFor, startCombinedServer, writeSecret } from "./stand_ins.mjs";
import { CUPBEARER, run, startProxy, temporaryDirectory, until } from "./support.mjs";

/** The error output of a start that must fail within 5 s. */
async function failedStart(file) {
  const began = Date.now();
  const { code, stderr } = await run(CUPBEARER, ["--config", file], { limitMs: 10_000 });
  assert.ok(Date.now() - began < 5000, `${Date.now() - began} ms`);
  assert.equal(code, 3, stderr);
  assert.ok(!stderr.includes("listens on"), stderr);
  return stderr;
}

const BROKEN_SECRETS = {
  missing: () => {},
  empty: (path) => writeFileSync(path, ""),
  "a newline alone": (path) => writeFileSync(path, "\n"),
  "text with a byte order mark": (path) => writeFileSync(path, "\ufeffs3cret\n"),
  "a directory": (path) => mkdirSync(path),
  "a FIFO": (path) => execFileSync("mkfifo", [path]),
  "1 MB": (path) => writeFileSync(path, Buffer.alloc(1 << 20, "x")),
};

for (const [name, make] of Object.entries(BROKEN_SECRETS)) {
  test(`a secret file that is ${name} stops the start with exit code 3, the configuration key and the path`, async (t) => {
    const directory = await temporaryDirectory(t);
    const [file, secret] = [join(directory, "cupbearer.toml"), join(directory, "secret")];
    make(secret);
    writeFileSync(file, configurationFor({ url: "http://127.0.0.1:1", secret }));
    const output = await failedStart(file);
    assert.ok(output.includes("token.client_secret"), output);
    assert.ok(output.includes(secret), output);
  });
}

test("a secret file with CRLF works, and no carriage return is sent", async (t) => {
  const { url, credentials } = await startCombinedServer(t);
  const directory = await temporaryDirectory(t);
  const [file, secret] = [join(directory, "cupbearer.toml"), join(directory, "secret")];
  writeSecret(secret, "\r\n");
  writeFileSync(file, configurationFor({ url, secret }).replaceAll("\n", "\r\n"));
  const proxy = await startProxy(["--config", file]);
  t.after(() => proxy.stop());
  await until(async () => (await ask(proxy.url)).status === 200, "the first answer");
  assert.equal(credentials[0], `Basic ${Buffer.from(`id:${SECRET}`).toString("base64")}`);
});

for (const [name, content] of [["garbage", "garbage"], ["a certificate cut in half", "-----BEGIN CERTIFICATE-----\nMIIB\n"], ["invalid Base64", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"]]) {
  test(`a CA bundle that is ${name} stops the start with exit code 3`, async (t) => {
    const directory = await temporaryDirectory(t);
    const [file, secret, bundle] = ["cupbearer.toml", "secret", "ca.pem"].map((part) => join(directory, part));
    writeSecret(secret);
    writeFileSync(bundle, content);
    writeFileSync(file, configurationFor({ url: "http://127.0.0.1:1", secret, more: `[network]\nca_file = ${JSON.stringify(bundle)}` }));
    const output = await failedStart(file);
    assert.ok(output.includes("network.ca_file") && output.includes(bundle), output);
  });
}

/** Runs cupbearer where no file can grow, as on a full disk: the signal for that is ignored, so that writing fails. */
const onFullDisk = (args, options) =>
  run("sh", ["-c", `trap '' XFSZ; ulimit -f 0; exec "$0" "$@"`, CUPBEARER, ...args], options);

test("on a full disk keygen leaves no file, and the next attempt succeeds", async (t) => {
  const directory = await temporaryDirectory(t);
  const out = join(directory, "key.pem");
  for (const args of [["keygen", "--algorithm", "ES256", "--out", out], ["keygen", "--caller", "ci", "--out", out]]) {
    const full = await onFullDisk(args);
    assert.equal(full.code, 1, full.stderr);
    assert.match(full.stderr, /cannot be written: /);
    assert.equal(full.stdout, "", "the public half without the private one");
    assert.deepEqual(readdirSync(directory), []);
    const next = await run(CUPBEARER, args);
    assert.equal(next.code, 0, next.stderr);
    assert.deepEqual(readdirSync(directory), ["key.pem"]);
    rmSync(out);
  }
});

test("keygen keeps no private key if the public half cannot be printed", async (t) => {
  const directory = await temporaryDirectory(t);
  const out = join(directory, "key.pem");
  const full = await run("sh", ["-c", `"$0" keygen --algorithm ES256 --out "$1" >/dev/full`, CUPBEARER, out]);
  assert.equal(full.code, 1, full.stderr);
  assert.match(full.stderr, /standard output: /);
  assert.deepEqual(readdirSync(directory), []);
  assert.equal((await run(CUPBEARER, ["keygen", "--algorithm", "ES256", "--out", out])).code, 0);
});

test("on a full disk init leaves neither the secret nor the configuration", async (t) => {
  const directory = await temporaryDirectory(t);
  const out = join(directory, "c.toml");
  const args = ["init", "--no-doctor", "--force", "--upstream", "https://api.example.com", "--token-endpoint", "https://as.example.com/token",
    "--client-id", "id", "--secret-stdin", "--out", out];
  const full = await onFullDisk(args, { input: SECRET });
  assert.equal(full.code, 1, full.stderr);
  assert.match(full.stderr, /cannot be written: /);
  assert.deepEqual(readdirSync(directory), []);
});
