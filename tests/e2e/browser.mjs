// The system's Chromium, driven by playwright-core. Each test has a new profile.

import { chromium } from "playwright-core";

/** The path that tests/run found. */
const EXECUTABLE = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";

/** No background traffic, and no sandbox, which does not work as root. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/**
 * Starts a browser that is closed when the test ends, and returns a context for pages.
 *
 * @param {import("node:test").TestContext} t
 * @param {{flags?: string[]}} options additional flags, such as `--host-resolver-rules=MAP evil.test 127.0.0.1`
 */
export async function openBrowser(t, { flags = [] } = {}) {
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: [...FLAGS, ...flags],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name))),
  });
  t.after(() => browser.close());
  return browser.newContext();
}
