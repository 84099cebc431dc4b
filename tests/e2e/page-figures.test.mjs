// What the live page says in figures, and what can be copied from it: plots, the time line, the details of a request.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { ACCESS, SECRET_ENV, adminOf, openLivePage, rowOf, settled, startTokenEndpoint, visit } from "./page_scenes.mjs";
import { curl, run, setUp, start, temporaryDirectory, until } from "./support.mjs";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

/** The text of each row of a list of terms and descriptions. */
const factsOf = (list) => list.evaluate((dl) => Object.fromEntries([...dl.querySelectorAll(":scope > dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent])));

/** The legend of the plot with this title: the figure of each line. */
const legendOf = async (page, title) => {
  const lines = await page.locator("figure", { hasText: title }).locator(".legend span").allInnerTexts();
  return Object.fromEntries(lines.map((line) => line.split(": ")));
};

test("the plots show rates by status, percentiles and bytes, over 1, 5 or 15 minutes", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const status = JSON.parse((await curl(`${adminOf(proxy)}/status`)).stdout);
  const browser = await openBrowser(t);
  // A quarter of an hour, in which the last minute, the four before it and the ten before these differ.
  const bounds = [0.01, 0.1, 1];
  const samples = Array.from({ length: 450 }, (_, t) => {
    if (t < 300) return { t: t + 1, c: [0, 0, 0, 0, 0, 2], b: [0, 0, 0, 2], i: 0, o: 0 };
    if (t < 420) return { t: t + 1, c: [0, 0, 0, 0, 4, 0], b: [4, 0, 0, 0], i: 0, o: 0 };
    return { t: t + 1, c: [0, 0, 20, 0, 0, 0], b: [10, 8, 2, 0], i: 2000, o: 4000 };
  });
  const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  const body = event("status", status) + event("samples", { proxy: status.proxies[0].name, bounds, samples });
  await browser.route("**/events", (route) => route.fulfill({ contentType: "text/event-stream", body }));
  const { page } = await openLivePage(t, proxy, { context: browser });
  const points = () => page.locator("figure", { hasText: "by status" }).locator("path.c2").evaluate((path) => path.getAttribute("d").split(/[ML]/).length - 1);
  const choose = (words) => page.locator("#windows label", { hasText: words }).click();
  const figures = async () => {
    const [rates, times, bytes] = [await legendOf(page, "by status"), await legendOf(page, "How long"), await legendOf(page, "Bytes")];
    return { rates: [rates["2xx succeeded"], rates["4xx rejected"], rates["5xx failed"]], times: Object.values(times), bytes: Object.values(bytes) };
  };

  await choose(/^1 minute/);
  await until(async () => (await points()) === 30, "the last minute is not shown");
  assert.deepEqual(await figures(), {
    rates: ["10/s", "0/s", "0/s"], times: ["about 10 ms", "about 550 ms", "about 910 ms"], bytes: ["1.0 kB/s", "2.0 kB/s"],
  });
  await choose(/^5 minutes/);
  assert.equal(await points(), 75);
  assert.deepEqual((await figures()).rates, ["2.0/s", "1.6/s", "0/s"]);
  await choose(/^15 minutes/);
  assert.equal(await points(), 90);
  const all = await figures();
  assert.deepEqual(all.rates, ["0.7/s", "0.5/s", "0.7/s"]);
  assert.equal(all.times.at(-1), "over 1.0 s");
  assert.match(await page.locator("figure", { hasText: "by status" }).locator("svg").getAttribute("aria-label"), /^Requests per second, by status\. .*4xx rejected: 0\.5\/s.*, at most 10\/s\.$/);
});

test("the plots count what the proxy does", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  for (const path of ["/api/v1/certificates", "/echo/nowhere"]) await visit(proxy, path, "--data-binary", "0123456789", "--request", "GET");
  for (const name of ["2xx succeeded", "4xx rejected"]) {
    await until(async () => !/^0\/s$/.test((await legendOf(page, "by status"))[name]), `${name} is not plotted`);
  }
  await until(async () => /^about /.test((await legendOf(page, "How long"))["99 % take at most (p99)"]), "no time is plotted");
  await until(async () => Object.values(await legendOf(page, "Bytes")).every((figure) => !/^0 B/.test(figure)), "no bytes are plotted");
});

test("each figure has a title in a sentence", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  await visit(proxy);
  await rowOf(page, "/api/v1/certificates").getByRole("button").click();
  await page.locator("#details h2").waitFor();
  const bare = await page.evaluate(() => {
    const figures = document.querySelectorAll("#ring, figure, dd, thead th, .waterfall title");
    // What a person wrote or said already is a sentence, or a name; it needs no explanation.
    const isProse = (one) => ["Request", "Answered by", "Reason", "What happened", "Responsible", "What to do", "Sent again", "cupbearer"].includes(one.previousElementSibling?.textContent);
    return [...figures].filter((one) => !one.closest("dialog, .problem") && !isProse(one))
      .filter((one) => !/^[\wX].* .*\.$/.test(one.tagName === "title" ? one.textContent : one.title)).map((one) => one.outerHTML.slice(0, 200));
  });
  assert.deepEqual(bare, []);
});

test("the time line shows each token request, and why one failed", async (t) => {
  const granted = { status: 200, body: { access_token: "t".repeat(40), token_type: "Bearer", expires_in: 600 } };
  const endpoint = await startTokenEndpoint(t, () => granted);
  const { proxy } = await setUp(t, { config: ACCESS, token: endpoint.lines, env: SECRET_ENV });
  const { page } = await openLivePage(t, proxy);
  await page.locator("#attempts .granted").first().waitFor();
  const refresh = () => curl("--request", "POST", "--header", "X-Cupbearer: 1", `${adminOf(proxy)}/token/refresh`);
  endpoint.answer = () => ({ status: 503, body: { error: "temporarily_unavailable", error_description: "maintenance until noon" } });
  await refresh();
  const failed = page.locator("#attempts .failed").first();
  await failed.waitFor();
  assert.match(await failed.innerText(), /^\d+ s ago unavailable: .*503/);
  assert.match(await failed.getAttribute("title"), /maintenance until noon/);
  assert.match(await failed.locator("time").getAttribute("title"), /^\d{4}-\d\d-\d\dT/);
  await page.locator(".problem", { hasText: "The token cannot be refreshed" }).waitFor();
  endpoint.answer = () => granted;
  await until(async () => (await refresh()) && (await page.locator("#attempts li").first().getAttribute("class")) === "granted", "the success is not shown");
  assert.equal(await page.locator(".problem").count(), 0);
});

test("the details of a request have its ids, its token, its replay, its parts and both callers", async (t) => {
  const rejected = new Set();
  const api = createServer((request, response) => {
    request.resume();
    const isStale = request.url === "/stale" && (!rejected.size || rejected.has(request.headers.authorization));
    if (isStale) rejected.add(request.headers.authorization);
    response.writeHead(isStale ? 401 : 200, isStale ? { "www-authenticate": 'Bearer error="invalid_token"' } : {});
    setTimeout(() => response.end("x".repeat(2000)), 20);
  });
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  t.after(() => api.close() ?? api.closeAllConnections());
  const url = `http://127.0.0.1:${api.address().port}`;
  const key = "a-key-of-a-page-test-with-forty-characters";
  const config = `${ACCESS}[guard.callers.ci]\nkey = { env = "PAGE_TEST_KEY" }\n`;
  const { proxy } = await setUp(t, { config, env: { PAGE_TEST_KEY: key, CUPBEARER_UPSTREAM__URL: url } });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  const headers = ["--header", `traceparent: 00-${TRACE}-b7ad6b7169203331-01`, "--header", "X-Request-Id: of-this-test", "--user", `x:${key}`];
  await visit(proxy, "/stale", ...headers, "--data", "12345");
  assert.match(await rowOf(page, "/stale").locator("td").nth(6).innerText(), /^[\d.]+ ms \(API [\d.]+ ms\)$/);
  await rowOf(page, "/stale").getByRole("button").click();
  const facts = await factsOf(page.locator("#details > dl").first());
  assert.equal(facts.Request, "POST /stale");
  assert.match(facts.Ended, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC[+-]\d\d:\d\d$/);
  assert.deepEqual([facts["Request id"], facts["Trace id"]], ["of-this-test", TRACE]);
  assert.ok(Number(/^number (\d+)$/.exec(facts.Token)[1]) >= 2, facts.Token);
  assert.deepEqual([facts.Status, facts["Answered by"], facts["Sent again"]], ["200", "The API answered.", "yes, with a newer token, after a 401"]);
  assert.equal(facts.Caller, `ci (uid:${process.getuid()})`);
  assert.equal(facts.Body, "5 B received, 2.0 kB sent");
  assert.match(facts.Took, /ms: cupbearer .* ms, the API .* ms, the body .* ms$/);
  const parts = await factsOf(page.locator("#details > dl").last());
  assert.deepEqual(Object.keys(parts).slice(0, 2), ["Admit the request, wait for a token", "Connect, send, wait for the API"]);
  const bars = await page.locator("#details .waterfall rect").evaluateAll((all) => all.map((one) => [Number(one.getAttribute("x")), Number(one.getAttribute("width"))]));
  assert.equal(bars.length, Object.keys(parts).length);
  for (const [index, [x]] of bars.entries()) assert.ok(index === 0 ? x === 0 : x >= bars[index - 1][0], JSON.stringify(bars));
});

test("the filter by method and by caller shows exactly these requests", async (t) => {
  const key = "a-key-of-a-page-test-with-forty-characters";
  const config = `${ACCESS}[guard.callers.ci]\nkey = { env = "PAGE_TEST_KEY" }\n`;
  const { proxy } = await setUp(t, { config, env: { PAGE_TEST_KEY: key } });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  await visit(proxy, "/echo/get-of-user");
  await visit(proxy, "/echo/put-of-user", "--request", "PUT");
  await visit(proxy, "/echo/get-of-ci", "--user", `x:${key}`);
  await visit(proxy, "/echo/delete-of-ci", "--user", `x:${key}`, "--request", "DELETE");
  await rowOf(page, "/echo/delete-of-ci").waitFor();
  const choose = async (name, value) => page.locator(`#filter-${name}`).selectOption(value);
  const isShown = async (...names) => {
    const paths = names.map((name) => `/echo/${name}`).sort();
    const shown = async () => (await page.locator("#rows .path").allInnerTexts()).sort();
    const isExact = until(async () => JSON.stringify(await shown()) === JSON.stringify(paths), "", 5000);
    await isExact.catch(async () => assert.deepEqual(await shown(), paths));
  };
  await choose("method", "GET");
  await isShown("get-of-user", "get-of-ci");
  await choose("method", "PUT");
  await isShown("put-of-user");
  await choose("method", "");
  await choose("caller", "ci");
  await isShown("get-of-ci", "delete-of-ci");
  await choose("method", "DELETE");
  await isShown("delete-of-ci");
  await choose("caller", `uid:${process.getuid()}`);
  await isShown();
  await page.getByText("No request matches the filter.").waitFor();
  await choose("method", "");
  await isShown("get-of-user", "put-of-user");
});

test("the button copies the rule, and the copied rule admits the request", async (t) => {
  const { proxy, file } = await setUp(t, { config: `${ACCESS}[guard]\nallow = ["GET /echo/one"]\n` });
  const browser = await openBrowser(t);
  await browser.grantPermissions(["clipboard-read", "clipboard-write"]);
  const { page } = await openLivePage(t, proxy, { context: browser });
  await settled(page);
  await visit(proxy, "/echo/*");
  await rowOf(page, "/echo/*").getByRole("button").click();
  await page.locator("#details h2").waitFor();
  assert.equal(await page.locator("#rule, #copy-rule").count(), 0, "a rule with a star would admit more");
  await visit(proxy, "/echo/two");
  await rowOf(page, "/echo/two").getByRole("button").click();
  await page.locator("#copy-rule").click();
  await page.locator("#toast", { hasText: "Rule copied" }).waitFor();
  const rule = await page.evaluate(() => navigator.clipboard.readText());
  await writeFile(file, (await readFile(file, "utf8")).replace('allow = [', `allow = [${rule}, `));
  const status = async () => (await visit(proxy, "/echo/two", "--write-out", "%{http_code}")).stdout;
  await until(async () => (await status()) === "404", "the rule does not admit the request");
});

test("a command that is copied from a proxy on a unix socket works in a shell", async (t) => {
  const directory = await temporaryDirectory(t);
  const socket = join(directory, "it's a proxy.sock");
  const { proxy: first, api, file } = await setUp(t, { config: ACCESS });
  await first.stop();
  const text = (await readFile(file, "utf8")).replace('"127.0.0.1:0"', JSON.stringify(`unix:${socket}`));
  await writeFile(file, text);
  const proxy = await start(["--config", file], ({ stderr }) => /admin +http/.test(stderr) && /listens on +unix:/.test(stderr));
  t.after(() => proxy.stop());
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  await curl("--unix-socket", socket, "http://localhost/api/v1/certificates");
  await rowOf(page, "/api/v1/certificates").getByRole("button").click();
  await page.locator('#details [data-shell="sh"]').click();
  const command = await page.locator("#curl").innerText();
  const seen = api.seen.length;
  const { stdout, stderr } = await run("sh", ["-c", command.replace("curl", "curl --disable")]);
  assert.match(stdout, /^HTTP\/1\.1 200 /, stderr);
  assert.equal(api.seen[seen].url, "/api/v1/certificates");
});

test("the value of a configured header is on no page and in no stream", async (t) => {
  const value = "the-value-of-a-fixed-header";
  const { proxy } = await setUp(t, { config: ACCESS, env: { CUPBEARER_UPSTREAM__HEADERS: `{ X-Fixed = "${value}" }` } });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  const { stdout: echoed } = await curl(`${proxy.url}/echo`);
  assert.ok(echoed.includes(value), "it was not sent to the API");
  await rowOf(page, "/echo").getByRole("button").click();
  await page.locator("#details h2").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#har").click()]);
  const { stdout: events } = await curl("--no-buffer", "--max-time", "3", `${adminOf(proxy)}/events`);
  const { stdout: status } = await curl(`${adminOf(proxy)}/status`);
  assert.match(events, /\/echo/);
  for (const [place, text] of Object.entries({ page: await page.content(), archive: await readFile(await download.path(), "utf8"), events, status })) {
    assert.ok(!text.includes(value), place);
  }
});

test("without an access log, the bytes of request bodies are not counted", async (t) => {
  const { proxy } = await setUp(t, { config: '[log]\naccess = "none"\n' });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  await visit(proxy, "/upload", "--data", "12345");
  await rowOf(page, "/upload").getByRole("button").click();
  await page.locator("#details h2").waitFor();
  assert.match((await factsOf(page.locator("#details > dl").first())).Body, /^not counted received, \d+ B sent$/);
  const { proxies } = JSON.parse((await curl(`${adminOf(proxy)}/status`)).stdout);
  assert.equal(proxies[0].recent[0].bytes_in, null);
});
