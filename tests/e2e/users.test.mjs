// Other users of the machine: what they can reach, and what they can learn from a running proxy.
//
// The proxy runs as the user of the tests. setpriv acts as another user, which needs root or sudo.

import assert from "node:assert/strict";
import { chmod, copyFile, lstat, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startApi } from "./api.mjs";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { freePort } from "./nginx.mjs";
import { CUPBEARER, curl, run, setUp, start, temporaryDirectory, writeConfiguration } from "./support.mjs";

const OTHER = 65534;
const OWN = process.getuid();

/** What precedes a command that runs as another user, who cannot run programs in this user's home directory. */
const AS_OTHER = [
  ...(OWN === 0 ? [] : ["sudo", "-n"]),
  ...["setpriv", `--reuid=${OTHER}`, `--regid=${OTHER}`, "--clear-groups", "--"],
  ...["env", "PATH=/usr/local/bin:/usr/bin:/bin"],
];

function asOther(...command) {
  const [program, ...args] = [...AS_OTHER, ...command];
  return run(program, args);
}

const python = (...args) => asOther("python3", "-c", ...args);

const CURL = ["curl", "--disable", "--noproxy", "*", "--silent", "--show-error", "--max-time", "20"];

/** Sends N requests, each on its own connection, and prints as JSON how often each status was received. */
const ASK = `
import collections, http.client, json, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
statuses = collections.Counter()
for _ in range(count):
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request("GET", "/api/v1/certificates", headers={"Host": "localhost"})
    answer = connection.getresponse()
    answer.read()
    statuses[answer.status] += 1
    connection.close()
print(json.dumps(statuses))
`;

const port = (proxy) => new URL(proxy.url).port;

/** Starts a proxy that listens on `listen`, with its servers. `find` is what its banner must contain. */
async function listening(t, listen, find, config = "") {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const file = await writeConfiguration(await temporaryDirectory(t), { authorizationServer, api, client: "basic", config });
  const again = async () => {
    const proxy = await start(["--config", file, "--listen", listen], ({ stderr }) => find.exec(stderr));
    t.after(() => proxy.stop());
    return proxy;
  };
  return { api, file, again, proxy: await again() };
}

test("another user is rejected 100 of 100 times with a remedy, and the proxy's own user is accepted 100 of 100 times", async (t) => {
  const { api, proxy } = await setUp(t);
  const refused = await python(ASK, "127.0.0.1", port(proxy), "100");
  assert.deepEqual(JSON.parse(refused.stdout), { 403: 100 }, refused.stderr);
  const { stdout } = await asOther(...CURL, `${proxy.url}/api/v1/certificates`);
  const { status, reason, detail } = JSON.parse(stdout);
  assert.deepEqual({ status, reason }, { status: 403, reason: "user_refused" });
  const users = [...new Set([0, OWN, OTHER])].join(", ");
  for (const part of [`user id ${OTHER}`, `user id ${OWN}`, `guard.local_users = [${users}]`]) {
    assert.ok(detail.includes(part), detail);
  }
  assert.equal(api.seen.length, 0);
  const passed = await run("python3", ["-c", ASK, "127.0.0.1", port(proxy), "100"]);
  assert.deepEqual(JSON.parse(passed.stdout), { 200: 100 }, passed.stderr);
});

test("a DELETE whose sender closes the socket at once never reaches the API, in 1,000 attempts", async (t) => {
  const { api, proxy } = await setUp(t);
  const SEND = `
import socket, struct, sys
for number in range(100):
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    if number % 3 == 2: # closes with a reset
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sendall(b"DELETE /api/v1/certificates/first HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    client.close()
`;
  for (let round = 0; round < 10; round++) {
    // Every other time the proxy is stopped meanwhile, so that it accepts connections that are already closed.
    if (round % 2 === 0) proxy.signal("SIGSTOP");
    const { code, stderr } = await python(SEND, port(proxy));
    proxy.signal("SIGCONT");
    assert.equal(code, 0, stderr);
    const { stdout } = await run("python3", ["-c", ASK, "127.0.0.1", port(proxy), "1"]);
    assert.deepEqual(JSON.parse(stdout), { 200: 1 });
  }
  assert.deepEqual(api.seen.map(({ method }) => method), Array(10).fill("GET"));
});

test("users are told apart on every loopback address, and for IPv4-mapped addresses", async (t) => {
  const { proxy } = await listening(t, "localhost:0", /listens on\s+(http:\/\/\S+:(\d+))/);
  const hosts = /http:\/\/\[::1\]/.test(proxy.output.stderr) ? ["127.0.0.1", "::1", "::ffff:127.0.0.1"] : ["127.0.0.1"];
  for (const host of hosts) {
    const args = [ASK, host, proxy.found[2], "10"];
    assert.deepEqual(JSON.parse((await python(...args)).stdout), { 403: 10 }, host);
    assert.deepEqual(JSON.parse((await run("python3", ["-c", ...args])).stdout), { 200: 10 }, host);
  }
});

