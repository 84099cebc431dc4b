// What the tests of sign-ins share: a proxy whose tokens come from a person, another user of this machine, and the page
// of an attacker.

import { createServer } from "node:http";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { start } from "./support.mjs";

/** The user id of someone who has no rights here. */
export const OTHER = 65534;

/** Runs a command as that user. */
export const AS_OTHER = [
  ...(process.getuid() === 0 ? [] : ["sudo", "-n"]),
  ...["setpriv", `--reuid=${OTHER}`, `--regid=${OTHER}`, "--clear-groups", "--"],
];

/**
 * A port that was free a moment ago, for an address that is registered before anything listens there. The system gives
 * the ports below 32768 to no other program that asks for any.
 */
export async function portToRegister() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(() => true, () => false);
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** A server that answers every request with this page. `seen` are the `Authorization` fields that it received. */
export async function startPage(t, page) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.setHeader("Content-Type", "text/html");
    response.end(`<!doctype html>${page}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  return { seen, url: `http://127.0.0.1:${server.address().port}` };
}

/** The API whose tokens come from a person. */
export const startPersonsApi = (t) => startPage(t, "<title>the API</title><p>200 from the API");

/** Writes the configuration of a proxy for the API at `apiUrl`, with these lines of `token` and others. */
export async function writePersonsConfiguration(directory, apiUrl, lines) {
  const file = join(directory, "cupbearer.toml");
  const common = ['listen = "127.0.0.1:0"', 'admin.listen = "127.0.0.1:0"', `upstream.url = "${apiUrl}"`];
  await writeFile(file, [...common, ...lines, ""].join("\n"));
  return file;
}

/** Starts the proxy, and says where it and its admin listener are. */
export async function startPersonsProxy(t, file, options) {
  const { found, ...proxy } = await start(["--config", file], ({ stderr }) =>
    /listens on\s+(http:\/\/127\.0\.0\.1:\d+)[^]*admin\s+(http:\/\/127\.0\.0\.1:\d+)/.exec(stderr), options);
  t.after(() => proxy.stop(options?.signal));
  return { proxy, url: found[1], admin: found[2] };
}
