// Runs the test files named by the arguments: first two at a time, since most of them wait more than they compute,
// then those that would notice a neighbour, one after the other. Prints what reporter.mjs makes of both.

import { run } from "node:test";
import report from "./reporter.mjs";

/** Files whose tests measure a time, a rate or memory, or use nearly all of the machine. */
const ALONE = ["clock", "dead-path", "http2-floods", "identities", "image", "memory", "overload", "packaging", "page-load", "refresh", "rotation", "soak"]
  .map((name) => `${name}.test.mjs`);

const files = process.argv.slice(2);

async function* events() {
  yield* lane(files.filter((file) => !ALONE.includes(file)), 2);
  yield* lane(files.filter((file) => ALONE.includes(file)), 1);
}

async function* lane(files, concurrency) {
  if (files.length > 0) yield* run({ files, concurrency });
}

async function* noticingFailures(events) {
  for await (const event of events) {
    if (event.type === "test:fail") process.exitCode = 1;
    yield event;
  }
}

for await (const text of report(noticingFailures(events()))) process.stdout.write(text);
