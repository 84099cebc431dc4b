// A person at a pseudo-terminal: types what a script says when the screen shows what it waits for.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { recordOutput } from "./printed.mjs";
import { CUPBEARER, cleanEnvironment } from "./support.mjs";

const PROGRAM = fileURLToPath(new URL("terminal.py", import.meta.url));

/** What Ctrl-C and Ctrl-D are to a terminal. */
export const CTRL_C = "\x03";
export const CTRL_D = "\x04";

/**
 * Runs `cupbearer ARGS` in a pseudo-terminal.
 *
 * @param {string[]} args
 * @param {[string, string][]} script a regular expression each, and the line that is typed once it shows up
 * @returns {Promise<{code: number, screen: string}>} all that the terminal showed, what it echoed too
 */
export async function converse(args, script = [], { cwd, env = {} } = {}) {
  const lines = script.map(([pattern, line]) => [pattern, [CTRL_C, CTRL_D].includes(line) ? line : `${line}\r`]);
  const child = spawn("python3", [PROGRAM, JSON.stringify(lines), CUPBEARER, ...args], {
    env: { ...cleanEnvironment(), TERM: "xterm", ...env },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let screen = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (screen += text));
  recordOutput(child, args);
  const [code, signal] = await once(child, "close");
  return { code: code ?? signal, screen };
}
