// Real corporate proxies, each on its own port until the test ends.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./nginx.mjs";
import { accepts, until } from "./support.mjs";

/** Starts tinyproxy, which requires the user `corp` with `password`, and returns its port. */
export async function startTinyproxy(t, directory, password) {
  const port = await freePort();
  const file = join(directory, "tinyproxy.conf");
  const lines = [`Port ${port}`, "Listen 127.0.0.1", "Timeout 60", "LogLevel Connect", `BasicAuth corp ${password}`];
  await writeFile(file, `${lines.join("\n")}\nLogFile "${join(directory, "tinyproxy.log")}"\n`);
  await startProgram(t, "tinyproxy", ["-d", "-c", file], port);
  return port;
}

/** Starts mitmproxy, which intercepts TLS with its own CA, and returns its port and the file of that CA. */
export async function startMitmproxy(t, directory) {
  const port = await freePort();
  const home = join(directory, "mitmproxy");
  // Only its client is tested, so it does not verify the servers behind it.
  const args = ["--quiet", "--ssl-insecure", "--listen-host", "127.0.0.1", "--listen-port", port, "--set", `confdir=${home}`];
  await startProgram(t, "mitmdump", args, port);
  const ca = join(home, "mitmproxy-ca-cert.pem");
  await until(() => existsSync(ca), "mitmproxy did not create its CA");
  return { port, ca };
}

async function startProgram(t, program, args, port) {
  const child = spawn(program, args.map(String), { stdio: "ignore" });
  let dead;
  child.on("error", (error) => (dead = error.message)).on("exit", () => (dead ??= "it exited"));
  t.after(async () => {
    if (dead) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  await until(async () => dead || (await accepts(port)), `${program} did not listen`);
  assert.equal(dead, undefined, program);
}