test("guard.local_users accepts every user or exactly the listed ones", async (t) => {
  for (const [users, other, own] of [
    ['"any"', 200, 200],
    [`[${OTHER}]`, 200, 403],
  ]) {
    const { proxy } = await setUp(t, { config: `[guard]\nlocal_users = ${users}` });
    const args = [ASK, "127.0.0.1", port(proxy), "3"];
    assert.deepEqual(JSON.parse((await python(...args)).stdout), { [other]: 3 });
    assert.deepEqual(JSON.parse((await run("python3", ["-c", ...args])).stdout), { [own]: 3 });
    assert.equal(proxy.output.stderr.includes("every user of this machine may connect"), users === '"any"');
  }
});

test("a Unix socket is accessible to its owner only, and guard.local_users applies in addition to its mode", async (t) => {
  const directory = await temporaryDirectory(t);
  await chmod(directory, 0o755);
  const socket = join(directory, "made", "api.sock");
  const { api, proxy, file } = await listening(t, `unix:${socket}`, /listens on\s+unix:/);
  assert.equal((await lstat(join(directory, "made"))).mode & 0o777, 0o700);
  assert.equal((await lstat(socket)).mode & 0o777, 0o600);
  const CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])";
  assert.match((await python(CONNECT, socket)).stderr, /PermissionError: \[Errno 13\]/);
  await chmod(join(directory, "made"), 0o755);
  assert.match((await python(CONNECT, socket)).stderr, /PermissionError: \[Errno 13\]/);
  await chmod(socket, 0o666);
  const target = ["--unix-socket", socket, "http://anything/api/v1/certificates"];
  assert.match((await asOther(...CURL, ...target)).stdout, /user_refused/);
  assert.equal(api.seen.length, 0);
  const own = await curl("--write-out", "%{http_code}", ...target);
  assert.match(own.stdout, /200$/);
  const check = await run(CUPBEARER, ["check", "--config", file, "--listen", `unix:${socket}`]);
  assert.match(check.stdout, new RegExp(`listen +"unix:${socket}" +--listen`));
  assert.match(check.stdout, /listen_mode +"0600" +default/);
  assert.equal(await proxy.stop(), 0);
  await assert.rejects(lstat(socket), { code: "ENOENT" });
});

test("an abandoned socket is replaced, but not a socket in use, a file or a symbolic link", async (t) => {
  const directory = await temporaryDirectory(t);
  const socket = join(directory, "api.sock");
  const { proxy, again, file } = await listening(t, `unix:${socket}`, /listens on\s+unix:/);
  const second = await run(CUPBEARER, ["--config", file, "--listen", `unix:${socket}`]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another program listens there/);
  await proxy.stop("SIGKILL");
  await lstat(socket);
  await again();
  assert.match((await curl("--unix-socket", socket, "http://localhost/api/v1/certificates")).stdout, /first/);
  const precious = join(directory, "file");
  await writeFile(precious, "precious");
  const link = join(directory, "link");
  await symlink(socket, link);
  const at = (path) => run(CUPBEARER, ["--config", file, "--listen", `unix:${path}`]);
  for (const path of [precious, link]) {
    const { code, stderr } = await at(path);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /exists and is not a socket/);
  }
  assert.equal(await readFile(precious, "utf8"), "precious");
  assert.ok((await lstat(link)).isSymbolicLink());
});

// Runs a program with a seccomp filter that denies netlink sockets (family 16), as some container runtimes do. If the
// first argument is "hide", the program finds no /proc either.
const WITHOUT_NETLINK = `
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
how, *program = sys.argv[1:]
if how == "hide":
    assert libc.unshare(0x20000) == 0 and libc.mount(b"none", b"/", None, 0x44000, None) == 0, ctypes.get_errno()
    assert libc.mount(b"none", b"/proc", b"tmpfs", 0, None) == 0, ctypes.get_errno()
number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
code = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 16), (0x06, 0, 0, 0x50000 | 93), (0x06, 0, 0, 0x7fff0000)]
buffer = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(code), ctypes.addressof(buffer))), 0, 0) == 0, ctypes.get_errno()
os.execv(program[0], program)
`;

test("without sock_diag, users are told apart by the kernel's table of sockets", async (t) => {
  const { api, file, proxy: before } = await listening(t, "127.0.0.1:0", /listens on\s+http/);
  await before.stop();
  const listens = /listens on\s+(http:\/\/127\.0\.0\.1:\d+)/;
  const under = ["python3", "-c", WITHOUT_NETLINK, "show"];
  const proxy = await start(["--config", file, "--listen", "127.0.0.1:0"], ({ stderr }) => listens.exec(stderr), { under });
  t.after(() => proxy.stop());
  const path = `${proxy.found[1]}/api/v1/certificates`;
  const { stdout } = await asOther(...CURL, path);
  assert.equal(JSON.parse(stdout).reason, "user_refused");
  assert.equal(api.seen.length, 0);
  assert.equal((await run(CURL[0], [...CURL.slice(1), "--fail", path])).code, 0);
  assert.equal(api.seen.length, 1);
});

