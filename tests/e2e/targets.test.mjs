// What packaging/build compiles, without optimisation. Here for this machine; with FULL_SIZE=1 (tests/long targets) also
// in a second folder from nothing, for aarch64 (run by qemu), for Windows (run by Wine), and the .deb in a bare Debian;
// what is compiled for Windows and macOS then has no warnings.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { arch, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { CUPBEARER, curl, run, start, startProxy, statusOf, temporaryDirectory, until } from "./support.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILD = join(ROOT, "packaging/build");
const TARGET = `${arch() === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-musl`;
const VERSION = /^version = "(.+)"/m.exec(readFileSync(join(ROOT, "Cargo.toml"), "utf8"))[1];

/** A build for another target compiles all dependencies again. */
const COMPILE_LIMIT_MS = 3_600_000;

/** From the archive to the first response. */
const FIRST_RESPONSE_S = 10;

const testFully = process.env.FULL_SIZE ? test : () => {};

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
  const names = (entries) => entries.map(({ name, version }) => `${name} ${version}`).sort();
  const compiledIn = packages.filter(({ root, kind }) => !root && kind !== "build");
  assert.deepEqual(names(components), names(compiledIn));
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


testFully("compiled from nothing in another folder, the program has the same bytes", async (t) => {
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

testFully("for aarch64, the archive's demo answers a request within ten seconds, under qemu", async (t) => {
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

testFully("for Windows, the program serves curl under Wine", async (t) => {
  const target = "x86_64-pc-windows-gnu";
  const binary = await compile(target);
  const directory = await temporaryDirectory(t);
  const wine = { WINEPREFIX: join(directory, "wine"), WINEDEBUG: "-all" };
  await succeeds("wine", ["wineboot", "--init"], { env: wine });
  t.after(() => run("wineserver", ["--kill"], { env: wine }));
  const { folder, started } = await unpacked(t, target, binary);
  writeFileSync(join(folder, "random.c"), RANDOM);
  await succeeds("x86_64-w64-mingw32-gcc", ["-shared", "-o", join(folder, "bcryptprimitives.dll"), join(folder, "random.c"), "-ladvapi32"]);
  const exe = join(folder, "cupbearer.exe");
  const options = { under: ["wine"], binary: exe };
  await answers(t, started, { ...options, env: wine });
});
