// The image: its content, and its use as a sidecar: on a read-only file system, without IPv6, without capabilities,
// with a client of another user. It contains the binary under test; with FULL_SIZE=1 (`tests/long image`) it contains
// what the Dockerfile compiles, and is then also static, small, and without the demo. Needs root.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createServer as createSecureServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createSecureContext } from "node:tls";
import { startApi } from "./api.mjs";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { buildImage, COMPILES, filesBelow, ROOT, runImage } from "./image.mjs";
import { ip, testInNamespace } from "./namespace.mjs";
import { registerSecret } from "./printed.mjs";
import { run, temporaryDirectory, until } from "./support.mjs";

const MIB = 1 << 20;
const PROXY = "http://localhost:6749/api/v1/certificates";

/** Makes chroot run a program as the image's user. */
const AS = ["--userspec=65532:65532"];

let image;

/** Defines a test that needs no namespace, and does not run again inside the namespaces of the others. */
const testOutside = process.env.CUPBEARER_IMAGE ? () => {} : test;

/** Defines a test of what the Dockerfile compiles. */
const testCompiled = COMPILES ? testOutside : () => {};

// The second process, inside a namespace, gets the path of the image from the first one.
if (process.env.CUPBEARER_IMAGE) {
  image = JSON.parse(readFileSync(process.env.CUPBEARER_IMAGE, "utf8"));
} else {
  const directory = mkdtempSync(join(tmpdir(), "cupbearer-image-"));
  before(() => {
    const started = Date.now();
    image = buildImage(directory);
    image.seconds = ((Date.now() - started) / 1000).toFixed(0);
    process.env.CUPBEARER_IMAGE = join(directory, "image.json");
    writeFileSync(process.env.CUPBEARER_IMAGE, JSON.stringify(image));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));
}

testOutside("the image contains the binary, its folder and the certificate authorities, and nothing else", () => {
  const authorities = ["etc/ssl", "etc/ssl/certs", "etc/ssl/certs/ca-certificates.crt"];
  assert.deepEqual([...filesBelow(image.files).keys()].sort(), ["cupbearer", "etc", "etc/cupbearer", ...authorities]);
});

testCompiled("compiled by the Dockerfile, the image has less than 30 MiB", (t) => {
  const bytes = [...filesBelow(image.files).values()].reduce((sum, size) => sum + size, 0);
  t.diagnostic(`figure: built in ${image.seconds} s, compiling only changes`);
  t.diagnostic(`figure: the image, compiled without optimisation: ${(bytes / MIB).toFixed(1)} MiB`);
  assert.ok(bytes < 30 * MIB, `${bytes} bytes`);
});

testCompiled("compiled by the Dockerfile, the binary is static, so it needs no base", async () => {
  const headers = await run("readelf", ["--program-headers", "--dynamic", join(image.files, "cupbearer")]);
  assert.equal(headers.code, 0, headers.stderr);
  assert.ok(!/INTERP|NEEDED/.test(headers.stdout), headers.stdout);
});

testOutside("the image has labels, a numeric user, SIGTERM as its stop signal and a health check", () => {
  const { config } = image;
  assert.match(config.User, /^[1-9]\d+:[1-9]\d+$/);
  assert.deepEqual(config.Entrypoint, ["/cupbearer"]);
  assert.equal(config.StopSignal, "SIGTERM");
  assert.deepEqual(config.Healthcheck.Test, ["CMD", "/cupbearer", "health"]);
  const label = (name) => config.Labels[`org.opencontainers.image.${name}`];
  assert.equal(label("title"), "cupbearer");
  assert.equal(label("licenses"), "Apache-2.0");
  assert.equal(label("revision"), "0123abc");
});

testCompiled("compiled by the Dockerfile, the program has neither the demo nor support for keyrings", async (t) => {
  const inside = (...args) => run("chroot", [...AS, image.files, "/cupbearer", ...args]);
  assert.match((await inside("--version")).stdout, /^cupbearer \d/);
  const demo = await inside("demo");
  assert.equal(demo.code, 2, demo.stderr);
  assert.match(demo.stderr, /unrecognized subcommand 'demo'/);
  const file = join(await temporaryDirectory(t), "cupbearer.toml");
  const lines = ['upstream.url = "https://a.example"', 'token.url = "https://a.example/t"', 'token.client_id = "x"'];
  writeFileSync(file, [...lines, 'token.client_secret = { keyring = "a/b" }'].join("\n"));
  const keyring = await run(join(image.files, "cupbearer"), ["check", "--config", file]);
  assert.match(keyring.stderr, /this build does not support keyrings/);
});

