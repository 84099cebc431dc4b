// Hostile and friendly web pages in a real Chromium. No request of a hostile page reaches the API; each attack is first
// shown to reach a server without a guard.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { FROM_A_REBOUND_PAGE, FROM_ANOTHER_PAGE, LOOT, startNaiveServer, startPages, startRebinding } from "./hostile.mjs";
import { startApi } from "./api.mjs";
import { startAuthorizationServer } from "./authorization_server.mjs";
import { start, startProxy, temporaryDirectory, until, writeConfiguration } from "./support.mjs";

const NAMES = "--host-resolver-rules=MAP evil.test 127.0.0.1, MAP rebind.test 127.0.0.1, MAP tool.test 127.0.0.1";

test("no page of another origin can reach the API or read a response", async (t) => {
  const scene = await setUp(t);
  // Service workers need a secure origin; the other attacks do not.
  const secure = `--unsafely-treat-insecure-origin-as-secure=${scene.evil}`;
  const browser = await openBrowser(t, { flags: [NAMES, secure] });
  await scene.attack(FROM_ANOTHER_PAGE, {
    open: () => openPage(browser, scene.evil),
    naive: scene.naive.url,
    guarded: scene.proxy.url.replace("127.0.0.1", "localhost"),
    reason: "origin_refused",
  });
});

test("a page on another port of localhost counts as another origin", async (t) => {
  const scene = await setUp(t);
  const browser = await openBrowser(t);
  const names = ["fetch", "image", "WebSocket", "preflighted DELETE", "form POST of text/plain, in this tab", "service worker"];
  await scene.attack(Object.fromEntries(names.map((name) => [name, FROM_ANOTHER_PAGE[name]])), {
    open: () => openPage(browser, scene.evil.replace("evil.test", "localhost")),
    naive: scene.naive.url.replace("127.0.0.1", "localhost"),
    guarded: scene.proxy.url.replace("127.0.0.1", "localhost"),
    reason: "origin_refused",
  });
});

test("a page that uses DNS rebinding cannot reach the API", async (t) => {
  const scene = await setUp(t);
  const browser = await openBrowser(t, { flags: [NAMES] });
  const bound = async (url) => {
    const name = await startRebinding(t, { from: scene.pages, to: Number(new URL(url).port) });
    const page = await openPage(browser, `http://rebind.test:${name.port}`);
    name.rebind();
    return { page, url: `http://rebind.test:${name.port}` };
  };
  for (const [name, attack] of Object.entries(FROM_A_REBOUND_PAGE)) {
    await scene.attack({ [name]: attack }, { open: bound, reason: "host_refused" });
  }
});

test("a page cannot reach the API at 0.0.0.0", async (t) => {
  const scene = await setUp(t);
  const browser = await openBrowser(t, { flags: [NAMES] });
  const names = ["fetch no-cors", "fetch no-cors POST of JSON as text/plain", "image", "WebSocket", "iframe", "preflighted DELETE"];
  await scene.attack(Object.fromEntries(names.map((name) => [name, FROM_ANOTHER_PAGE[name]])), {
    open: () => openPage(browser, scene.evil),
    naive: scene.naive.url.replace("127.0.0.1", "0.0.0.0"),
    guarded: scene.proxy.url.replace("127.0.0.1", "0.0.0.0"),
    reason: "host_refused",
  });
});

test("a page from the public address space cannot reach the API, not even with a form", async (t) => {
  const scene = await setUp(t);
  const browser = await openBrowser(t, { flags: [NAMES, `--ip-address-space-overrides=127.0.0.1:${scene.pages}=public`] });
  // Chromium itself stops all other attacks from there; other browsers do not.
  const name = "form POST of text/plain, in this tab";
  await scene.attack({ [name]: FROM_ANOTHER_PAGE[name] }, {
    open: () => openPage(browser, scene.evil),
    naive: scene.naive.url,
    guarded: scene.proxy.url,
    reason: "origin_refused",
  });
});

