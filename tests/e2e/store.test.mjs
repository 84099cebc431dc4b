// token.store: the sign-in of a person outlives the process, and several processes share it, although each refresh
// token can be used only once.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { startSession } from "./keyring_session.mjs";
import { browserSignIn, signIn, startLoginServer } from "./login_server.mjs";
import { portToRegister, startPersonsApi, startPersonsProxy, writePersonsConfiguration } from "./sign_ins.mjs";
import { CUPBEARER, curl, run, start, temporaryDirectory, until, withResolvers } from "./support.mjs";

async function setUp(t, { store, env, ...options } = {}) {
  const api = await startPersonsApi(t);
  const redirectUrl = `http://127.0.0.1:${await portToRegister()}/callback`;
  const server = await startLoginServer(t, { redirectUrl, ...options });
  const directory = await temporaryDirectory(t);
  await mkdir(join(directory, "state"), { mode: 0o700 });
  const path = join(directory, "state", "login.json");
  const lines = browserSignIn(server, redirectUrl);
  if (store !== "unset") lines.push(`token.store = ${store ?? `{ file = "${path}" }`}`);
  const file = await writePersonsConfiguration(directory, api.url, lines);
  const startProxy = async (under) => {
    const { proxy, ...addresses } = await startPersonsProxy(t, file, { env, under, signal: "SIGKILL" });
    return { ...proxy, ...addresses };
  };
  return { server, directory: dirname(path), path, file, startProxy };
}

async function logIn(t, { file }, { admin }, who = "ada", env = undefined) {
  const login = ["login", "--config", file, "--admin", new URL(admin).host];
  const command = await start([...login, "--no-browser"], ({ stderr }) => /(http:\/\/127\.0\.0\.1:\d+\/start\/\S+)/.exec(stderr), { env });
  t.after(() => command.stop("SIGKILL"));
  const page = await (await openBrowser(t)).newPage();
  await page.goto(command.found[1]);
  await signIn(page, who);
  assert.equal(await command.stop(0), 0, command.output.stderr);
  return command.output;
}

const get = async (url) => (await curl("--silent", "--output", "/dev/null", "--write-out", "%{http_code}", url)).stdout;
/** The default of the sign-in server: short, so that tokens are renewed within a test. */
const LIFETIME_S = 4;
const refreshes = ({ requests }) => requests.filter((one) => one.grant === "refresh_token");
const mode = async (path) => ((await stat(path)).mode & 0o777).toString(8);

/** Whether the proxy serves a person who is signed in, or says that nobody is; whatever comes first. */
async function settled({ url }) {
  return until(async () => {
    const { stdout } = await curl("--silent", "--write-out", "%{http_code}", url);
    return stdout.endsWith("200") ? "signed in" : /login_required/.test(stdout) && "login_required";
  }, "the proxy is neither signed in nor signed out");
}

test("a sign-in outlives the process in a file that only its user can read, and ends with the sign-out", async (t) => {
  const scene = await setUp(t, { lifetimeS: 30 });
  const first = await scene.startProxy();
  assert.equal(await get(first.url), "503");
  await logIn(t, scene, first);
  assert.equal(await get(first.url), "200");
  assert.deepEqual([await mode(scene.path), await mode(`${scene.path}.lock`)], ["600", "600"]);
  await first.stop();

  const second = await scene.startProxy();
  assert.equal(await get(second.url), "200");
  const status = JSON.parse((await curl("--silent", `${second.admin}/status`)).stdout).proxies[0].token;
  assert.deepEqual([status.sign_in.who, status.sign_in.is_renewed], ["ada of the tests", true]);

  const count = refreshes(scene.server).length;
  const doctor = await run(CUPBEARER, ["doctor", "--config", scene.file]);
  assert.match(doctor.stdout + doctor.stderr, /ada of the tests is signed in/);
  assert.equal(refreshes(scene.server).length, count, "the doctor uses the refresh token");
  const token = await run(CUPBEARER, ["token", "--config", scene.file]);
  assert.equal(token.code, 0, token.stderr);
  assert.match(token.stdout, /^ey/);
  assert.equal(refreshes(scene.server).length, count + 1);

  const left = await run(CUPBEARER, ["logout", "--config", scene.file, "--admin", new URL(second.admin).host]);
  assert.equal(left.code, 0, left.stderr);
  assert.deepEqual(JSON.parse(await readFile(scene.path)).sessions, {});
  assert.equal(await get(second.url), "503");
  await second.stop();
  assert.equal(await settled(await scene.startProxy()), "login_required");
});