testInNamespace("with the shipped sidecar file a client of another user gets a 200, and SIGTERM stops the container with exit code 0", async (scene) => {
  const { directory, env, mounts, api } = await setUp(scene);
  const etc = join(directory, "etc");
  mkdirSync(etc);
  cpSync(join(ROOT, "config/sidecar/sidecar.toml"), join(etc, "cupbearer.toml"));
  chownSync(join(etc, "cupbearer.toml"), 1234, 1234); // a mounted file may be anyone's
  const container = runImage(scene, directory, image, { env, mounts: [...mounts, [etc, "/etc/cupbearer"]] });
  const probe = (...more) => container.exec([...image.config.Healthcheck.Test.slice(1), ...more]);
  await until(async () => (await probe("--ready")).code === 0, `not ready: ${container.output()}`);
  assert.deepEqual(await probe(), { code: 0, text: "live\n" });
  const answer = await ask(PROXY);
  assert.equal(answer.status, 200, answer.body + container.output());
  assert.equal(api.seen.length, 1);
  assert.match(container.output(), /127\.0\.0\.1:6749/);
  assert.ok(!container.output().includes("[::1]"), "IPv6 is disabled");
  // Prometheus connects by IP address. That listener has neither the status nor commands.
  assert.match((await ask("http://127.0.0.1:6751/metrics")).body, /cupbearer_token_state\{state="fresh"\} 1/);
  assert.equal((await ask("http://127.0.0.1:6751/status")).status, 404);
  assert.equal(await container.stop(image.config.StopSignal), 0, container.output());
});

testInNamespace("with the defaults such a client is rejected with the configuration key to set", async (scene) => {
  const { directory, env, mounts, api } = await setUp(scene);
  const container = runImage(scene, directory, image, { env, mounts });
  await until(async () => (await container.exec(["/cupbearer", "health", "--ready"])).code === 0, "not ready");
  const { status, body } = await ask(PROXY);
  assert.equal(status, 403, body);
  const problem = JSON.parse(body);
  assert.equal(problem.reason, "user_refused");
  for (const part of ["user id 65534", "user id 65532", "guard.local_users = [0, 65532, 65534]"]) {
    assert.ok(problem.detail.includes(part), problem.detail);
  }
  assert.equal(api.seen.length, 0);
});