test("at a name of guard.hosts, by plain http, an image of another page reaches the API, and a form does not", async (t) => {
  const scene = await setUp(t, { hosts: ["tool.test"] });
  const browser = await openBrowser(t, { flags: [NAMES] });
  const page = await openPage(browser, scene.evil);
  const at = (name, path) => scene.proxy.url.replace("127.0.0.1", name) + path;
  const image = FROM_ANOTHER_PAGE.image.run;
  await page.evaluate(image, at("localhost", "/loopback"));
  await page.evaluate(image, at("tool.test", "/named"));

  assert.equal(await until(() => scene.refused("/loopback"), "no request arrived at localhost"), "origin_refused");
  // SECURITY.md says so: the browser sends neither Origin nor Sec-Fetch-Site there, as a program would not.
  await until(() => scene.upstream.seen.includes("GET /named"), "no request arrived at the name");
  await page.evaluate(FROM_ANOTHER_PAGE["form POST of text/plain, in this tab"].run, at("tool.test", "/form"));
  assert.equal(await until(() => scene.refused("/form"), "no form arrived at the name"), "origin_refused");
  assert.deepEqual(scene.upstream.seen, ["GET /named"]);
});

test("a link on another page leads to an intermediate page, whose only link leads to the API", async (t) => {
  const scene = await setUp(t);
  const browser = await openBrowser(t, { flags: [NAMES] });
  const page = await openPage(browser, scene.evil);
  const target = `${scene.proxy.url}/docs/a.html?b=%2F&c=d`;
  await page.setContent(`<a href="${target}">there</a>`);

  await page.click("a");
  await page.waitForURL(target);

  assert.match(await page.title(), /^403 /);
  assert.deepEqual(scene.upstream.seen, []);
  assert.equal(await page.locator("a").count(), 1);
  assert.equal(await page.locator("script, iframe, img, form, input, button, object, [onclick]").count(), 0);

  await page.click("a");
  await until(async () => (await page.title()) === LOOT, "the link does not lead to the API");

  assert.equal(page.url(), target);
  assert.deepEqual(scene.upstream.seen, ["GET /docs/a.html?b=%2F&c=d"]);
});

test("the intermediate page cannot be framed, is never stored, and has no opener", async (t) => {
  const scene = await setUp(t);
  const browser = await openBrowser(t, { flags: [NAMES] });
  const page = await openPage(browser, scene.evil);
  const answer = browser.waitForEvent("page").then((tab) => tab.waitForResponse((one) => one.url().endsWith("/tab")));
  await page.evaluate((url) => void (window.tab = window.open("about:blank")), "");
  await page.evaluate((url) => void (window.tab.location = url), `${scene.proxy.url}/tab`);
  const headers = (await answer).headers();
  assert.equal((await answer).status(), 403);
  assert.equal(headers["x-frame-options"], "DENY");
  assert.match(headers["content-security-policy"], /^default-src 'none';.*frame-ancestors 'none'/);
  assert.doesNotMatch(headers["content-security-policy"], /script-src/);
  assert.equal(headers["cache-control"], "no-store");
  await until(() => page.evaluate(() => window.tab.closed), "the opener has kept its hold on the tab");

  await page.setContent(`<iframe src="${scene.proxy.url}/framed"></iframe>`);
  await until(() => scene.refused("/framed"), "the frame was not asked for");
  const frame = await until(() => page.frames()[1], "there is no frame");
  await until(() => frame.url().startsWith("chrome-error:"), "the frame is shown");
  assert.deepEqual(scene.upstream.seen, []);
});

test("a page of the proxy's own origin may send every request", async (t) => {
  const scene = await setUp(t);
  const browser = await openBrowser(t);
  const own = scene.proxy.url.replace("127.0.0.1", "localhost");
  const page = await openPage(browser, `${own}/own.html`); // as if the user had typed the address
  assert.equal(await page.title(), LOOT);
  for (const [name, { method, run }] of Object.entries({
    fetch: FROM_ANOTHER_PAGE.fetch,
    "preflighted DELETE": FROM_ANOTHER_PAGE["preflighted DELETE"],
    "preflighted POST of JSON": FROM_ANOTHER_PAGE["preflighted POST of JSON"],
    WebSocket: FROM_ANOTHER_PAGE.WebSocket,
    "event source": FROM_ANOTHER_PAGE["event source"],
  })) {
    const path = `/own-${name.replaceAll(" ", "-")}`;
    assert.match(await page.evaluate(run, own + path), /what only its owner|echo hello/, name);
    assert.ok(scene.upstream.seen.includes(`${method} ${path}`), name);
  }
});

