// How soon the live page shows what happens, and whether it still obeys when much does. These tests measure times, so no
// other file runs beside them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCESS, adminOf, load, openLivePage, settled, visit } from "./page_scenes.mjs";
import { curl, setUp, until } from "./support.mjs";

/** How soon a request that has ended is on the page. */
const APPEARS_WITHIN_MS = 300;

/** How many requests are sent for that, over about two seconds. */
const SPREAD = 20;

test("a request appears within 300 ms of its end, without a reload", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  await page.evaluate(() => {
    globalThis.delays = [];
    const look = (changes) => {
      const rows = changes.flatMap((change) => [...change.addedNodes]);
      globalThis.delays.push(...rows.map((row) => Date.now() - Number(row.querySelector("time").dataset.ms)));
    };
    new MutationObserver(look).observe(document.getElementById("rows"), { childList: true });
  });
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  // The test shares the machine with others, so eight of ten requests are enough, in any of several rounds. They are
  // spread over more than two seconds, so that a page that looks again and again would have to do so all the time.
  const round = async () => {
    await page.evaluate(() => (globalThis.delays = []));
    for (let count = 0; count < SPREAD; count += 1) {
      await visit(proxy, "/api/v1/certificates");
      await page.waitForTimeout(100);
    }
    await page.waitForFunction((count) => globalThis.delays.length >= count, SPREAD);
    const delays = await page.evaluate(() => globalThis.delays);
    t.diagnostic(`figure: after ${delays.map(Math.round).sort((one, other) => one - other).join(" ")} ms`);
    return delays.filter((delay) => delay >= 0 && delay <= APPEARS_WITHIN_MS).length >= 0.8 * SPREAD;
  };
  await until(round, "the requests did not appear in time");
  assert.deepEqual(asked, [], "the page asks, although it is told");
  assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation").length), 1);
});

test("at 500 requests a second the page still obeys, and says how many requests it leaves out", async (t) => {
  const { proxy } = await setUp(t, { config: '[log]\naccess = "none"\n[guard]\nallow = ["GET /none"]\n' });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  await page.evaluate(() => {
    let last = performance.now();
    globalThis.frames = [];
    const frame = (now) => {
      globalThis.frames.push(now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const traffic = load(proxy, 500);
  t.after(() => traffic.stop());
  await until(async () => (await page.locator("#rows tr").count()) === 100, "the rows do not arrive");
  const enough = async () => Number(await page.locator("#rows tr").first().getAttribute("data-key")) > 2000;
  await until(enough, "the latest requests are not shown");
  await page.locator("#pause").click();
  assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  const frames = (await page.evaluate(() => globalThis.frames)).sort((one, other) => one - other);
  const [usual, longest] = [frames[Math.floor(0.9 * frames.length)], frames.at(-1)];
  t.diagnostic(`figure: nine of ten frames within ${Math.round(usual)} ms, all within ${Math.round(longest)} ms`);
  assert.ok(usual < 200 && longest < 2000, `it stood still for ${longest} ms`);
  traffic.stop();
  // All requests are either shown to the page or counted as left out.
  const total = await until(async () => {
    const { proxies } = JSON.parse((await curl(`${adminOf(proxy)}/status`)).stdout);
    const seen = await page.evaluate(async (name) => {
      const { proxyState } = await import("/page/state.js");
      const { requests, omitted } = proxyState(name);
      return [requests.at(-1).number, omitted];
    }, proxies[0].name);
    return proxies[0].requests_in_flight === 0 && seen[0] === proxies[0].totals.requests && seen;
  }, "the page did not get the last request");
  const note = await page.locator("#table-note").innerText();
  assert.equal(/Sampled/.test(note), total[1] > 0, note);
});
