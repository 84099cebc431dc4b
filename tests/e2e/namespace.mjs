// Tests with a private network: a namespace in which the test can change DNS names and cut links, and which is
// removed with the test. Needs root, or a system that allows user namespaces to every user.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startProxy, temporaryDirectory, until } from "./support.mjs";

/** Ports are private to the namespace, so they can be fixed. */
export const PORT = 8080;
const TOKEN_PORT = 8081;

const OWN_USER = process.getuid() === 0 ? [] : ["--map-root-user"];

/**
 * A test whose `body` runs in a second process, which runs the same file again inside a new namespace.
 *
 * @param {(scene: {after: Function, figure: (what: string, value: unknown) => void}) => Promise<void>} body
 */
export function testInNamespace(name, body) {
  const [, file, inside] = process.argv;
  if (inside === name) return runInside(body);
  if (inside === undefined) test(name, (t) => enter(t, file, name));
}

async function enter(t, file, name) {
  const args = ["--net", "--mount", ...OWN_USER, "--", process.execPath, file, name];
  // With NODE_TEST_CONTEXT, node's test runner would treat the second process as one of its own.
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const child = spawn("unshare", args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  t.after(() => child.kill());
  const [code] = await once(child, "close");
  for (const line of output.split("\n")) if (line.startsWith("figure: ")) t.diagnostic(line);
  assert.equal(code, 0, output);
}

async function runInside(body) {
  const cleanups = [];
  const scene = {
    after: (cleanup) => cleanups.push(cleanup),
    figure: (what, value) => console.log(`figure: ${what}: ${value}`),
  };
  let code = 0;
  try {
    ip("link set lo up");
    await body(scene);
  } catch (error) {
    code = 1;
    console.error(error);
  }
  for (const cleanup of cleanups.reverse()) await cleanup();
  process.exit(code);
}

/** `ip ARGS`, in the namespace of process `pid` if one is given. */
export function ip(args, pid) {
  const inside = pid === undefined ? [] : ["nsenter", `--target=${pid}`, "--net"];
  const [program, ...rest] = [...inside, "ip", ...args.split(" ")];
  execFileSync(program, rest);
}

/** A name server that knows one name, `api.test`. Its responses contain the addresses in the returned array. */
export async function startNameServer(scene) {
  const directory = await temporaryDirectory(scene);
  const file = join(directory, "resolv.conf");
  writeFileSync(file, "nameserver 127.0.0.1\n");
  execFileSync("mount", ["--bind", file, realpathSync("/etc/resolv.conf")]);
  const addresses = [];
  const server = createSocket("udp4", (query, from) => server.send(answer(query, addresses), from.port, from.address));
  server.bind(53, "127.0.0.1");
  await once(server, "listening");
  scene.after(() => server.close());
  return addresses;
}

/** RFC 1035 4.1: the header, the question as received, and an A record with a TTL of 0 for each address. */
function answer(query, addresses) {
  const nameEnd = query.indexOf(0, 12);
  const question = query.subarray(12, nameEnd + 5);
  const isKnown = question.subarray(0, -4).equals(Buffer.from("\x03api\x04test\x00"));
  const isForA = query.readUInt16BE(nameEnd + 1) === 1;
  const records = isKnown && isForA ? addresses : [];
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
  for (const [at, count] of [[4, 1], [6, records.length], [8, 0], [10, 0]]) header.writeUInt16BE(count, at);
  const record = (address) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]);
  return Buffer.concat([header, question, ...records.map(record)]);
}

/** The binary in front of `http://api.test:8080`, with a working token endpoint. */
export async function startProxyToApi(scene, upstream = "") {
  const directory = await temporaryDirectory(scene);
  const endpoint = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end('{"access_token":"t","token_type":"Bearer","expires_in":3600}');
  });
  endpoint.listen(TOKEN_PORT, "127.0.0.1");
  await once(endpoint, "listening");
  scene.after(() => endpoint.close());
  const config = join(directory, "cupbearer.toml");
  const secret = join(directory, "secret");
  writeFileSync(secret, "x\n", { mode: 0o600 });
  writeFileSync(
    config,
    [
      'listen = "127.0.0.1:0"',
      "[upstream]",
      `url = "http://api.test:${PORT}"`,
      "allow_plaintext = true",
      upstream,
      "[token]",
      `url = "http://127.0.0.1:${TOKEN_PORT}/token"`,
      'client_id = "x"',
      `client_secret = { file = ${JSON.stringify(secret)} }`,
      "",
    ].join("\n"),
  );
  const proxy = await startProxy(["--config", config]);
  scene.after(() => proxy.stop());
  return proxy;
}

/** A server in its own namespace, linked to ours once for each of the `addresses` of its side; ours end in 1. */
export async function startFarServer(scene, program, addresses) {
  const child = spawn("unshare", ["--net", "--", process.execPath, "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  scene.after(() => child.kill("SIGKILL"));
  const output = { text: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (output.text += text));
  await until(() => output.text.includes("listening"), "the far server did not listen");
  for (const [number, address] of addresses.entries()) {
    ip(`link add near${number} type veth peer name far${number} netns ${child.pid}`);
    ip(`addr add ${address.replace(/\d+$/, "1")}/24 dev near${number}`);
    ip(`addr add ${address}/24 dev far${number}`, child.pid);
    ip(`link set far${number} up`, child.pid);
    ip(`link set near${number} up`);
  }
  return {
    /** What the program has printed. */
    output,
    /** Takes the far end of a link down. Our side is not notified about the connections that use it. */
    cut: (number) => ip(`link set far${number} down`, child.pid),
  };
}
