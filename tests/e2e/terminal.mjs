// Acts as a person at a pseudo-terminal: types each line of a script once the screen shows the expected text.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { recordOutput } from "./printed.mjs";
import { CUPBEARER, cleanEnvironment } from "./support.mjs";

const PROGRAM = fileURLToPath(new URL("terminal.py", import.meta.url));

/** The characters that a terminal sends for Ctrl-C and Ctrl-D. */
export const CTRL_C = "\x03";
export const CTRL_D = "\x04";

/** One key, without Enter. */
export const key = (text) => ({ text });

/** Sends the program a signal, such as `SIGTERM`. */
export const signal = (name) => ({ text: `signal:${name}` });

/** Gives the window another size. */
export const resize = (columns, rows) => ({ text: `resize:${columns}x${rows}` });

/**
 * Runs `cupbearer ARGS` in a pseudo-terminal.
 *
 * @param {string[]} args
 * @param {[string, string | {text: string}, string?][]} script a regular expression, the line that is typed once it
 *   matches (or a `key`, a `signal` or a `resize`), and a file that must exist by then
 * `under` are the words of a program that runs the command; `onText` is called with everything that has been shown so far.
 * @returns {Promise<{code: number, screen: string}>} everything that the terminal showed, including its echo
 */
export async function converse(args, script = [], { cwd, env = {}, under = [], onText = () => {} } = {}) {
  const lines = script.map(([pattern, line, ...file]) => [pattern, line.text ?? ([CTRL_C, CTRL_D].includes(line) ? line : `${line}\r`), ...file]);
  const child = spawn("python3", [PROGRAM, JSON.stringify(lines), ...under, CUPBEARER, ...args], {
    env: { ...cleanEnvironment(), TERM: "xterm", ...env },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let screen = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => onText(screen += text));
  recordOutput(child, args);
  const [code, signal] = await once(child, "close");
  return { code: code ?? signal, screen };
}