test("a page of guard.origins may send every request too, because the proxy answers its preflights instead of the API", async (t) => {
  const scene = await setUp(t, { allowed: true });
  const browser = await openBrowser(t, { flags: [NAMES] });
  const page = await openPage(browser, scene.tool);
  const base = scene.proxy.url;
  for (const name of ["fetch", "preflighted DELETE", "preflighted POST of JSON", "WebSocket", "event source"]) {
    const { method, run } = FROM_ANOTHER_PAGE[name];
    const path = `/tool-${name.replaceAll(" ", "-")}`;
    assert.match(await page.evaluate(run, base + path), /what only its owner|echo hello/, name);
    assert.ok(scene.upstream.seen.includes(`${method} ${path}`), name);
  }
  const fields = await page.evaluate(async (url) => {
    const headers = { authorization: "Bearer a-key", "x-cupbearer-key": "a-key", "x-request-id": "of-the-page" };
    const answer = await fetch(url, { method: "PATCH", headers });
    return ["etag", "x-request-id"].map((name) => answer.headers.get(name));
  }, `${base}/fields`);
  assert.deepEqual(fields, ['"loot"', "of-the-page"]);
  const problem = await page.evaluate((url) => fetch(url, { method: "POST" }).then((answer) => answer.json()), `${base}/die`);
  assert.equal(problem.reason, "upstream_closed");
  assert.ok(!scene.upstream.seen.some((one) => one.startsWith("OPTIONS")), "a preflight reached the API");

  const withCredentials = page.evaluate(FROM_ANOTHER_PAGE["fetch with credentials"].run, `${base}/credentials`);
  await assert.rejects(withCredentials, /Failed to fetch/);
  const evil = await openPage(browser, scene.evil);
  await assert.rejects(evil.evaluate(FROM_ANOTHER_PAGE.fetch.run, `${base}/evil`), /Failed to fetch/);
  assert.ok(!scene.upstream.seen.includes("GET /evil"));
});

test("Swagger UI on another origin works if that origin is allowed", async (t) => {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const tool = createServer();
  tool.listen(0, "127.0.0.1");
  await once(tool, "listening");
  t.after(() => tool.close() ?? tool.closeAllConnections());
  const origin = `http://tool.test:${tool.address().port}`;
  const proxy = await startCupbearer(t, { authorizationServer, api, origins: [origin] });
  const files = await startDemo(t);
  tool.on("request", async (request, response) => {
    if (request.url === "/api/v1/openapi.json") return response.end(JSON.stringify(documentOf(proxy.url)));
    const file = await fetch(files + request.url);
    response.writeHead(file.status, { "content-type": file.headers.get("content-type") ?? "text/plain" });
    return response.end(Buffer.from(await file.arrayBuffer()));
  });

  const page = await openPage(await openBrowser(t, { flags: [NAMES] }), `${origin}/docs`);
  await page.locator("#operations-default-create .opblock-summary-control").click();
  await page.locator(".try-out__btn").or(page.locator(".btn.cancel")).first().waitFor();
  if (await page.locator(".btn.try-out__btn:not(.cancel)").count()) await page.locator(".btn.try-out__btn").click();
  await page.locator(".btn.execute").click();

  const status = page.locator(".live-responses-table .response .response-col_status").first();
  assert.match(await status.innerText(), /^201\b/);
  assert.deepEqual(api.seen.map(({ method, status }) => [method, status]), [["POST", 201]]);
});

/** An OpenAPI document with one operation, whose body makes a browser send a preflight. */
function documentOf(url) {
  const content = { "application/json": { schema: { type: "object" }, example: { name: "second" } } };
  const post = { operationId: "create", requestBody: { content }, responses: { 201: { description: "created" } } };
  const info = { title: "an API", version: "1" };
  return { openapi: "3.0.3", info, servers: [{ url }], paths: { "/api/v1/certificates": { post } } };
}

