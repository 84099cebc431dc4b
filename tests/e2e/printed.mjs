// Records what every cupbearer of a run prints, and which credentials the tests use. After all tests, leaks.mjs
// searches the output for the credentials.

import { appendFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

/** tests/run deletes this directory before a run. */
export const DIRECTORY = fileURLToPath(new URL("printed", import.meta.url));

/** One JSON object per line. */
export const CREDENTIALS = join(DIRECTORY, "credentials");

/** Registers a secret (of the client `id`, if given) that no program may print in any encoding. */
export function registerSecret(secret, id) {
  append(CREDENTIALS, `${JSON.stringify({ secret, id })}\n`);
}

/** Registers a token or a private key, of which not even a piece may be printed. */
export function registerToken(token) {
  append(CREDENTIALS, `${JSON.stringify({ token })}\n`);
}

/** Ends the first line of what a process printed that had to log at level trace, whether or not it had something to log there. */
export const TRACED = " (log level trace)";

/** Records everything that a cupbearer process prints. `env` is its environment. */
export function recordOutput(child, args, env = {}) {
  const file = join(DIRECTORY, `${process.pid}-${child.pid}.log`);
  append(file, `cupbearer ${args.join(" ")}${env.CUPBEARER_LOG__LEVEL === "trace" ? TRACED : ""}\n`);
  for (const stream of [child.stderr, ...(args[0] === "token" ? [] : [child.stdout])]) { // `cupbearer token` prints a token on purpose
    stream.on("data", (text) => append(file, text));
  }
}

/** Records the responses of a running cupbearer's admin listener, if its banner shows one. */
export async function recordAdminResponses(pid, banner) {
  const [, url] = /admin {8}(http:\/\/\S+?)\/ /.exec(banner) ?? [];
  if (!url) return;
  for (const path of ["/metrics", "/status", "/", "/ready"]) {
    const request = fetch(url + path, { signal: AbortSignal.timeout(2000) });
    const text = await request.then((response) => response.text()).catch(() => undefined); // it may have exited, or be stopped
    if (text) append(join(DIRECTORY, `${process.pid}-${pid}.admin.log`), `GET ${path}\n${text}\n`);
  }
}

/** Appends synchronously, since this process may exit at any time. */
function append(file, text) {
  mkdirSync(DIRECTORY, { recursive: true });
  appendFileSync(file, text);
}
