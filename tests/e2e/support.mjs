// Starts and stops the programs of a test: the authorization server, the API, and the built binary with a
// configuration file, all on free ports of 127.0.0.1.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { connect } from "node:net";
import { startApi } from "./api.mjs";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { registerSecret, recordOutput, recordAdminResponses } from "./printed.mjs";

/** The binary under test, whose path tests/run sets. */
export const CUPBEARER = process.env.CUPBEARER_BIN ?? fail("CUPBEARER_BIN is not set: use tests/run");

/** How long a program may take to start. This is far longer than necessary, so only a hang reaches it. */
const START_LIMIT_MS = 30_000;

/**
 * Everything a test needs, torn down when the test ends.
 *
 * @param {import("node:test").TestContext} t
 * @param {{client?: keyof CLIENTS, secret?: string, config?: string | ((authorizationServer) => string),
 *   token?: (authorizationServer) => string, server?: object, env?: object}} options `secret` replaces the correct one;
 *   `config` is additional TOML for the file; `token` replaces the lines with the token endpoint and the credentials;
 *   `server` is passed to the authorization server, `env` is the environment of the binary.
 */
export async function setUp(t, { client = "basic", secret, config = "", token, server, env } = {}) {
  const authorizationServer = await startAuthorizationServer(server);
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  const file = await writeConfiguration(directory, { authorizationServer, api, client, secret, config, token });
  const proxy = await startProxy(["--config", file], { env });
  t.after(() => proxy.stop());
  return { authorizationServer, api, proxy, directory, file };
}

/** A new directory that is removed when the test ends. */
export async function temporaryDirectory(t) {
  const directory = await mkdtemp(join(tmpdir(), "cupbearer-e2e-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes `cupbearer.toml` and the secret file, and returns the path of the former. */
export async function writeConfiguration(directory, { authorizationServer, api, client, secret, config, token }) {
  const { id, secret: right, auth } = CLIENTS[client];
  const secretFile = join(directory, "client_secret");
  if (secret ?? right) registerSecret(secret ?? right, id);
  await writeFile(secretFile, `${secret ?? right}\n`, { mode: 0o600 });
  const file = join(directory, "cupbearer.toml");
  await writeFile(
    file,
    [
      'listen = "127.0.0.1:0"',
      "[upstream]",
      `url = ${JSON.stringify(api.url)}`,
      "[token]",
      `client_id = ${JSON.stringify(id)}`,
      token?.(authorizationServer) ?? [
        `url = ${JSON.stringify(authorizationServer.tokenUrl)}`,
        `client_secret = { file = ${JSON.stringify(secretFile)} }`,
      ].join("\n"),
      `auth = ${JSON.stringify(auth)}`,
      typeof config === "function" ? config(authorizationServer) : config,
      "",
    ].join("\n"),
  );
  return file;
}

/** Starts `cupbearer ARGS` and waits until its banner shows a listener on 127.0.0.1. */
export async function startProxy(args, options) {
  const { found, ...proxy } = await start(args, ({ stderr }) => /listens on\s+(https?:\/\/127\.0\.0\.1:\d+)/.exec(stderr), options);
  return { url: found[1], ...proxy };
}

/**
 * Starts `cupbearer ARGS` and waits until `find` finds what the test needs in its output.
 *
 * @param {string[]} args
 * @param {(output: {stdout: string, stderr: string}) => unknown} find returns something truthy when it has found it
 * @param {{env?: object, under?: string[], binary?: string}} options `under` is a command that executes the binary
 */
export async function start(args, find, { env, under = [], binary = CUPBEARER } = {}) {
  const [program, ...words] = [...under, binary, ...args];
  const environment = { ...cleanEnvironment(), ...traceLevel(args), ...adminListener(args), ...env };
  const child = spawn(program, words, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const output = collect(child);
  recordOutput(child, args, environment);
  const exit = once(child, "exit");
  let dead;
  exit.then(
    ([code, signal]) => (dead = `it exited with ${code ?? signal}`),
    (error) => (dead = error.message), // no such file, not executable
  );
  const found = await until(() => find(output) || dead, "the expected output of cupbearer did not appear").catch(
    (error) => (dead = error.message),
  );
  if (dead) {
    child.kill("SIGKILL");
    throw new Error(`cupbearer ${args.join(" ")}: ${dead}; its output was:\n${output.stdout}${output.stderr}`);
  }
  return {
    found,
    output,
    pid: child.pid,
    /** Highest resident memory since the start, in KiB (Linux). */
    peakMemoryKib: () => memoryKib(child.pid, "VmHWM"),
    /** Resident memory now, in KiB (Linux). */
    memoryKib: () => memoryKib(child.pid, "VmRSS"),
    /** Sends a signal after which the process continues. */
    signal: (signal) => child.kill(signal),
    /** Asks it to stop and returns its exit code, or the signal that ended it. May be called more than once. */
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) await recordAdminResponses(child.pid, output.stderr);
      child.kill(signal);
      const [code, killedBy] = await exit;
      return code ?? killedBy;
    },
  };
}

async function memoryKib(pid, field) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)[1]);
}

