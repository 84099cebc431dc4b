// The live page in a real Chromium: it follows what happens, and nothing foreign can act in it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import axe from "axe-core";
import harValidator from "har-validator";
import { openBrowser } from "./browser.mjs";
import { ACCESS, RARER_SCENES, SCENES, SECRET_ENV, adminOf, load, openLivePage, rowOf, settled, startTokenEndpoint, startTwo, visit } from "./page_scenes.mjs";
import { CTRL_C, converse, key, resize } from "./terminal.mjs";
import { curl, run, setUp, temporaryDirectory, until } from "./support.mjs";

test("the countdown goes on, and begins again with a new token", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  const generation = () => page.locator("#token-facts dt", { hasText: "Tokens so far" }).locator("+ dd").innerText();
  const seconds = async () => parseInt(await page.locator("#ring strong").innerText(), 10);
  const first = Number(await generation());
  const begin = await seconds();
  await until(async () => (await seconds()) < begin, "the countdown stands still");
  const low = await seconds();
  await until(async () => Number(await generation()) > first && (await seconds()) > low, "the countdown did not begin again");
  assert.ok((await page.locator("#attempts .granted").count()) >= 2);
});

test("filter, pause and keys", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  for (const path of ["/echo/one", "/echo/two"]) await visit(proxy, path);
  await visit(proxy, "/", "--header", "Host: evil.test");
  await rowOf(page, "/echo/two").waitFor();
  await page.locator("#rows .status", { hasText: "403" }).waitFor();

  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "filter-text");
  await page.keyboard.type("echo one");
  await until(async () => (await page.locator("#rows tr").count()) === 1, "the text does not filter");
  await page.locator("#filter-text").fill("");
  await page.locator("#filter-status").selectOption("ours");
  await until(async () => (await page.locator("#rows tr").count()) === 1, "the status does not filter");
  assert.match(await page.locator("#rows").innerText(), /host_refused/);
  await page.locator("#filter-status").selectOption("");
  await page.locator("#filter-method").selectOption("GET");
  await page.locator("#filter-caller").selectOption({ index: 1 });
  assert.equal(await page.locator("#rows tr").count(), 3);
  await page.locator("#filter-text").press("Escape");

  await page.keyboard.press("p");
  await visit(proxy, "/echo/while-paused");
  await page.getByText("1 newer request not shown yet").waitFor();
  assert.equal(await rowOf(page, "/echo/while-paused").count(), 0);
  await page.keyboard.press("p");
  await rowOf(page, "/echo/while-paused").waitFor();

  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  assert.equal(await page.locator("#rows tr").first().getAttribute("aria-current"), "true");
  await page.keyboard.press("Enter");
  await page.locator("#details h2").waitFor();
  assert.match(await page.locator("#details").innerText(), /\/echo\/while-paused[^]*Where the time went[^]*Connect, send, wait for the API/);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#details").isVisible(), false);
  await page.keyboard.press("?");
  assert.equal(await page.locator("#help-dialog").evaluate((dialog) => dialog.open), true);
});

test("a rejected request says why, whose side it is on, and which rule would admit it", async (t) => {
  const { proxy } = await setUp(t, { config: `${ACCESS}[guard]\nallow = ["GET /echo/one"]\n` });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  await visit(proxy, "/echo/two");
  await visit(proxy, "/echo/*");
  await rowOf(page, "/echo/two").getByRole("button").click();
  const details = page.locator("#details");
  assert.match(await details.innerText(), /matches no rule of guard\.allow[^]*To allow it, add this to guard\.allow/);
  assert.equal(await page.locator("#rule").innerText(), '"GET /echo/two"');
  assert.match(await details.innerText(), /Took\s+[\d.]+ ms: all of it in cupbearer, which did not send the request/);
  await rowOf(page, "/echo/*").getByRole("button").click();
  await until(async () => /echo\/\*/.test(await details.innerText()), "the other request is not shown");
  assert.equal(await page.locator("#rule").count(), 0, "a rule with a star would admit more");
});

