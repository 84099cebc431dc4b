// Real corporate proxies, each on a port of its own until the test has ended.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./nginx.mjs";
import { accepts, until } from "./support.mjs";

/** One that wants the user `corp` with `password`; its port. */
export async function startTinyproxy(t, directory, password) {
  const port = await freePort();
  const file = join(directory, "tinyproxy.conf");
  const lines = [`Port ${port}`, "Listen 127.0.0.1", "Timeout 60", "LogLevel Connect", `BasicAuth corp ${password}`];
  await writeFile(file, `${lines.join("\n")}\nLogFile "${join(directory, "tinyproxy.log")}"\n`);
  await startProgram(t, "tinyproxy", ["-d", "-c", file], port);
  return port;
}

/** One that breaks TLS open with a CA of its own: its port and that CA's file. */
export async function startMitmproxy(t, directory) {
  const port = await freePort();
  const home = join(directory, "mitmproxy");
  // What is beyond it is of no concern here: its client is tested.
  const args = ["--quiet", "--ssl-insecure", "--listen-host", "127.0.0.1", "--listen-port", port, "--set", `confdir=${home}`];
  await startProgram(t, "mitmdump", args, port);
  const ca = join(home, "mitmproxy-ca-cert.pem");
  await until(() => existsSync(ca), "mitmproxy made no CA");
  return { port, ca };
}

async function startProgram(t, program, args, port) {
  const child = spawn(program, args.map(String), { stdio: "ignore" });
  let dead;
  child.on("error", (error) => (dead = error.message)).on("exit", () => (dead ??= "it ended"));
  t.after(async () => {
    if (dead) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  await until(async () => dead || (await accepts(port)), `${program} does not listen`);
  assert.equal(dead, undefined, program);
}