testInNamespace("the image trusts only the certificate authorities that it contains", async (scene) => {
  const { directory, env, mounts } = await setUp(scene);
  const [trusted, unknown] = ["trusted", "unknown"].map((name) => certificateOf(directory, name));
  const bundle = [trusted.ca, "/etc/ssl/certs/ca-certificates.crt"];
  let upstream = unknown;
  const server = createSecureServer({ SNICallback: (_, answer) => answer(null, contextOf(upstream)) }, (_, response) => response.end("{}"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scene.after(() => server.close());
  const here = { ...env, CUPBEARER_UPSTREAM__URL: `https://localhost:${server.address().port}`, CUPBEARER_GUARD__LOCAL_USERS: "any" };
  const container = runImage(scene, directory, image, { env: here, mounts: [...mounts, bundle] });
  await until(async () => (await container.exec(["/cupbearer", "health", "--ready"])).code === 0, "not ready");
  const { status, body } = await ask(PROXY);
  assert.deepEqual([status, JSON.parse(body).reason], [502, "upstream_tls"], body);
  upstream = trusted;
  assert.deepEqual(await ask(PROXY), { status: 200, body: "{}" });
});

testInNamespace("the system calls that cupbearer.service allows are sufficient", async (scene) => {
  const unit = readFileSync(join(ROOT, "config/sidecar/cupbearer.service"), "utf8");
  const lines = [...unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)].map(([, not, sets]) => [not, sets.split(" ").flatMap(callsOf)]);
  assert.deepEqual(lines.map(([not]) => not), ["", "~"]);
  const [[, allowed], [, denied]] = lines;
  const calls = [...allowed.filter((call) => !denied.includes(call)), ...callsOf("@default")]; // systemd always allows these
  assert.ok(calls.length > 200 && !calls.includes("setrlimit") && !calls.includes("chroot"));
  const { directory, env, mounts } = await setUp(scene);
  const container = runImage(scene, directory, image, { env: { ...env, CUPBEARER_GUARD__LOCAL_USERS: "any" }, mounts, calls });
  await until(async () => (await ask("http://127.0.0.1:6750/ready")).status === 200, `not ready: ${container.output()}`);
  assert.equal((await ask(PROXY)).status, 200);
  assert.equal(await container.stop("SIGTERM"), 0, container.output());
});

/** The members of one of systemd's sets of system calls, including nested sets. */
function callsOf(set) {
  const text = execFileSync("systemd-analyze", ["syscall-filter", "--no-pager", set], { encoding: "utf8" });
  const members = text.split("\n").slice(1).map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
  return members.flatMap((member) => (member.startsWith("@") ? callsOf(member) : [member]));
}

/** Creates a certificate authority and its certificate for localhost. */
function certificateOf(directory, name) {
  const [ca, caKey, certificate, key] = ["ca.pem", "ca.key", "pem", "key"].map((end) => join(directory, `${name}.${end}`));
  const make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const openssl = (...args) => execFileSync("openssl", [...make, ...args], { stdio: "ignore" });
  openssl("-subj", `/CN=${name} CA`, "-keyout", caKey, "-out", ca);
  const names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
  openssl("-subj", `/CN=${name}`, ...names, "-CA", ca, "-CAkey", caKey, "-keyout", key, "-out", certificate);
  return { ca, certificate, key };
}

const contextOf = ({ key, certificate }) => createSecureContext({ key: readFileSync(key), cert: readFileSync(certificate) });

testInNamespace("requests through a forwarded port are served, as with ssh -L and kubectl port-forward", async (scene) => {
  await startBehindRelays(scene, "127.0.0.1", {});
  // The forwarded port allows nothing else: another user who connects over loopback is still rejected.
  assert.equal((await ask(PROXY)).status, 403);
});

testInNamespace("requests through a published port are served, as with docker -p", async (scene) => {
  const OUTSIDE = "192.0.2.1"; // a published port is not reached over loopback
  ip(`addr add ${OUTSIDE}/32 dev lo`);
  await startBehindRelays(scene, OUTSIDE, { CUPBEARER_LISTEN: "0.0.0.0:6749", CUPBEARER_GUARD__NETWORK: "open" });
});

/** Runs the image without a configuration file behind relays to `address`, which run as root like sshd and the kubelet. Expects a 200 through each. */
async function startBehindRelays(scene, address, settings) {
  const { directory, env, mounts } = await setUp(scene);
  const container = runImage(scene, directory, image, { env: { ...env, ...settings }, mounts });
  await until(async () => (await container.exec(["/cupbearer", "health", "--ready"])).code === 0, "not ready");
  for (const port of [80, 9000]) {
    await relay(scene, port, address);
    for (const name of ["localhost", "127.0.0.1"]) {
      const { status, body } = await ask(`http://${name}:${port}/api/v1/certificates`);
      assert.equal(status, 200, `${name}:${port}: ${body}`);
    }
  }
}

/** Listens on a port and forwards every byte, as root. */
async function relay(scene, port, to) {
  const server = createServer((client) => {
    const onward = connect(6749, to);
    client.pipe(onward).pipe(client);
    for (const socket of [client, onward]) socket.on("error", () => {});
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  scene.after(() => server.close());
}

/** Prepares a network without IPv6, with an API and its authorization server, and the environment and mounts of a pod. */
async function setUp(scene) {
  writeFileSync("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
  // Hides the machine's control groups, some of which crun rejects. The test sets no limits.
  execFileSync("mount", ["-t", "tmpfs", "none", "/sys/fs/cgroup"]);
  const authorizationServer = await startAuthorizationServer();
  scene.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  scene.after(() => api.close());
  const directory = await temporaryDirectory(scene);
  const { id, secret } = CLIENTS.basic;
  registerSecret(secret, id);
  const secrets = join(directory, "secrets");
  mkdirSync(secrets);
  // Like a Kubernetes volume with fsGroup and defaultMode 0440.
  writeFileSync(join(secrets, "client_secret"), secret, { mode: 0o440 });
  chownSync(join(secrets, "client_secret"), 0, 65532);
  const env = {
    CUPBEARER_UPSTREAM__URL: api.url,
    CUPBEARER_TOKEN__URL: authorizationServer.tokenUrl,
    CUPBEARER_TOKEN__CLIENT_ID: id,
    CUPBEARER_TOKEN__CLIENT_SECRET__FILE: "/run/secrets/cupbearer/client_secret",
    CUPBEARER_LOG__LEVEL: "trace", // leaks.mjs searches it
  };
  return { api, directory, env, mounts: [[secrets, "/run/secrets/cupbearer"]] };
}

/** Sends a request as user 65534, which is not the image's user. */
async function ask(url) {
  const as = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const curl = ["/usr/bin/curl", "--disable", "--noproxy", "*", "--silent", "--max-time", "20", "--write-out", "\n%{http_code}", url];
  const { stdout } = await run("setpriv", [...as, ...curl]);
  const [, body, status] = /^([^]*)\n(\d+)$/.exec(stdout);
  return { status: Number(status), body };
}