test("a copied command works in a shell, whatever the path contains", async (t) => {
  const { proxy, api, directory } = await setUp(t, { config: ACCESS });
  const browser = await openBrowser(t);
  await browser.grantPermissions(["clipboard-read", "clipboard-write"]);
  const { page } = await openLivePage(t, proxy, { context: browser });
  await settled(page);
  const hostile = "/echo/it's/$(touch+made)/;touch+made/%41%22&[1-3]!";
  await visit(proxy, hostile);
  await rowOf(page, hostile).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("c");
  await page.locator("#toast", { hasText: "Command copied" }).waitFor();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(command, /^curl /);
  assert.ok(!/authorization|bearer/i.test(command), command);
  const seen = api.seen.length;
  const { stdout, stderr } = await run("sh", ["-c", command.replace("curl", "curl --disable")], { cwd: directory });
  assert.match(stdout, /^HTTP\/1\.1 404 /, stderr);
  assert.ok(api.seen[seen].jti, "the proxy added no token");
  assert.equal(decodeURIComponent(api.seen[seen].url), decodeURIComponent(hostile));
  assert.equal((await run("ls", [directory])).stdout.includes("made"), false);

  const quoted = await page.evaluate(async () => {
    const { curl } = await import("/page/export.js");
    const proxy = { listens_on: ["http://localhost:6749"] };
    const request = { method: "DELETE", path: "/a'b\u2019/%PATH%/&|<>\"^(!)" };
    return ["powershell", "cmd"].map((shell) => curl(request, proxy, shell));
  });
  assert.deepEqual(quoted, [
    "curl.exe --include --globoff --path-as-is --noproxy '*' --request 'DELETE' 'http://localhost:6749/a''b%E2%80%99/%PATH%/&%7C%3C%3E%22%5E(!)'",
    "curl.exe --include --globoff --path-as-is --noproxy ^* --request DELETE http://localhost:6749/a^'b^%^E2^%^80^%^99/^%^PATH^%^/^&^%^7C^%^3C^%^3E^%^22^%^5E^(^!^)",
  ]);
});

test("the exported archive is valid, has what the filter shows, and contains no credential", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const { page } = await openLivePage(t, proxy);
  await settled(page);
  await visit(proxy, "/echo/one?secret=query", "--header", "Cookie: a=cookie-value", "--data", "the-body");
  await visit(proxy, "/echo/two");
  await rowOf(page, "/echo/two").waitFor();
  await page.locator("#filter-text").fill("/echo/one");
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#har").click()]);
  const text = await readFile(await download.path(), "utf8");
  const archive = JSON.parse(text);
  await harValidator.har(archive);
  assert.deepEqual(archive.log.entries.map(({ request }) => request.url), [`${proxy.url}/echo/one`]);
  assert.doesNotMatch(text, /secret=|cookie-value|the-body|Bearer/);
});

test("a person sees which of these is wrong: the card, the title, the icon and the headline agree", async (t) => {
  const browser = await openBrowser(t);
  const scenes = Object.entries({ ...SCENES, ...RARER_SCENES });
  const pictures = await startPictures(scenes.map(([name]) => name));
  for (const [name, { code, start }] of scenes) {
    const { proxy } = await start(t);
    const { page, foreign, violations } = await openLivePage(t, proxy, { context: browser });
    if (code) await page.locator(`.problem[data-code="${code}"]`).waitFor();
    else await page.locator('#state[data-severity="good"]').waitFor();
    const severity = await page.locator("#state").getAttribute("data-severity");
    assert.equal(severity === "good", !code, name);
    assert.equal(await page.locator("#icon").getAttribute("href"), `/page/${severity}.svg`, name);
    const headline = (await page.locator("#state").innerText()).replace(/, and \d+ more$/, "");
    assert.ok((await page.title()).includes(headline), `${name}: ${await page.title()}`);
    if (code) {
      assert.ok((await page.locator(".problem h2").first().innerText()).includes(headline), name);
      assert.match(await page.locator(".problem").first().innerText(), /Responsible[^]*What to do/, name);
    }
    assert.deepEqual([foreign, violations], [[], []], name);
    await pictures?.take(page, name);
    await page.close();
  }
});

/**
 * Takes a picture of each scene if E2E_PICTURES names a folder, for people who are asked what they see: the names of the
 * files say nothing, and key.json says which is which.
 */
async function startPictures(names) {
  const folder = process.env.E2E_PICTURES;
  if (!folder) return undefined;
  const shuffled = names.map((name) => [Math.random(), name]).sort().map(([, name]) => name);
  const key = Object.fromEntries(shuffled.map((name, index) => [index + 1, name]));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "key.json"), `${JSON.stringify(key, undefined, 2)}\n`);
  return {
    async take(page, name) {
      await page.emulateMedia({ colorScheme: "light" });
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.screenshot({ path: join(folder, `${shuffled.indexOf(name) + 1}.png`) });
    },
  };
}

test("the page has no accessibility violations in light and dark at three widths", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS, client: "auditor" });
  await visit(proxy, "/api/v1/certificates");
  await visit(proxy, "/", "--header", "Host: evil.test");
  const browser = await openBrowser(t);
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1280, 3840]) {
      const { page, foreign, violations } = await openLivePage(t, proxy, { context: browser });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 900 });
      await settled(page);
      await page.locator("#rows tr button").first().click();
      await page.locator("#details h2").waitFor();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width}: it scrolls sideways`);
      // The policy of the page admits no other script, so the checks come in beside it.
      const session = await page.context().newCDPSession(page);
      const evaluate = async (expression) => (await session.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })).result.value;
      await evaluate(axe.source);
      const found = await evaluate("axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`))");
      assert.deepEqual(found, [], `${colorScheme} ${width}`);
      assert.deepEqual([foreign, violations, await page.evaluate(() => globalThis.violations)], [[], [], []]);
      await page.close();
    }
  }
});

