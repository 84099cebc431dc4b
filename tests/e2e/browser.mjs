// A real Chromium, the system's own, driven by playwright-core. Each test has a new profile.

import { chromium } from "playwright-core";

/** Where tests/run has found it. */
const EXECUTABLE = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";

/** Without its own traffic, and able to run as root, where it has no sandbox. */
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
 * Starts a browser that ends with the test, and gives a context for pages.
 *
 * @param {import("node:test").TestContext} t
 * @param {{flags?: string[]}} options more flags, such as `--host-resolver-rules=MAP evil.test 127.0.0.1`
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