/** Starts `cupbearer demo` and returns the address of its API, which serves the files of Swagger UI. */
async function startDemo(t) {
  const find = ({ stdout, stderr }) => `${stdout}${stderr}`.match(/(?<=\bcurl .*)http:\S+(?=\/api\/v1\/\S+\n)/);
  const demo = await start(["demo", "--listen", "127.0.0.1:0"], find);
  t.after(() => demo.stop());
  return demo.found[0];
}

/** Starts the binary in front of `api`. */
async function startCupbearer(t, { authorizationServer, api, origins = [], hosts = [] }) {
  const directory = await temporaryDirectory(t);
  const guard = `[guard]\norigins = ${JSON.stringify(origins)}\nhosts = ${JSON.stringify(hosts)}\n`;
  const config = `${guard}[log]\naccess = "all"\nformat = "json"\n`;
  const file = await writeConfiguration(directory, { authorizationServer, api, client: "basic", config });
  const proxy = await startProxy(["--config", file]);
  t.after(() => proxy.stop());
  return proxy;
}

/** Starts a server without a guard, an identical server behind cupbearer, and a server for the pages. */
async function setUp(t, { allowed = false, hosts = [] } = {}) {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const naive = await startNaiveServer(t);
  const upstream = await startNaiveServer(t);
  const { port } = await startPages(t);
  const tool = `http://tool.test:${port}`;
  const proxy = await startCupbearer(t, { authorizationServer, api: upstream, origins: allowed ? [tool] : [], hosts });
  /** Why the request for `path` was rejected; undefined before it arrives. The log omits lines if there are many. */
  const refused = async (path) => {
    const [, admin] = /admin +(http:\/\/127\.0\.0\.1:\d+)/.exec(proxy.output.stderr);
    const { proxies } = await (await fetch(`${admin}/status`)).json();
    return proxies[0].recent.find((one) => one.path === path && one.status)?.reason;
  };
  return {
    naive,
    upstream,
    proxy,
    refused,
    pages: port,
    tool,
    evil: `http://evil.test:${port}`,
    /** Runs each attack against the server without a guard, which it must reach, and against cupbearer, which must reject it. */
    async attack(attacks, { open, naive: naiveUrl, guarded, reason }) {
      for (const [name, { method, run }] of Object.entries(attacks)) {
        const path = `/${name.replaceAll(/[^a-z0-9]+/gi, "-")}`;
        const weak = await opened(open, naiveUrl ?? naive.url);
        const read = tried(weak.page, run, weak.url + path);
        const arrived = () => naive.seen.some((one) => one.replace(/\?$/, "") === `${method} ${path}`);
        await until(arrived, `the attack "${name}" does not reach the server without a guard either`);
        if (["fetch", "WebSocket", "event source"].includes(name)) assert.match(await read, /what only its owner|echo/, name);
        await soon(weak.page.close());

        const strong = await opened(open, guarded ?? proxy.url);
        const got = tried(strong.page, run, strong.url + path);
        assert.equal(await until(() => refused(path), `the attack "${name}" did not reach cupbearer`), reason, name);
        await assertNothingRead(name, got);
        await soon(strong.page.close());
        assert.deepEqual(upstream.seen, [], name);
      }
      t.diagnostic(`${Object.keys(attacks).length} attacks: each reached the server without a guard, none reached the API`);
    },
  };
}

/** Opens a page. Returns it with the address to attack, which differs if the page uses DNS rebinding. */
async function opened(open, url) {
  const result = await open(url);
  return result.page ? result : { page: result, url };
}

/** What a page could read: undefined if the attack failed, or the page has gone or does not respond. */
function tried(page, run, url) {
  return soon(page.evaluate(run, url).catch(() => undefined));
}

/** Chromium may never respond for a page that is navigating away; such a page has read nothing. */
function soon(promise) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, 10_000)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A page that uses DNS rebinding may read what a same-origin page may: the proxy's rejection and nothing else. */
async function assertNothingRead(name, got) {
  const text = (await got) ?? "";
  assert.ok(!text.includes(LOOT) && !text.includes("echo"), `${name} could read: ${text}`);
}

async function openPage(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}