test("hostile paths, host names and error texts stay texts", async (t) => {
  const markup = "<img src=x onerror=alert(1)><script>alert(2)</script>";
  const endpoint = await startTokenEndpoint(t, () => ({ status: 401, body: { error: "invalid_client", error_description: markup } }));
  const { proxy } = await setUp(t, { config: ACCESS, token: endpoint.lines, env: SECRET_ENV });
  const { page, violations } = await openLivePage(t, proxy);
  const path = `/${encodeURI(markup).replaceAll("%3C", "<").replaceAll("%3E", ">")}'"`;
  await visit(proxy, path);
  await visit(proxy, "/", "--header", `Host: ${markup}`);
  await page.locator('.problem[data-code="token_refused"]', { hasText: "onerror=alert(1)" }).waitFor();
  const row = page.locator("#rows tr", { hasText: "onerror=alert(1)" }).first();
  await row.getByRole("button").click();
  await page.locator("#details", { hasText: "onerror=alert(1)" }).waitFor();
  assert.equal(await page.locator("img, body script, iframe, object, a[href^=javascript]").count(), 0);
  assert.deepEqual([violations, await page.evaluate(() => globalThis.violations)], [[], []]);
});

test("a link on a page at another port of this machine opens the page, and nothing else is open to that page", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const admin = adminOf(proxy);
  const other = createServer((_, response) => response.setHeader("content-type", "text/html").end(`<a href="${admin}/">there</a><iframe src="${admin}/"></iframe>`));
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close() ?? other.closeAllConnections());
  const browser = await openBrowser(t);
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${other.address().port}/`);
  for (const path of ["/", "/status", "/events", "/page/main.js"]) {
    assert.equal(await page.evaluate((url) => fetch(url).then(() => "read", () => "refused"), admin + path), "refused", path);
    const script = page.evaluate((url) => new Promise((done) => {
      const script = Object.assign(document.createElement("script"), { src: url, onload: () => done("run"), onerror: () => done("refused") });
      document.head.append(script);
    }), admin + path);
    assert.equal(await script, "refused", path);
  }
  await until(() => page.frames()[1]?.url().startsWith("chrome-error:"), "the frame is shown");
  await page.click("a");
  await page.waitForURL(`${admin}/`);
  await page.locator('#state[data-severity="good"]').waitFor();
  assert.equal(await page.evaluate(() => globalThis.opener), null);
});

test("viewers that stop reading are dropped, and hold nothing up", async (t) => {
  const directory = await temporaryDirectory(t);
  const socket = join(directory, "admin.sock");
  const { proxy } = await setUp(t, { config: `[log]\naccess = "none"\n[guard]\nallow = ["GET /none"]\n[admin]\nlisten = "unix:${socket}"\n` });
  const viewers = [];
  for (let count = 0; count < 8; count += 1) {
    const viewer = connect(socket);
    viewer.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(viewer, "readable");
    viewer.on("error", () => {}); // cut
    viewers.push(viewer);
  }
  t.after(() => viewers.forEach((viewer) => viewer.destroy()));
  const admin = (path) => curl("--unix-socket", socket, "--max-time", "2", "--write-out", "%{http_code}", `http://localhost${path}`);
  assert.match((await admin("/events")).stdout, /8 viewers.*\n503$/);
  const traffic = load(proxy, 300);
  t.after(() => traffic.stop());
  // The stall timeout of the admin listener is 30 s.
  await until(async () => !/503$/.test((await admin("/events")).stdout), "no viewer was dropped", 120_000);
  const sent = traffic.stop();
  const answered = async () => JSON.parse((await admin("/status")).stdout.replace(/200$/, "")).proxies[0].totals.requests;
  await until(async () => (await answered()) >= sent, "requests were held up");
});

test("several proxies have one page: a tab each, and an overview", async (t) => {
  const proxy = await startTwo(t);
  const { page } = await openLivePage(t, proxy);
  await page.locator("#overview-rows tr").nth(1).waitFor();
  assert.equal(await page.locator("#proxy").isVisible(), false);
  await visit(proxy, "/echo/only-one");
  await page.locator("#tabs button", { hasText: "orders" }).click();
  await rowOf(page, "/echo/only-one").waitFor();
  await page.locator("#tabs button", { hasText: "certificates" }).click();
  await until(async () => (await rowOf(page, "/echo/only-one").count()) === 0, "the other proxy shows the request too");
  await page.locator("#tabs button", { hasText: "Overview" }).click();
  assert.match(await page.locator("#overview-rows").innerText(), /orders[^]*certificates/);
});