/** Runs a program to its end, with `input` (text, bytes or a stream) on its standard input. */
export async function run(program, args, { input, cwd, env, limitMs = 120_000 } = {}) {
  const isOurs = program === CUPBEARER;
  const environment = { ...cleanEnvironment(), ...(isOurs ? traceLevel(args) : {}), ...env };
  const child = spawn(program, args, { env: environment, cwd, stdio: ["pipe", "pipe", "pipe"] });
  const output = collect(child);
  if (isOurs) recordOutput(child, args, environment);
  child.stdin.on("error", () => {}); // a program may stop reading its input early
  if (input?.pipe) input.pipe(child.stdin);
  else child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  return { code: code ?? signal, stdout: output.stdout, stderr: output.stderr };
}

/** Runs curl without the machine's configuration and proxies. */
export function curl(...args) {
  const options = typeof args.at(-1) === "object" ? args.pop() : {};
  return run("curl", ["--disable", "--noproxy", "*", "--silent", "--show-error", "--max-time", "100", ...args], options);
}

/** The status that curl receives; the body is discarded. */
export async function statusOf(...args) {
  const { stdout } = await curl("--output", "/dev/null", "--write-out", "%{http_code}", ...args);
  return Number(stdout);
}

/** A promise, and what settles it. */
export function withResolvers() {
  let resolve;
  const promise = new Promise((done) => { resolve = done; });
  return { promise, resolve };
}

/** Evaluates `condition` until it returns something truthy, and returns that. */
export async function until(condition, description, limitMs = START_LIMIT_MS) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`timed out after ${limitMs / 1000} s: ${description}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function collect(child) {
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => (output[name] += text));
  }
  return output;
}

/** Makes a single proxy log at level trace, unless its file sets another level, so that leaks.mjs can search it. */
function traceLevel(args) {
  return args.filter((arg) => arg === "--config").length === 1 ? { CUPBEARER_LOG__LEVEL: "trace" } : {};
}

/** Gives it an admin listener, unless its file configures one; leaks.mjs searches those responses too. */
function adminListener(args) {
  const file = args.filter((arg) => arg === "--config").length === 1 && args[args.indexOf("--config") + 1];
  const isConfigured = !file || !existsSync(file) || /^\s*(?:\[admin\]|admin\.listen)/m.test(readFileSync(file, "utf8"));
  return isConfigured ? {} : { CUPBEARER_ADMIN__LISTEN: "127.0.0.1:0" };
}

/** The environment without proxy variables and without variables that configure the binary. */
export function cleanEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^CUPBEARER_|_proxy$|^RUST_LOG$/i.test(name)),
  );
}

function fail(message) {
  throw new Error(message);
}

/** Whether something is listening on this port. */
export async function accepts(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
