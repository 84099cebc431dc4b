// The tests of packaging at full size (`tests/long packaging`): what packaging/build compiles, without optimisation.
// For this machine, twice in two folders; for aarch64, run by qemu; for Windows, run by Wine; and the .deb in a bare
// Debian.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { arch, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, curl, run, startProxy, statusOf, temporaryDirectory, until, writeConfiguration } from "./support.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILD = join(ROOT, "packaging/build");
const TARGET = `${arch() === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-musl`;
const VERSION = /^version = "(.+)"/m.exec(readFileSync(join(ROOT, "Cargo.toml"), "utf8"))[1];

/** A build for another target compiles all dependencies again. */
const COMPILE_LIMIT_MS = 3_600_000;

/** From the archive to the first response. */
const FIRST_RESPONSE_S = 10;

const scratch = await mkdtemp(join(tmpdir(), "cupbearer-targets-"));
after(() => rm(scratch, { recursive: true, force: true }));

async function succeeds(program, args, options) {
  const { code, stdout, stderr } = await run(program, args, { limitMs: COMPILE_LIMIT_MS, ...options });
  assert.equal(code, 0, `${program} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

/** Compiles in a folder with the sources, and returns the binary. */
async function compile(target, { root = ROOT, env } = {}) {
  const out = await mkdtemp(join(scratch, "compiled-"));
  await succeeds(join(root, "packaging/build"), ["--compile", "--profile", "quick", "--out", out, target], { env });
  return join(out, target, target.includes("windows") ? "cupbearer.exe" : "cupbearer");
}

/** Packages a binary and unpacks the archive; returns the folder with the program. */
async function unpacked(t, target, binary) {
  const out = await temporaryDirectory(t);
  await succeeds(BUILD, ["--binary", binary, "--native", CUPBEARER, "--formats", "deb", "--out", out, target]);
  const archive = readdirSync(out).find((name) => /\.(tar\.gz|zip)$/.test(name));
  const started = performance.now();
  if (archive.endsWith(".zip")) await succeeds("python3", ["-m", "zipfile", "--extract", join(out, archive), out]);
  else await succeeds("tar", ["--extract", "--directory", out, "--file", join(out, archive)]);
  return { folder: join(out, `cupbearer-${VERSION}-${target}`), out, started };
}

const digest = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");

const native = { binary: "" };
before(async () => {
  native.binary = await compile(TARGET);
});

test("the program for this machine is static, and says from which commit and for which target it is", async () => {
  const headers = await succeeds("readelf", ["--program-headers", "--dynamic", native.binary]);
  assert.ok(!/INTERP|NEEDED/.test(headers), headers);
  const commit = (await succeeds("git", ["rev-parse", "HEAD"], { cwd: ROOT })).trim();
  const version = await succeeds(native.binary, ["--version", "--verbose"]);
  assert.match(version, new RegExp(`^cupbearer ${VERSION.replaceAll(".", "\\.")}$`, "m"));
  assert.match(version, new RegExp(`${commit}|${commit.slice(0, 12)}`));
  assert.match(version, new RegExp(TARGET));
});

test("the program lists the crates that it consists of, and they are those of the SBOM", async (t) => {
  const file = join(await temporaryDirectory(t), "list");
  await succeeds("objcopy", ["--dump-section", `.dep-v0=${file}`, native.binary, join(dirname(file), "ignored")]);
  const { packages } = JSON.parse(inflateSync(readFileSync(file)));
  const { out } = await unpacked(t, TARGET, native.binary);
  const { components } = JSON.parse(readFileSync(join(out, readdirSync(out).find((name) => name.endsWith(".cdx.json"))), "utf8"));
  const names = (entries) => entries.filter(({ root }) => !root).map(({ name, version }) => `${name} ${version}`);
  const [all, inProgram, inSbom] = [packages, packages.filter(({ kind }) => kind !== "build"), components].map(names);
  // The SBOM also lists macros, which the program counts among what only builds it.
  assert.deepEqual(inProgram.filter((name) => !inSbom.includes(name)), []);
  assert.deepEqual(inSbom.filter((name) => !all.includes(name)), []);
  assert.ok(inProgram.length > 100, `${inProgram}`);
});

test("no path of this machine is in the program", async () => {
  const text = readFileSync(native.binary, "latin1");
  for (const path of [ROOT, process.env.CARGO_HOME ?? join(process.env.HOME, ".cargo")]) {
    assert.ok(!text.includes(path.replace(/\/$/, "")), path);
  }
});

test("unpacked in an empty folder, the archive's demo answers a request within ten seconds", async (t) => {
  const { folder, started } = await unpacked(t, TARGET, native.binary);
  mkdirSync(join(folder, "tmp"));
  // The demo does not start without certificate authorities either.
  mkdirSync(join(folder, "etc/ssl/certs"), { recursive: true });
  copyFileSync("/etc/ssl/certs/ca-certificates.crt", join(folder, "etc/ssl/certs/ca-certificates.crt"));
  await answers(t, started, { under: ["chroot", folder], binary: "/cupbearer" });
});

/** Starts a demo and asks for its certificates. */
async function answers(t, started, options) {
  const env = { TMPDIR: "/tmp", SSL_CERT_DIR: undefined, SSL_CERT_FILE: undefined, ...options.env };
  const demo = await startProxy(["demo", "--listen", "127.0.0.1:0"], { ...options, env });
  t.after(() => demo.stop("SIGKILL"));
  assert.equal(await statusOf(`${demo.url}/api/v1/certificates`), 200);
  const seconds = (performance.now() - started) / 1000;
  t.diagnostic(`figure: from the archive to the demo's first response: ${seconds.toFixed(1)} s`);
  assert.ok(seconds < FIRST_RESPONSE_S, `${seconds} s`);
  return demo;
}

test("compiled from nothing in another folder, the program has the same bytes", async (t) => {
  const root = join(await temporaryDirectory(t), "elsewhere");
  const git = async (...args) => (await succeeds("git", args, { cwd: ROOT })).trim();
  // The files as they are now, whether they are committed or not; but without a repository, so the commit is given.
  for (const name of (await git("ls-files")).split("\n").filter((name) => existsSync(join(ROOT, name)))) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    copyFileSync(join(ROOT, name), join(root, name));
  }
  const env = {
    SOURCE_DATE_EPOCH: await git("log", "-1", "--format=%ct"),
    CUPBEARER_COMMIT: await git("describe", "--always", "--abbrev=40", "--dirty= with changes", "--exclude=*"),
  };
  assert.equal(digest(await compile(TARGET, { root, env })), digest(native.binary));
});