test("two proxies on one store make 20 refreshes under load, and lose no request and no session", async (t) => {
  const scene = await setUp(t);
  const proxies = [await scene.startProxy(), await scene.startProxy()];
  await logIn(t, scene, proxies[0]);
  for (const proxy of proxies) await until(async () => (await get(proxy.url)) === "200", "the session is not shared");
  const codes = new Set();
  let isOver = false;
  const load = async ({ url }) => {
    while (!isOver) {
      codes.add(await fetch(url).then((response) => String(response.status), (error) => error.message));
      await new Promise((resolve) => setTimeout(resolve, 10)); // for the other clients
    }
  };
  const clients = proxies.flatMap((proxy) => Array.from({ length: 4 }, () => load(proxy)));
  await until(() => refreshes(scene.server).length >= 20, "there are no 20 refreshes", 120_000).finally(() => { isOver = true; });
  await Promise.all(clients);
  assert.deepEqual([...codes], ["200"]);
  assert.ok(refreshes(scene.server).every((one) => one.status === 200), JSON.stringify(refreshes(scene.server)));
});

test("kill -9 at each step of a refresh leaves a working session or login_required, never a loop", async (t) => {
  const scene = await setUp(t, { lifetimeS: LIFETIME_S });
  const strace = (call, ...more) => ["strace", "-f", "-qq", "-o", "/dev/null", ...more, "-e", `trace=${call}`, "-e", `inject=${call}:signal=SIGKILL`];
  const held = (name) => {
    const holding = new Promise((resolve) => {
      scene.server[name] = () => { resolve(); return new Promise(() => {}); };
    });
    return { name, wait: () => holding };
  };
  const aside = join(scene.directory, ".login.json.new");
  for (const [step, expected, prepare] of [
    ["while room is reserved", "signed in", () => ({ under: strace("fsync", "-P", aside) })],
    ["when the request has been sent", "signed in", () => held("beforeToken")],
    ["when the server has replaced the token", "login_required", () => held("afterToken")],
    ["when the response has been received", "login_required", () => ({ under: strace("lseek", "-P", aside) })],
    ["when the next token has been written aside", "login_required", () => ({ under: strace("?rename,?renameat,?renameat2") })],
    ["when it has been renamed", "signed in", () => ({ under: strace("fsync", "-P", scene.directory) })],
  ]) {
    const before = await scene.startProxy();
    if ((await settled(before)) !== "signed in") await logIn(t, scene, before);
    await before.stop();
    const { name, wait, under } = prepare();
    const killed = scene.startProxy(under).catch((error) => error);
    if (wait) {
      await wait();
      await (await killed).stop("SIGKILL");
      delete scene.server[name];
    } else {
      const proxy = await killed;
      if (proxy instanceof Error) assert.match(proxy.message, /SIGKILL/, step);
      else assert.equal(await proxy.stop(0), "SIGKILL", step);
    }
    const count = refreshes(scene.server).length;
    const started = Date.now();
    const next = await scene.startProxy();
    assert.equal(await settled(next), expected, step);
    for (let request = 0; request < 100; request += 1) await get(next.url);
    // A token is renewed after half of its life at the earliest, however long this machine takes for the requests.
    const due = (Date.now() - started) / (LIFETIME_S * 500);
    const made = refreshes(scene.server).length - count;
    assert.ok(made <= 3 + due, `${step}: a loop of ${made} refreshes where ${due.toFixed(1)} were due`);
    await next.stop();
  }
});

