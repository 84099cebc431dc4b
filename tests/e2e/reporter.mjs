// Prints one line per test with its time, failures with their reason, then the files that took longest, and at the end
// `N passed, N failed` on a line of its own, for people and for programs.

import { basename } from "node:path";

const LONGEST = 12;

export default async function* report(events) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const secondsOf = new Map();
  for await (const { type, data } of events) {
    if (type === "test:diagnostic" && data.file) { // the runner's own totals have no file
      yield `        ${data.message}\n`;
    }
    if (!["test:pass", "test:fail"].includes(type) || data.details?.type === "suite") continue;
    if (data.file && data.nesting === 0) {
      const file = basename(data.file, ".test.mjs");
      secondsOf.set(file, (secondsOf.get(file) ?? 0) + data.details.duration_ms / 1000);
    }
    const time = `${(data.details.duration_ms / 1000).toFixed(1)} s`;
    if (data.skip !== undefined || data.todo !== undefined) {
      skipped += 1;
      yield `SKIPPED ${data.name}\n`;
    } else if (type === "test:pass") {
      passed += 1;
      yield `ok      ${data.name} (${time})\n`;
    } else {
      failed += 1;
      const error = data.details.error;
      yield `FAILED  ${data.name} (${time})\n${indent(error?.cause?.stack ?? error?.stack ?? String(error))}\n`;
    }
  }
  // A skipped test, or a run without any test, is a failure: nothing is left out silently.
  if (skipped > 0 || passed + failed === 0) {
    failed += Math.max(skipped, 1);
    process.exitCode = 1;
  }
  const longest = [...secondsOf].sort(([, one], [, other]) => other - one).slice(0, LONGEST);
  yield `\nlongest files, in seconds: ${longest.map(([file, seconds]) => `${file} ${seconds.toFixed(0)}`).join(", ")}\n`;
  yield `\n${passed} passed, ${failed} failed\n`;
}

function indent(text) {
  return text.replace(/^/gm, "        ");
}
