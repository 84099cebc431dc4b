// The live page for everyone: screen readers, reduced motion, light and dark, and names that try to be markup.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import axe from "axe-core";
import { openBrowser } from "./browser.mjs";
import { ACCESS, RARER_SCENES, SCENES, adminOf, openLivePage, settled, startTwo } from "./page_scenes.mjs";
import { registerToken } from "./printed.mjs";
import { curl, setUp, startProxy, temporaryDirectory } from "./support.mjs";

const MARKUP = "<img src=x onerror=alert(1)>";

/** What axe finds. The policy of the page admits no other script, so the checks come in beside it. */
async function violationsOf(page) {
  const session = await page.context().newCDPSession(page);
  const evaluate = async (expression) => (await session.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })).result.value;
  await evaluate(axe.source);
  return evaluate("axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`))");
}

test("overview, dialogs and the page to sign in have no accessibility violations in light and dark", async (t) => {
  const browser = await openBrowser(t);
  const two = await startTwo(t);
  const { proxy: failing } = await SCENES["secret refused"].start(t);
  const { proxy: person } = await RARER_SCENES["sign-in needed"].start(t);
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1280]) {
      const open = async (proxy) => {
        const { page } = await openLivePage(t, proxy, { context: browser });
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.setViewportSize({ width, height: 900 });
        await settled(page);
        return page;
      };
      const check = async (page, what) => {
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} ${width}: it scrolls sideways`);
        assert.deepEqual(await violationsOf(page), [], `${what} ${colorScheme} ${width}`);
      };
      const overview = await open(two);
      await overview.locator("#overview-rows tr").nth(1).waitFor();
      await check(overview, "overview");
      await overview.close();
      const page = await open(failing);
      await page.locator("#help").click();
      await check(page, "help");
      await page.locator("#help-dialog button").click();
      await page.locator("#doctor").click();
      await page.locator("#doctor-note", { hasText: /checks failed/ }).waitFor({ timeout: 120_000 });
      await check(page, "doctor");
      await page.goto(`${adminOf(person)}/sign-in`);
      await page.locator("textarea").waitFor();
      await check(page, "sign-in");
      await page.close();
    }
  }
});

test("a person's hostile name stays a text, on the page and where that person signs in", async (t) => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: "x", name: `Mallory ${MARKUP}`, exp: Math.floor(Date.now() / 1000) + 3600 };
  const token = `${part({ alg: "none" })}.${part(claims)}.${Buffer.from("signature of a test").toString("base64url")}`;
  registerToken(token);
  const { proxy } = await RARER_SCENES["sign-in needed"].start(t);
  const admin = adminOf(proxy);
  const { page, violations } = await openLivePage(t, proxy);
  await page.goto(`${admin}/sign-in`);
  await page.locator("textarea").fill(token);
  await page.getByRole("button", { name: "Use this token" }).click();
  await page.locator(".state", { hasText: MARKUP }).waitFor();
  assert.equal(await page.locator("img").count(), 0);
  await page.goto(`${admin}/`);
  await page.locator("#token-facts", { hasText: MARKUP }).waitFor();
  assert.equal(await page.locator("img, body script, iframe").count(), 0);
  assert.deepEqual([violations, await page.evaluate(() => globalThis.violations)], [[], []]);
});

test("nothing moves for a person who asked for that", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  const duration = () => page.locator("#ring .left").evaluate((arc) => parseFloat(getComputedStyle(arc).transitionDuration));
  await page.emulateMedia({ reducedMotion: "no-preference" });
  assert.ok((await duration()) > 0);
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await duration(), 0);
});

test("a screen reader reads out new problems, and not how time goes on", async (t) => {
  const { proxy, file } = await setUp(t, { config: ACCESS });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  const live = await page.locator("[aria-live]:not([aria-live=off])").evaluateAll((all) => all.map((one) => one.id));
  assert.deepEqual(live, ["problems"]);
  await page.evaluate(() => {
    globalThis.spoken = [];
    const look = (changes) => {
      for (const { target } of changes) {
        const node = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
        if (node?.closest("[aria-live]")?.getAttribute("aria-live") !== "off") globalThis.spoken.push(node?.textContent ?? "");
      }
    };
    new MutationObserver(look).observe(document.getElementById("problems"), { childList: true, characterData: true, subtree: true });
  });
  await writeFile(file, "this is not TOML");
  await page.locator('.problem[data-code="configuration_refused"]').waitFor();
  const since = page.locator(".problem time");
  await since.filter({ hasText: /^[1-9] s ago/ }).waitFor();
  const first = await since.innerText();
  await since.filter({ hasNotText: first }).waitFor();
  const spoken = await page.evaluate(() => globalThis.spoken);
  assert.equal(spoken.length, 1, spoken.join("\n"));
  assert.match(spoken[0], /The changed configuration cannot be used/);
});
