// nginx as an upstream that compresses. It serves static files with validators and forwards everything else.

import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { accepts, temporaryDirectory, until } from "./support.mjs";

/** nginx is not in every user's PATH. */
const EXECUTABLE = process.env.NGINX_BIN ?? "/usr/sbin/nginx";

/** A port that is not in use at the moment. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Starts nginx with nginx.conf on `port` of 127.0.0.1.
 *
 * @param {import("node:test").TestContext} t
 * @param {{port: number, behind: string, files?: Record<string, string>}} options `files` are served
 *   under their paths; every other request is forwarded to `behind`.
 */
export async function startNginx(t, { port, behind, files = {} }) {
  const directory = await temporaryDirectory(t);
  for (const [path, text] of Object.entries(files)) {
    const file = join(directory, "files", path);
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, text);
  }
  const template = await readFile(new URL("nginx.conf", import.meta.url), "utf8");
  const configuration = join(directory, "nginx.conf");
  await writeFile(configuration, template.replaceAll("@PORT@", port).replaceAll("@BEHIND@", behind));
  const child = spawn(EXECUTABLE, ["-p", directory, "-c", configuration, "-e", "stderr"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  const exit = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  await until(() => child.exitCode !== null || accepts(port), "nginx did not listen");
  if (child.exitCode !== null) throw new Error(`nginx did not start:\n${errors}`);
  return { url: `http://127.0.0.1:${port}` };
}