test("the doctor runs from the page, and shows each check as it ends, with its remedy", async (t) => {
  const { proxy } = await SCENES["secret refused"].start(t);
  const { page, violations } = await openLivePage(t, proxy);
  await settled(page);
  await page.locator(".problem").getByRole("button", { name: "Run the doctor" }).click();
  await page.locator('#checks [data-outcome="ok"]').first().waitFor();
  const failed = page.locator('#checks [data-outcome="failed"]').first();
  await failed.locator("p").first().waitFor({ timeout: 120_000 });
  await page.locator("#doctor-note", { hasText: /checks failed/ }).waitFor({ timeout: 120_000 });
  assert.match(await failed.innerText(), /invalid_client|secret/i);
  assert.deepEqual(violations, []);
});

test("seven pages in one browser share one stream, and go on when the page that reads it is closed", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  const browser = await openBrowser(t);
  await visit(proxy, "/echo/before");
  const pages = [];
  let streams = 0;
  for (let count = 0; count < 7; count += 1) {
    // More than six connections to a server are not opened: the last page would not even load.
    const { page } = await openLivePage(t, proxy, { context: browser });
    page.on("request", (request) => (streams += new URL(request.url()).pathname === "/events" ? 1 : 0));
    await rowOf(page, "/echo/before").waitFor();
    pages.push(page);
  }
  await visit(proxy, "/echo/for-all");
  for (const page of pages) await rowOf(page, "/echo/for-all").waitFor();
  assert.ok(streams <= 1, `${streams} streams`);

  const [reader, ...others] = pages;
  await others[0].locator("#pause").click();
  await reader.close();
  await visit(proxy, "/echo/after-all");
  for (const page of others.slice(1)) {
    await rowOf(page, "/echo/after-all").waitFor();
    assert.equal(await page.locator("#rows tr").count(), 3, "requests are missing, or twice there");
  }
  await others[0].getByText("1 newer request not shown yet").waitFor();
});

test("rows of the overview keep the focus while their figures change", async (t) => {
  const proxy = await startTwo(t);
  const { page } = await openLivePage(t, proxy);
  const row = page.locator("#overview-rows tr").first();
  await row.getByRole("button").focus();
  await visit(proxy, "/echo/counted");
  await row.locator("td", { hasText: "1 request" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "orders");
});

test("status --watch shows an overview of several proxies and each alone, and follows the window", async (t) => {
  const proxy = await startTwo(t);
  await visit(proxy, "/echo/of-orders");
  const { host } = new URL(adminOf(proxy));
  const wide = (count) => `\n[^\n\r]{${count - 1}}\r?\n`;
  const any = "[\\s\\S]*";
  const { code, screen } = await converse(["status", "--watch", "--admin", host], [
    [`\\[0 overview\\]${any}1 orders: all is well${any}2 certificates: all is well${any}/echo/of-orders`, key("2")],
    [`\\[2 certificates\\]${any}certificates: http${any}since start  0 requests`, key("\t")],
    ["\\[0 overview\\]", key("1")],
    [`\\[1 orders\\]${any}since start  1 request,`, resize(50, 12)],
    [wide(50), key("q")],
  ]);
  assert.equal(code, 0, screen); // 98 if the terminal did not echo again
});

test("status --watch fills a terminal: the state, the countdown, the requests", async (t) => {
  const { proxy } = await setUp(t, { config: ACCESS });
  await visit(proxy, "/echo/in-the-terminal");
  const { host } = new URL(adminOf(proxy));
  const { code, screen } = await converse(["status", "--watch", "--admin", host], [["/echo/in-the-terminal", CTRL_C]]);
  assert.equal(code, 130, "128 plus the number of the signal, with the terminal as it was");
  assert.match(screen, /cupbearer \S+: all is well/);
  assert.match(screen, /token {8}[█░]{20} valid for \d+s, next token request in \d+s/);
  assert.match(screen, /since start {2}1 request,/);
});

test("status --watch shows a problem first, with its remedy, and within a small window too", async (t) => {
  const { proxy } = await SCENES["secret refused"].start(t);
  const { host } = new URL(adminOf(proxy));
  const any = "[\\s\\S]*";
  const { code, screen } = await converse(["status", "--watch", "--admin", host], [
    [`There is no valid token: this proxy's credentials${any}cupbearer doctor${any}token  `, resize(40, 8)],
    ["\\n[^\\n\\r]{39}\\r?\\n", key("q")],
  ]);
  assert.equal(code, 0, screen);
  const [first] = screen.split("token  ");
  assert.match(first, /There is no valid token[^]*cupbearer doctor/);
});