test("a store that cannot be used is an error with a remedy, and the proxy runs on", async (t) => {
  const scene = await setUp(t, { lifetimeS: 30 });
  const { path } = scene;
  const first = await scene.startProxy();
  await logIn(t, scene, first);
  await first.stop();
  const good = await readFile(path);
  const spoil = {
    "does not hold what cupbearer has written there.*sign in again": () => writeFile(path, good.subarray(0, 40)),
    "can be read or written by other users.*chmod 600": () => chmod(path, 0o644),
    "is a symbolic link.*remove": async () => { await rename(path, `${path}.x`); await symlink(`${path}.x`, path); },
    ...(process.getuid() === 0 && { "belongs to another user.*name a file": async () => {
      await rename(path, `${path}.y`);
      await writeFile(path, good, { mode: 0o600 });
      await chown(path, 65534, 65534);
    } }),
    [`is in the directory ${scene.directory}, which other users can write to.*chmod go-w`]: () => chmod(scene.directory, 0o777),
  };
  for (const [complaint, act] of Object.entries(spoil)) {
    await run("rm", ["-f", path]);
    await writeFile(path, good, { mode: 0o600 });
    await act();
    const proxy = await scene.startProxy();
    assert.equal(await settled(proxy), "login_required", complaint);
    await until(() => new RegExp(`token\\.store: .*${complaint}`).test(proxy.output.stderr), `no "${complaint}" in ${proxy.output.stderr}`);
    const doctor = await run(CUPBEARER, ["doctor", "--config", scene.file]);
    assert.match(doctor.stdout + doctor.stderr, /token\.store: /, complaint);
    await proxy.stop();
  }
  await chmod(scene.directory, 0o700);
  // It may be another file that is needed.
  await run("rm", ["-f", path]);
  await writeFile(path, "client_secret", { mode: 0o600 });
  const proxy = await scene.startProxy();
  const { stdout, stderr } = await logIn(t, scene, proxy);
  assert.match(stdout + stderr, /could not be written/);
  assert.equal(await get(proxy.url), "200");
  assert.equal(await readFile(path, "utf8"), "client_secret");
});

test("in a store that is read-only, the refresh token is not used, and a sign-in is kept in memory and said", async (t) => {
  const scene = await setUp(t, { lifetimeS: 30 });
  const first = await scene.startProxy();
  await logIn(t, scene, first);
  await first.stop();
  const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
  const under = [...(process.getuid() === 0 ? [] : ["sudo", "-n"]), "unshare", "--mount", "sh", "-c", script, scene.directory];
  const proxy = await scene.startProxy(under);
  await until(() => /token\.store: .*Read-only file system.*name another file/.test(proxy.output.stderr), "no error");
  assert.equal(await get(proxy.url), "503");
  assert.equal(refreshes(scene.server).length, 0);
  const { stdout, stderr } = await logIn(t, scene, proxy);
  assert.match(stdout + stderr, /ends when this proxy stops, because the refresh token could not be written/);
  assert.equal(await get(proxy.url), "200");
  const left = await run(CUPBEARER, ["logout", "--config", scene.file, "--admin", new URL(proxy.admin).host]);
  assert.match(left.stderr, /could not be removed from the store/);
  assert.equal(await get(proxy.url), "503");
});