test("for aarch64, the archive's demo answers a request within ten seconds, under qemu", async (t) => {
  const target = "aarch64-unknown-linux-musl";
  const { folder, started } = await unpacked(t, target, await compile(target));
  // qemu does not emulate the kernel's table of sockets, which tells the user of a connection.
  const env = { CUPBEARER_GUARD__LOCAL_USERS: "any" };
  await answers(t, started, { under: ["qemu-aarch64-static"], binary: join(folder, "cupbearer"), env });
});

/** Windows' own function, which Debian's Wine lacks: Rust's standard library takes its random numbers from it. */
const RANDOM = `#include <windows.h>
BOOLEAN WINAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) { return SystemFunction036(data, (ULONG)length); }
`;

test("for Windows, the program serves curl under Wine", async (t) => {
  const target = "x86_64-pc-windows-gnu";
  const binary = await compile(target);
  const directory = await temporaryDirectory(t);
  const wine = { WINEPREFIX: join(directory, "wine"), WINEDEBUG: "-all" };
  await succeeds("wine", ["wineboot", "--init"], { env: wine });
  t.after(() => run("wineserver", ["--kill"], { env: wine }));
  const [source, library] = ["random.c", "bcryptprimitives.dll"].map((name) => join(directory, name));
  writeFileSync(source, RANDOM);
  await succeeds("x86_64-w64-mingw32-gcc", ["-shared", "-o", library, source, "-ladvapi32"]);
  const { folder, started } = await unpacked(t, target, binary);
  copyFileSync(library, join(folder, "bcryptprimitives.dll"));
  const exe = join(folder, "cupbearer.exe");
  const options = { under: ["wine"], binary: exe };
  const demo = await answers(t, started, { ...options, env: wine });
  assert.match(demo.output.stderr, /C:\\users\\/);

  const command = (...args) => run("wine", [exe, ...args], { env: wine });
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = await startSlowApi(t);
  const file = await writeConfiguration(directory, { authorizationServer, api, client: "basic" });
  const checked = await command("check", "--config", file);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);

  const startHere = async () => {
    const proxy = await startProxy(["run", "--config", file], { ...options, env: { ...wine, CUPBEARER_ADMIN__LISTEN: "127.0.0.1:0" } });
    const [, admin] = /admin\s+http:\/\/(\S+:\d+)/.exec(proxy.output.stderr);
    return { proxy, admin };
  };
  const interrupted = await startHere();
  const slow = curl("--write-out", "%{http_code}", `${interrupted.proxy.url}/slow`);
  await until(() => api.waiting.length === 1, "the API has the request");
  const stopped = interrupted.proxy.stop("SIGINT"); // Wine makes Ctrl-C of it
  await until(() => interrupted.proxy.output.stderr.includes("stopping"), "Ctrl-C has arrived");
  api.waiting[0].end("at last ");
  assert.equal((await slow).stdout, "at last 200");
  assert.equal(await stopped, 0, interrupted.proxy.output.stderr);

  const { proxy, admin } = await startHere();
  const status = await command("status", "--config", file, "--admin", admin);
  assert.match(status.stdout, /token\s+fresh/, status.stderr);
  const quit = await command("quit", "--config", file, "--admin", admin);
  assert.equal(quit.code, 0, quit.stdout + quit.stderr);
  assert.equal(await proxy.stop("SIGCONT"), 0);

  const secret = CLIENTS.basic.secret;
  registerSecret(secret);
  writeFileSync(join(directory, "secret"), secret);
  const out = join(directory, "init.toml");
  const flags = ["--upstream", `${api.url}/docs`, "--token-endpoint", authorizationServer.tokenUrl, "--client-id", CLIENTS.basic.id];
  const init = await command("init", ...flags, "--secret-file", join(directory, "secret"), "--out", out);
  assert.ok(existsSync(out), init.stdout + init.stderr);
  const text = readFileSync(out, "utf8");
  assert.ok(text.includes(authorizationServer.tokenUrl), text);
  assert.ok(!/unix:|\/run\/|\/etc\//.test(text), text);
  const help = await command("--help");
  const [, commands] = /^Commands:\n([^]*?)\n\n/m.exec(help.stdout);
  const helps = [help];
  for (const [, name] of commands.matchAll(/^ {2}([a-z]+) /gm)) helps.push(await command(name, "--help"));
  assert.ok(helps.length > 10, commands);
  for (const told of [checked, status, quit, init, ...helps]) assert.ok(!/unix:|\bkill\b|chmod|SIGTERM|\/run\//.test(told.stdout + told.stderr), told.stdout + told.stderr);
  const unix = await command("check", "--config", file, "--listen", "unix:/tmp/x.sock");
  assert.match(unix.stderr, /this system does not support\s+write "localhost:6749"$/m);
});

/** An API whose responses wait until a test ends them. */
async function startSlowApi(t) {
  const waiting = [];
  const server = createServer((_, response) => waiting.push(response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close().closeAllConnections());
  return { url: `http://127.0.0.1:${server.address().port}`, waiting };
}

test("in a bare Debian, the .deb installs, keeps the configuration when it is upgraded, and leaves nothing when it is purged", async (t) => {
  const machine = join(await temporaryDirectory(t), "machine");
  const { out } = await unpacked(t, TARGET, native.binary);
  const newer = await temporaryDirectory(t);
  await succeeds(BUILD, ["--binary", native.binary, "--version", "99.0.0", "--formats", "deb", "--out", newer, TARGET]);
  await succeeds("/usr/sbin/debootstrap", ["--variant=minbase", "bookworm", machine]);
  const files = join(machine, "packages");
  mkdirSync(files);
  for (const folder of [out, newer]) {
    for (const name of readdirSync(folder).filter((name) => name.endsWith(".deb"))) copyFileSync(join(folder, name), join(files, name));
  }
  writeFileSync(join(files, "script"), `set -euo pipefail
    exec 2>&1
    list() { find / -xdev -path '*cupbearer*' -not -path '/packages/*' | sort; }
    list >/packages/before
    ! command -v systemctl cargo
    echo "== install"
    dpkg --install /packages/cupbearer_${VERSION}-*.deb
    echo "== user"
    getent passwd cupbearer
    echo "== modes"
    stat --format '%A %U:%G %n' /etc/cupbearer /etc/cupbearer/cupbearer.toml /usr/bin/cupbearer
    echo "== run"
    cupbearer --version
    echo "== upgrade"
    echo '# mine' >>/etc/cupbearer/cupbearer.toml
    dpkg --install /packages/cupbearer_99*.deb
    dpkg-query --show cupbearer
    tail -n 1 /etc/cupbearer/cupbearer.toml
    stat --format '%A %U:%G %n' /etc/cupbearer/cupbearer.toml
    echo "== purge"
    dpkg --purge cupbearer
    echo "== left"
    list | comm -13 /packages/before -
    getent passwd cupbearer || getent group cupbearer || true
  `);
  const enter = `mount -t proc proc ${machine}/proc; mount --rbind /dev ${machine}/dev; mount -t tmpfs none ${machine}/run; exec chroot ${machine} /bin/bash /packages/script`;
  const printed = await succeeds("unshare", ["--mount", "--propagation", "private", "bash", "-euc", enter], {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive" },
  });
  const part = (name) => new RegExp(`^== ${name}\n([^]*?)(?=^== |$(?![^]))`, "m").exec(printed)[1];
  assert.match(part("install"), /guard\.local_users = \[0, 1000\]/);
  assert.match(part("user"), /^cupbearer:.*:\/usr\/sbin\/nologin$/m);
  assert.equal(part("modes"), "drwxr-x--- root:cupbearer /etc/cupbearer\n-rw-r----- root:cupbearer /etc/cupbearer/cupbearer.toml\n-rwxr-xr-x root:root /usr/bin/cupbearer\n");
  assert.equal(part("run"), `cupbearer ${VERSION}\n`);
  assert.match(part("upgrade"), /^cupbearer\s+99\.0\.0.*\n# mine\n-rw-r----- root:cupbearer \/etc\/cupbearer\/cupbearer\.toml\n$/m);
  assert.equal(part("left"), "");
});
