// `cupbearer doctor` behind real corporate proxies (tinyproxy, mitmproxy) and with a wrong clock (libfaketime): it
// names the interceptor, what the interceptor can read, and what to do.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startMitmproxy, startTinyproxy } from "./corporate_proxies.mjs";
import { CUPBEARER, run, temporaryDirectory } from "./support.mjs";

const TOKEN = "t0ken-that-nobody-else-may-see";
const SECRET = "the-client-secret-of-this-test";
const PASSWORD = "corp-passw0rd";

const library = readdirSync("/usr/lib", { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => join("/usr/lib", name, "faketime/libfaketimeMT.so.1"))
  .find(existsSync);

test("a certificate that only network.ca_file makes trusted is noted for both hosts, with its issuer", async (t) => {
  const scene = await setUp(t);
  const report = await scene.examine("");
  assert.equal(report.exit_code, 0, JSON.stringify(report, null, 2));
  for (const id of ["token_endpoint.tls", "api.tls"]) {
    assert.equal(report.check(id).outcome, "note");
    assert.match(report.check(id).said, /issued by "CN=API CA".* only because of network\.ca_file.* can read /);
  }
});

test("interception by mitmproxy is reported with the issuer of its certificate and what it can read", async (t) => {
  const scene = await setUp(t);
  const { port, ca } = await startMitmproxy(t, scene.directory);
  const line = `network.proxy = "http://127.0.0.1:${port}"`;

  const trusting = await scene.examine(`${line}\nnetwork.ca_file = ${JSON.stringify(ca)}`);
  assert.equal(trusting.exit_code, 0, JSON.stringify(trusting, null, 2));
  const token = trusting.check("token_endpoint.tls");
  assert.equal(token.outcome, "note");
  assert.match(token.said, /CN=mitmproxy.*not a public authority.*can read the client secret and the token/);
  assert.match(trusting.check("api.tls").said, /CN=mitmproxy.*can read the token and everything sent with it/);
  assert.match(token.remedies[0].remedy, /TLS interception/);

  scene.seen.length = 0;
  const distrusting = await scene.examine(line);
  assert.equal(distrusting.exit_code, 5);
  const refused = distrusting.check("token_endpoint.tls");
  assert.equal(refused.outcome, "failed");
  assert.match(refused.said, /CN=mitmproxy/);
  assert.match(JSON.stringify(refused.remedies), /export its CA as PEM and set network\.ca_file/);
  assert.equal(distrusting.check("grant").outcome, "skipped");
  assert.deepEqual(scene.seen, [], "nothing was sent to a host that did not prove its identity");
});

test("an interceptor whose CA the machine trusts is told from a public authority", async (t) => {
  const scene = await setUp(t);
  // As if an administrator had added the company's CA to the system's store.
  const report = await scene.examine("network.proxy = \"none\"", { env: { SSL_CERT_FILE: scene.ca }, ca: false });
  assert.equal(report.exit_code, 0, JSON.stringify(report, null, 2));
  assert.match(report.check("api.tls").said, /only because this machine is configured to trust it/);
});

test("a 407 from tinyproxy is reported as a missing password and a 401 as a wrong one", async (t) => {
  const scene = await setUp(t);
  const port = await startTinyproxy(t, scene.directory, PASSWORD);
  for (const [user, status, remedy] of [
    ["", 407, /write network\.proxy = "http:\/\/USER:PASSWORD@HOST:PORT"/],
    ["corp:wr0ng-password@", 401, /correct user name and password/],
  ]) {
    const report = await scene.examine("", { env: { HTTPS_PROXY: `http://${user}127.0.0.1:${port}` } });
    assert.equal(report.exit_code, 5);
    for (const id of ["token_endpoint.proxy", "api.proxy"]) {
      const check = report.check(id);
      assert.equal(check.outcome, "failed");
      assert.match(check.said, new RegExp(`corporate proxy http://127\\.0\\.0\\.1:${port}: it answered ${status}`));
      assert.match(check.remedies[0].remedy, remedy);
    }
    assert.ok(!JSON.stringify(report).includes("wr0ng-password"));
  }
  assert.deepEqual(scene.seen, []);

  const env = { HTTPS_PROXY: `http://corp:${PASSWORD}@127.0.0.1:${port}` };
  const report = await scene.examine("", { env });
  assert.equal(report.exit_code, 0, JSON.stringify(report, null, 2));
  assert.ok(!JSON.stringify(report).includes(PASSWORD));
});

for (const { offset, words } of [
  { offset: "+2h", words: /clock is (2h|1h 59m \d+s) ahead of/ },
  { offset: "-10m", words: /clock is (10m|9m \d+s|10m \d+s) behind/ },
]) {
  test(`a clock that is wrong by ${offset} is noted with its direction`, async (t) => {
    const scene = await setUp(t);
    const env = { LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
    const report = await scene.examine("", { env });
    const clock = report.check("clock");
    assert.equal(clock.outcome, "note", JSON.stringify(report, null, 2));
    assert.match(clock.said, words);
    assert.match(clock.remedies[0].remedy, /NTP/);
    assert.equal(report.check("grant").outcome, "ok");
  });
}

test("a clock so wrong that certificates seem expired is one of two possible causes", async (t) => {
  const scene = await setUp(t);
  const env = { LD_PRELOAD: library, FAKETIME: "+400d", FAKETIME_DONT_FAKE_MONOTONIC: "1" };
  const report = await scene.examine("", { env });
  assert.equal(report.exit_code, 5);
  const tls = report.check("token_endpoint.tls");
  assert.equal(tls.undecided, true);
  assert.match(tls.said, /expired at/);
  assert.match(tls.remedies[0].cause, /this machine's clock is wrong/);
});

test("every check presents the client certificate to hosts that require one", async (t) => {
  const scene = await setUp(t, { server: (ca) => ({ requestCert: true, rejectUnauthorized: true, ca }) });
  const keys = (room) => `${room}.client_cert_file = "${scene.files.cert}"\n${room}.client_key_file = "${scene.files.key}"`;
  const shown = await scene.examine(`${keys("token")}\n${keys("upstream")}`);
  assert.equal(shown.exit_code, 0, JSON.stringify(shown, null, 2));
  assert.equal(shown.check("clock").outcome, "ok", "the server answers no client without a certificate");

  const withheld = await scene.examine(keys("upstream"));
  assert.equal(withheld.exit_code, 5);
  assert.equal(withheld.check("clock").outcome, "skipped");
  assert.equal(withheld.check("grant").outcome, "failed");
});

test("a terminal shows each check while it runs, in color unless NO_COLOR is set", async (t) => {
  const scene = await setUp(t);
  await scene.examine(""); // writes the configuration
  const inTerminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
  const line = [CUPBEARER, "doctor", "--config", join(scene.directory, "cupbearer.toml")];
  for (const { env, colors, progress } of [
    { env: { TERM: "xterm" }, colors: true, progress: true },
    { env: { TERM: "xterm", NO_COLOR: "1" }, colors: false, progress: true },
    { env: { TERM: "dumb" }, colors: false, progress: false },
  ]) {
    const { stdout, code } = await run("python3", ["-c", inTerminal, ...line], { env });
    assert.equal(code, 0, stdout);
    assert.equal(/\x1b\[3[123]m/.test(stdout), colors, JSON.stringify(env));
    assert.equal(stdout.includes("  1  configuration …\r\x1b[2K  1  "), progress, JSON.stringify(stdout.slice(0, 200)));
    assert.match(stdout, /All is well\./);
  }
});

/** Starts an API with a token endpoint, with TLS and on an address other than loopback. */
async function setUp(t, { server: options = () => ({}) } = {}) {
  const directory = await temporaryDirectory(t);
  const host = ownAddress();
  const files = await certificates(directory, host);
  const seen = [];
  const answer = (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const isToken = request.url === "/token";
    const isAuthorized = isToken || request.headers.authorization === `Bearer ${TOKEN}`;
    response.writeHead(isAuthorized ? 200 : 401, { "content-type": "application/json" });
    response.end(JSON.stringify(isToken ? { access_token: TOKEN, token_type: "Bearer", expires_in: 3600 } : {}));
  };
  const tls = { cert: await readFile(files.cert), key: await readFile(files.key), ...options(await readFile(files.ca)) };
  const server = createTlsServer(tls, answer).listen(0, host);
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address();
  const secret = join(directory, "client_secret");
  await writeFile(secret, SECRET, { mode: 0o600 });
  return {
    directory,
    seen,
    ca: files.ca,
    files,
    /** Runs the doctor with these lines in its configuration. It trusts the API's CA unless they name another. */
    async examine(lines, { env = {}, ca = !lines.includes("network.ca_file") } = {}) {
      const file = join(directory, "cupbearer.toml");
      const trust = ca ? `network.ca_file = ${JSON.stringify(files.ca)}` : "";
      const text = [
        'listen = "127.0.0.1:0"',
        `upstream.url = "https://${host}:${port}"`,
        `token.url = "https://${host}:${port}/token"`,
        'token.client_id = "id"',
        `token.client_secret = { file = ${JSON.stringify(secret)} }`,
        lines,
        trust,
        "",
      ];
      await writeFile(file, text.join("\n"));
      const { stdout, stderr, code } = await run(CUPBEARER, ["doctor", "--json", "--config", file], { env });
      for (const hidden of [TOKEN, SECRET]) assert.ok(!(stdout + stderr).includes(hidden));
      const report = JSON.parse(stdout);
      assert.equal(report.exit_code, code, stderr);
      return { ...report, check: (id) => report.checks.find((check) => check.id === id) };
    },
  };
}

/** An IPv4 address of this machine other than loopback, which is never proxied. What is sent to it stays on this machine. */
function ownAddress() {
  const all = Object.values(networkInterfaces()).flat();
  const found = all.find(({ family, internal }) => family === "IPv4" && !internal);
  if (!found) throw new Error("this machine has no address except loopback; as root: ip addr add 192.0.2.1/32 dev lo");
  return found.address;
}

async function certificates(directory, host) {
  assert.ok(library, "libfaketime is missing: tests/run installs it");
  const path = (name) => join(directory, name);
  const openssl = async (...args) => {
    // Valid from the day before, for the test with a clock that is behind.
    const { code, stderr } = await run("openssl", args, { env: { LD_PRELOAD: library, FAKETIME: "-1d" } });
    assert.equal(code, 0, stderr);
  };
  const newKey = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509"];
  const days = ["-days", "3"];
  await openssl(...newKey, ...days, "-subj", "/CN=API CA", "-keyout", path("ca.key"), "-out", path("ca.pem"));
  const names = ["-addext", `subjectAltName=IP:${host}`, "-addext", "basicConstraints=critical,CA:FALSE"];
  const issuer = ["-CA", path("ca.pem"), "-CAkey", path("ca.key")];
  const subject = ["-subj", "/CN=API", "-keyout", path("api.key"), "-out", path("api.pem")];
  await openssl(...newKey, ...days, ...names, ...issuer, ...subject);
  return { ca: path("ca.pem"), cert: path("api.pem"), key: path("api.key") };
}