/** Locks the file in another process, as one does that renews with a server that takes long. */
async function lockElsewhere(t, path) {
  const script = "import fcntl, sys, time\nfile = open(sys.argv[1], 'r+')\nfcntl.flock(file, fcntl.LOCK_EX)\nprint('locked', flush=True)\ntime.sleep(600)";
  const holder = spawn("python3", ["-c", script, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  return { release: () => holder.kill("SIGKILL") };
}

test("while another process holds the lock, the refresh token is not used, and that of a process that was killed is free", async (t) => {
  const scene = await setUp(t, { lifetimeS: 30 });
  const first = await scene.startProxy();
  await logIn(t, scene, first);
  await first.stop();
  const lock = await lockElsewhere(t, `${scene.path}.lock`);
  const second = await scene.startProxy();
  await until(() => /has been locked by another process for 25 s.*fuser/.test(second.output.stderr), "no error", 40_000);
  assert.equal(refreshes(scene.server).length, 0);
  const { stdout } = await curl("--silent", second.url);
  assert.match(stdout, /token_unavailable/);
  assert.match(stdout, /what this proxy's token\.store names cannot be used/);
  lock.release();
  await until(async () => (await get(second.url)) === "200", "the lock of a process that was killed counts", 60_000);
});

test("a sign-out waits for the lock of another process, says so, and takes place", async (t) => {
  const scene = await setUp(t, { lifetimeS: 30 });
  const proxy = await scene.startProxy();
  await logIn(t, scene, proxy);
  const lock = await lockElsewhere(t, `${scene.path}.lock`);
  const logout = await start(["logout", "--config", scene.file, "--admin", new URL(proxy.admin).host],
    ({ stderr }) => /Still waiting: the proxy removes the refresh token from the store/.test(stderr));
  t.after(() => logout.stop("SIGKILL"));
  // Longer than any other order takes.
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  assert.doesNotMatch(logout.output.stdout + logout.output.stderr, /signed out|no response/);
  assert.equal(await get(proxy.url), "503");
  lock.release();
  assert.equal(await logout.stop(0), 0, logout.output.stderr);
  assert.match(logout.output.stdout, /signed out/);
  assert.deepEqual(JSON.parse(await readFile(scene.path)).sessions, {});
  assert.equal(scene.server.requests.at(-1).path, "/token/revocation");
});

test("a stop, and Ctrl-C in cupbearer token, wait for the refresh token that is in use", async (t) => {
  const scene = await setUp(t, { lifetimeS: 30 });
  const first = await scene.startProxy();
  await logIn(t, scene, first);
  await first.stop();
  const startToken = async () => ({ ...(await start(["token", "--config", scene.file], () => true)) });
  for (const [begin, signal] of [[scene.startProxy, "SIGTERM"], [startToken, "SIGINT"]]) {
    let release;
    const inUse = new Promise((resolve) => {
      scene.server.afterToken = () => { resolve(); return new Promise((done) => { release = done; }); };
    });
    const process = await begin();
    await inUse;
    const ended = process.stop(signal);
    if (signal === "SIGTERM") await until(() => /stopping/.test(process.output.stderr), "it does not stop");
    delete scene.server.afterToken;
    release();
    await ended;
    const next = await scene.startProxy();
    assert.equal(await settled(next), "signed in", signal);
    await next.stop();
  }
});

test("a stop waits for a sign-out, and for a sign-in whose code is exchanged", async (t) => {
  const scene = await setUp(t, { lifetimeS: 30 });
  const proxy = await scene.startProxy();
  const granted = withResolvers();
  const released = withResolvers();
  scene.server.afterToken = () => { granted.resolve(); return released.promise; };
  const words = ["login", "--no-browser", "--config", scene.file, "--admin", new URL(proxy.admin).host];
  const login = await start(words, ({ stderr }) => /(http:\/\/127\.0\.0\.1:\d+\/start\/\S+)/.exec(stderr));
  t.after(() => login.stop("SIGKILL"));
  const page = await (await openBrowser(t)).newPage();
  await page.goto(login.found[1]);
  const signingIn = signIn(page, "ada").catch(() => {}); // the browser waits for the proxy
  await granted.promise;
  const ended = proxy.stop("SIGTERM");
  await until(() => /stopping/.test(proxy.output.stderr), "it does not stop");
  delete scene.server.afterToken;
  released.resolve();
  assert.equal(await ended, 0);
  await signingIn;
  const next = await scene.startProxy();
  assert.equal(await settled(next), "signed in");

  const lock = await lockElsewhere(t, `${scene.path}.lock`);
  const logout = await start(["logout", ...words.slice(2, -1), new URL(next.admin).host], () => true);
  t.after(() => logout.stop("SIGKILL"));
  await until(async () => (await get(next.url)) === "503", "nobody signs out");
  const left = next.stop("SIGTERM");
  await until(() => /stopping/.test(next.output.stderr), "it does not stop");
  lock.release();
  assert.equal(await left, 0);
  assert.deepEqual(JSON.parse(await readFile(scene.path)).sessions, {});
});

test("after the server has ended the session, a sign-in at one proxy is one at the other at once", async (t) => {
  const scene = await setUp(t);
  const proxies = [await scene.startProxy(), await scene.startProxy()];
  await logIn(t, scene, proxies[0]);
  await until(async () => (await get(proxies[1].url)) === "200", "the session is not shared");
  await scene.server.endSessions();
  for (const { url } of proxies) await until(async () => (await get(url)) === "503", "the session does not end");
  // Only one of them has used the refresh token.
  const isRejected = ({ output }) => /has ended the session/.test(output.stderr);
  const rejected = await until(() => proxies.find(isRejected), "no proxy says so");
  await logIn(t, scene, proxies.find((proxy) => proxy !== rejected));
  await until(async () => (await get(rejected.url)) === "200", "it waits as after a rejection", 20_000);
});

test("a sign-out after a reload that names another store empties the former one", async (t) => {
  const scene = await setUp(t, { lifetimeS: 30 });
  const proxy = await scene.startProxy();
  await logIn(t, scene, proxy);
  const text = await readFile(scene.file, "utf8");
  await writeFile(scene.file, text.replace(/token.store = .*/, 'token.store = "memory"'));
  await until(() => /configuration applied/.test(proxy.output.stderr), "it is not applied");
  const left = await run(CUPBEARER, ["logout", "--config", scene.file, "--admin", new URL(proxy.admin).host]);
  assert.equal(left.code, 0, left.stderr);
  assert.deepEqual(JSON.parse(await readFile(scene.path)).sessions, {});
});

test("GNOME Keyring keeps the sign-in, and without one it stays in memory", async (t) => {
  const { env } = await startSession(t);
  const scene = await setUp(t, { store: '"keyring"', env, lifetimeS: 30 });
  const first = await scene.startProxy();
  await logIn(t, scene, first);
  await first.stop();
  const second = await scene.startProxy();
  assert.equal(await settled(second), "signed in");
  const token = await run(CUPBEARER, ["token", "--config", scene.file], { env });
  assert.equal(token.code, 0, token.stderr);
  const left = await run(CUPBEARER, ["logout", "--config", scene.file, "--admin", new URL(second.admin).host]);
  assert.equal(left.code, 0, left.stderr);
  await second.stop();
  assert.equal(await settled(await scene.startProxy()), "login_required");

  const absent = await startSession(t, { keyring: false });
  const without = await setUp(t, { store: '"keyring"', env: absent.env, lifetimeS: 30 });
  const proxy = await without.startProxy();
  assert.equal(await settled(proxy), "login_required");
  await until(() => /token\.store: the keyring entry.*set token\.store to/.test(proxy.output.stderr), "no error");
  await logIn(t, without, proxy);
  assert.equal(await get(proxy.url), "200");
  await until(() => /could not be written; it is in memory only/.test(proxy.output.stderr), "no error");
});

test("without token.store, the sign-in is in the keyring where there is one, and otherwise in memory", async (t) => {
  for (const keyring of [true, false]) {
    const { env } = await startSession(t, { keyring });
    const scene = await setUp(t, { store: "unset", env, lifetimeS: 30 });
    const first = await scene.startProxy();
    await logIn(t, scene, first);
    assert.equal(await get(first.url), "200");
    await first.stop();
    assert.doesNotMatch(first.output.stderr, /token\.store|could not be written/);
    const second = await scene.startProxy();
    assert.equal(await settled(second), keyring ? "signed in" : "login_required");
    await second.stop();
  }
});

test("a sign-in goes on once the keyring is unlocked, and only the first look asks for that", async (t) => {
  const session = await startSession(t);
  const { env } = session;
  const scene = await setUp(t, { store: '"keyring"', env, lifetimeS: 30 });
  const first = await scene.startProxy();
  await logIn(t, scene, first);
  await first.stop();
  await session.lock();
  const prompts = await session.countPrompts();
  const proxy = await scene.startProxy();
  assert.equal(await settled(proxy), "login_required");
  await until(() => /token\.store: the keyring entry.*unlock the keyring/.test(proxy.output.stderr), "no error", 20_000);
  // Two more looks.
  await new Promise((resolve) => setTimeout(resolve, 21_000));
  assert.ok(prompts.count <= 1, `${prompts.count} prompts`);
  assert.equal(refreshes(scene.server).length, 0);
  await session.unlock();
  await until(async () => (await get(proxy.url)) === "200", "the sign-in does not go on", 20_000);

  // A sign-in that cannot be written there is said to be in memory.
  await session.lock();
  const { stdout, stderr } = await logIn(t, scene, proxy);
  assert.match(stdout + stderr, /could not be written: .*unlock the keyring/);
  assert.equal(await get(proxy.url), "200");
});