test("a proxy that cannot tell users apart does not start and says what to write", async (t) => {
  const { api, file, proxy } = await listening(t, "127.0.0.1:0", /listens on\s+http/);
  await proxy.stop();
  const words = ["-c", WITHOUT_NETLINK, "hide", CUPBEARER, "--config", file];
  const denied = (limitMs, ...args) => run("python3", [...words, ...args], { limitMs });
  const { code, stderr } = await denied(20_000);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /cannot identify the user who opened .*write listen = \\"unix:\/PATH\\".* every user .*guard\.local_users = \\"any\\"/);
  const any = await denied(5000, "--set", "guard.local_users=any"); // runs until the time limit
  assert.match(any.stderr, /listens on\s+http/);
  assert.equal(api.seen.length, 0);
});

test("another process of the same user can read neither environment nor memory nor a core file", async (t) => {
  const directory = await temporaryDirectory(t);
  await chmod(directory, 0o755);
  const binary = join(directory, "cupbearer");
  await copyFile(CUPBEARER, binary);
  await chmod(binary, 0o755);
  const cwd = join(directory, "cwd"); // where a core file would be written
  await mkdir(cwd);
  await chmod(cwd, 0o777);
  const secret = CLIENTS.basic.secret;
  const LOOK = `
import ctypes, json, os, signal, subprocess, sys, time
child = subprocess.Popen([sys.argv[1], "--set", "upstream.url=http://127.0.0.1:9", "--set", "token.url=http://127.0.0.1:9/t",
    "--set", "token.client_id=id", "--listen", "127.0.0.1:0"], env={"CUPBEARER_TOKEN__CLIENT_SECRET": sys.argv[2]},
    cwd=sys.argv[3], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
for line in child.stderr:
    if b"listens on" in line: break
found = {"uid": os.getuid()}
for name in ["environ", "mem", "maps", "fd", "auxv"]:
    try:
        path = f"/proc/{child.pid}/{name}"
        found[name] = "read" if (os.listdir(path) if name == "fd" else open(path, "rb").read(1)) else "empty"
    except OSError as error: found[name] = error.errno
libc = ctypes.CDLL(None, use_errno=True)
found["ptrace"] = "attached" if libc.ptrace(16, child.pid, 0, 0) == 0 else ctypes.get_errno()
found["cmdline"] = open(f"/proc/{child.pid}/cmdline").read()
found["limit"] = [line.split()[4:6] for line in open(f"/proc/{child.pid}/limits") if "core file" in line][0]
os.kill(child.pid, signal.SIGABRT)
_, status = os.waitpid(child.pid, 0)
found["signal"], found["core"] = os.WTERMSIG(status), os.WCOREDUMP(status)
found["files"] = os.listdir(sys.argv[3])
print(json.dumps(found))
`;
  const { stdout, stderr } = await python(LOOK, binary, secret, cwd);
  const { cmdline, ...found } = JSON.parse(stdout || fail(stderr));
  assert.ok(!cmdline.includes(secret));
  const [EPERM, EACCES] = [1, 13];
  const expected = { uid: OTHER, environ: EACCES, mem: EACCES, maps: EACCES, fd: EACCES, auxv: EACCES, ptrace: EPERM };
  assert.deepEqual(found, { ...expected, limit: ["0", "0"], signal: 6, core: false, files: [] });
});

function fail(message) {
  throw new Error(message);
}

test("health and wait do not accept a proxy that does not admit their user, unless --admin names its address", async (t) => {
  const directory = await temporaryDirectory(t);
  await chmod(directory, 0o755);
  const binary = join(directory, "cupbearer");
  await copyFile(CUPBEARER, binary);
  await chmod(binary, 0o755);
  const address = `127.0.0.1:${await freePort()}`;
  const admin = `[admin]\nlisten = "${address}"`;
  const { file } = await setUp(t, { config: admin });
  const readable = join(directory, "cupbearer.toml");
  await copyFile(file, readable);
  await chmod(readable, 0o644);
  for (const [command, code] of [[["wait", "--max", "2s"], 5], [["health"], 1], [["health", "--ready"], 1]]) {
    const found = await asOther(binary, ...command, "--config", readable);
    const said = `${found.stdout}${found.stderr}`.replace(/\s+/g, " ");
    assert.equal(found.code, code, said);
    assert.match(said, new RegExp(`runs as user id ${OWN} and does not admit this user.*guard\\.local_users.*--admin`));
    const chosen = await asOther(binary, ...command, "--config", readable, "--admin", address);
    assert.equal(chosen.code, 0, chosen.stderr);
    assert.equal((await run(binary, [...command, "--config", readable])).code, 0);
  }
});

test("health and wait accept the proxy of their own user, even if guard.local_users does not list that user", async (t) => {
  const address = `127.0.0.1:${await freePort()}`;
  const { file } = await setUp(t, { config: `[guard]\nlocal_users = [${OTHER}]\n[admin]\nlisten = "${address}"` });
  for (const command of [["health"], ["wait", "--max", "5s"]]) {
    const found = await run(CUPBEARER, [...command, "--config", file]);
    assert.equal(found.code, 0, found.stderr);
  }
});
