// Keeps what every cupbearer of a run has printed, and which credentials there were: when all tests are
// over, leaks.mjs searches the one for the other.

import { appendFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

/** tests/run empties it before a run. */
export const DIRECTORY = fileURLToPath(new URL("printed", import.meta.url));

/** One JSON object a line. */
export const CREDENTIALS = join(DIRECTORY, "credentials");

/** Names a secret (of the client `id`, if it has one) that no program may print in any spelling. */
export function registerSecret(secret, id) {
  keep(CREDENTIALS, `${JSON.stringify({ secret, id })}\n`);
}

/** Names a token, or a key: no piece of it may be printed either. */
export function registerToken(token) {
  keep(CREDENTIALS, `${JSON.stringify({ token })}\n`);
}

/** Keeps all that a cupbearer prints. */
export function recordOutput(child, args) {
  const file = join(DIRECTORY, `${process.pid}-${child.pid}.log`);
  keep(file, `cupbearer ${args.join(" ")}\n`);
  for (const stream of [child.stderr, ...(args[0] === "token" ? [] : [child.stdout])]) { // `token` is there to print one
    stream.on("data", (text) => keep(file, text));
  }
}

/** Keeps what the admin listener of a running cupbearer tells, if its banner says that there is one. */
export async function recordAdminResponses(pid, banner) {
  const [, url] = /^ {2}admin {8}(http:\/\/\S+?)\/ /m.exec(banner) ?? [];
  if (!url) return;
  for (const path of ["/metrics", "/status", "/", "/ready"]) {
    const asking = fetch(url + path, { signal: AbortSignal.timeout(2000) });
    const told = await asking.then((answer) => answer.text()).catch(() => undefined); // it may have ended, or be stopped
    if (told) keep(join(DIRECTORY, `${process.pid}-${pid}.told.log`), `GET ${path}\n${told}\n`);
  }
}

/** At once: the process may end at any time. */
function keep(file, text) {
  mkdirSync(DIRECTORY, { recursive: true });
  appendFileSync(file, text);
}
