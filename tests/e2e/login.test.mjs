// token.grant = "authorization_code": a person signs in with a browser, at a server with PKCE and rotation. Nobody else
// can begin, complete or replace that sign-in.

import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { startAuthlibLogin } from "./authlib_server.mjs";
import { openBrowser } from "./browser.mjs";
import { CLIENT_ID, browserSignIn, signIn, startLoginServer } from "./login_server.mjs";
import { registerToken } from "./printed.mjs";
import { AS_OTHER, portToRegister, startPersonsApi, startPersonsProxy, writePersonsConfiguration } from "./sign_ins.mjs";
import { CUPBEARER, curl, run, start, temporaryDirectory, until, withResolvers } from "./support.mjs";

async function setUpLogin(t, { startServer = startLoginServer, apiUrl: otherApi, ...options } = {}) {
  const { seen, url } = await startPersonsApi(t);
  const apiUrl = otherApi ?? url;
  const redirectUrl = `http://127.0.0.1:${await portToRegister()}/callback`;
  const server = await startServer(t, { redirectUrl, clientId: CLIENT_ID, ...options });
  const directory = await temporaryDirectory(t);
  const file = await writePersonsConfiguration(directory, apiUrl, browserSignIn(server, redirectUrl));
  const { proxy, url: proxyUrl, admin } = await startPersonsProxy(t, file);
  const login = ["login", "--config", file, "--admin", new URL(admin).host];
  return { server, seen, redirectUrl, directory, file, proxy, url: proxyUrl, admin, login, logout: ["logout", ...login.slice(1)] };
}

/** Begins a sign-in on the command line. `ended` is how the command ends. */
async function beginLogin(t, login) {
  const command = await start([...login, "--no-browser"], ({ stderr }) => /(http:\/\/127\.0\.0\.1:\d+\/start\/\S+)/.exec(stderr));
  const ended = command.stop.bind(undefined, 0); // signal 0 only waits
  t.after(() => command.stop("SIGKILL"));
  return { address: command.found[1], ended, output: command.output, interrupt: () => command.signal("SIGINT") };
}

const status = async (admin) => JSON.parse((await curl("--silent", `${admin}/status`)).stdout).proxies[0].token;
/** Where a response leads. */
const target = async (url, ...more) => (await curl("--silent", "--output", "/dev/null", "--write-out", "%{redirect_url}", ...more, url)).stdout;
const get = async (url, ...more) => (await curl("--silent", "--output", "/dev/null", "--write-out", "%{http_code}", ...more, url)).stdout;

test("one sign-in with a browser ends in a 200, is renewed without the person, and ends with the sign-out", async (t) => {
  const { server, seen, redirectUrl, url, admin, login, logout } = await setUpLogin(t);
  assert.equal(await get(url), "503");
  assert.equal(JSON.parse((await curl("--silent", url)).stdout).reason, "login_required");
  const { address, ended, output } = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(address);
  await signIn(page, "ada");
  await page.getByText("You are signed in").waitFor();
  assert.equal(page.url(), new URL("/done", redirectUrl).href);
  assert.equal(await ended(), 0, output.stderr);
  assert.match(output.stdout, /signed in as ada of the tests/);
  const { port } = new URL(redirectUrl);
  assert.ok(output.stderr.includes(`ssh -L ${port}:127.0.0.1:${port} USER@THIS-MACHINE`), output.stderr);
  assert.equal(await get(url), "200");
  const { sign_in: person } = await status(admin);
  assert.deepEqual([person.way, person.who, person.is_renewed], ["browser", "ada of the tests", true]);

  // Four lifetimes of a token, under load.
  const end = Date.now() + 16_000;
  const codes = new Set();
  while (Date.now() < end) codes.add(await get(url));
  assert.deepEqual([...codes], ["200"]);
  const refreshes = server.requests.filter((one) => one.grant === "refresh_token");
  assert.ok(refreshes.length >= 4 && refreshes.every((one) => one.status === 200), JSON.stringify(refreshes));
  assert.equal(new Set(refreshes.map((one) => one.refreshToken)).size, refreshes.length, "they do not rotate");
  assert.ok(new Set(seen).size > 4);

  const left = await run(CUPBEARER, logout);
  assert.equal(left.code, 0, left.stderr);
  assert.doesNotMatch(left.stderr, /note/);
  // A renewal that was in progress may end after it.
  const revocations = server.requests.filter((one) => one.path === "/token/revocation");
  assert.ok(revocations.length > 0 && revocations.every((one) => one.status === 200), JSON.stringify(revocations));
  assert.equal(await get(url), "503");
  assert.equal((await status(admin)).state, "expired");
  const count = server.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  assert.equal(server.requests.length, count, "something is still requested");
});

test("a renewal that is in progress at a sign-out signs nobody in again, and its refresh token is revoked too", async (t) => {
  const { server, url, admin, login, logout } = await setUpLogin(t);
  const { address, ended, output } = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(address);
  await signIn(page, "ada");
  assert.equal(await ended(), 0, output.stderr);
  let release;
  const released = new Promise((resolve) => (release = resolve));
  let isHeld = false;
  server.afterToken = () => {
    isHeld = true;
    return released;
  };
  await until(() => isHeld, "no renewal");
  const left = await run(CUPBEARER, logout);
  assert.equal(left.code, 0, left.stderr);
  assert.equal(await get(url), "503");
  release();
  const revoked = () => server.requests.filter((one) => one.path === "/token/revocation").map((one) => one.status);
  await until(() => revoked().length === 2, "the next refresh token is not revoked");
  assert.deepEqual(revoked(), [200, 200]);
  assert.equal(await get(url), "503");
  assert.equal((await status(admin)).state, "expired");
});

test("a sign-in that begins on the page ends in a 200 with one more click", async (t) => {
  const { url, admin } = await setUpLogin(t);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(`${admin}/sign-in`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await signIn(page, "ada");
  await page.getByText("You are signed in").waitFor();
  assert.equal(await get(url), "200");
  await page.goto(`${admin}/sign-in`);
  await page.getByText("Signed in as ada of the tests").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("Nobody is signed in").waitFor();
  assert.equal(await get(url), "503");
});

test("a changed configuration that waits for somebody to sign in says so, and its sign-in begins on the page", async (t) => {
  const { file, proxy, url, admin } = await setUpLogin(t);
  const browser = await readFile(file, "utf8");
  const paste = `${browser.replace(/token\..*\n/g, "")}token.grant = "paste"\n`;
  await writeFile(file, paste);
  const token = "Lm4Qx8Vt2Zr6Bn1Kd9Hs3Jw7";
  registerToken(token);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(`${admin}/sign-in`);
  await page.getByText("The changed configuration waits until somebody signs in").waitFor();
  await page.getByRole("textbox").fill(token);
  await page.getByRole("button", { name: "Use this token" }).click();
  await until(() => /configuration applied/.test(proxy.output.stderr), "it is not applied");
  assert.equal(await get(url), "200");

  await writeFile(file, browser);
  await page.getByText("The changed configuration waits until somebody signs in").waitFor();
  const shown = await run(CUPBEARER, ["status", "--config", file, "--admin", new URL(admin).host]);
  assert.match(shown.stdout, /waits for its first token.*sign in at .*\/sign-in or with `cupbearer login`/);
  await page.getByRole("button", { name: "Sign in" }).click();
  await signIn(page, "ada");
  await page.getByText("You are signed in").waitFor();
  await until(async () => (await status(admin)).sign_in.who === "ada of the tests", "it is not applied");
  assert.equal(await get(url), "200");
});

test("a 401 for a request from before a reload goes back, and says why", async (t) => {
  const asked = withResolvers();
  const released = withResolvers();
  const api = createServer(async (_request, response) => {
    asked.resolve();
    await released.promise;
    response.writeHead(401).end();
  });
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  t.after(() => { api.close(); api.closeAllConnections(); });
  const { file, proxy, url, login } = await setUpLogin(t, { lifetimeS: 600, apiUrl: `http://127.0.0.1:${api.address().port}` });
  const { address, ended } = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(address);
  await signIn(page, "ada");
  assert.equal(await ended(), 0);
  const response = curl("--silent", "--include", url);
  await asked.promise;
  await writeFile(file, `${await readFile(file, "utf8")}token.wait = "3s"\n`);
  await until(() => /configuration applied/.test(proxy.output.stderr), "it is not applied");
  released.resolve();
  const { stdout } = await response;
  assert.match(stdout, /^HTTP\/1\.1 401 /);
  assert.match(stdout, /proxy-status: cupbearer; received-status=401; details="not sent again: no newer token, the configuration has been replaced meanwhile"/i);
});

test("no wrong attempt completes, replaces or ends a sign-in", async (t) => {
  const { server, redirectUrl, url, admin, login } = await setUpLogin(t);
  const { address, ended } = await beginLogin(t, login);
  const first = address.slice(0, -1) + (address.endsWith("x") ? "y" : "x");
  assert.equal(await get(first), "410");
  assert.equal(await get(address, "--header", "Sec-Purpose: prefetch"), "410");
  assert.equal(await get(address, "--header", "Host: evil.example.com"), "421");
  assert.equal(await get(address, "--request", "POST"), "405");
  const [program, ...args] = [...AS_OTHER, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", address];
  assert.equal((await run(program, args)).stdout, "403");

  // With the address, a caller could sign the proxy in as himself.
  const seen = await Promise.all([url, `${admin}/status`, `${admin}/ready`, `${admin}/sign-in`, `${admin}/metrics`].map((one) => curl("--silent", "--header", "Accept: text/html", one)));
  for (const { stdout } of seen) assert.ok(!stdout.includes("/start/") && !stdout.includes(`${server.issuer}/auth`), stdout);

  const context = await openBrowser(t);
  const page = await context.newPage();
  server.holds = true;
  await page.goto(address);
  assert.equal(await get(address), "410", "the address works twice");
  await signIn(page, "ada");
  const response = await until(() => server.held, "the server does not send the browser back");
  const [cookie] = await context.cookies(redirectUrl);
  assert.equal(cookie.name, `cupbearer_login_${new URL(redirectUrl).port}`);
  assert.ok(cookie.httpOnly && cookie.sameSite === "Lax", JSON.stringify(cookie));
  const asBrowser = ["--header", `Cookie: ${cookie.name}=${cookie.value}`];
  const changed = (name, value) => {
    const changed = new URL(response);
    if (value === undefined) changed.searchParams.delete(name);
    else changed.searchParams.set(name, value);
    return changed.href;
  };
  for (const [why, attempt, ...more] of [
    ["no cookie", response],
    ["another cookie", response, "--header", `Cookie: ${cookie.name}=other`],
    ["a wrong state", changed("state", "wrong"), ...asBrowser],
    ["no state", changed("state"), ...asBrowser],
    ["a repeated state", `${response}&state=other`, ...asBrowser],
    ["another issuer", changed("iss", "https://evil.example.com"), ...asBrowser],
    ["no issuer", changed("iss"), ...asBrowser],
    ["a repeated code", `${response}&code=other`, ...asBrowser],
    ["no code", changed("code"), ...asBrowser],
    ["an error with a wrong state", `${changed("state", "wrong")}&error=access_denied`, ...asBrowser],
  ]) {
    // Away from the address with the code.
    const rejected = new URL("/rejected", redirectUrl).href;
    assert.equal(await target(attempt, ...more), rejected, why);
    assert.equal(await get(rejected), "400", why);
  }
  assert.equal(await get(response, ...asBrowser, "--header", "Host: localhost"), "421");
  const [asOther, ...words] = [...AS_OTHER, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", ...asBrowser, response];
  assert.equal((await run(asOther, words)).stdout, "403");
  assert.equal(await get(url), "503");

  // Nobody else can give the order that begins another one.
  const order = ["--request", "POST", "--header", "Content-Type: application/json", "--header", "X-Cupbearer: 1", "--data", "{}"];
  assert.equal(await get(`${admin}/login`, ...order, "--header", "Origin: http://evil.example.com"), "403");
  assert.equal(await get(`${admin}/login`, ...order, "--header", "Sec-Fetch-Site: same-site"), "403");
  assert.equal(await get(`${admin}/login`, ...order.slice(0, 4), "--data", "{}"), "403");
  const [other, ...asked] = [...AS_OTHER, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", ...order, `${admin}/login`];
  assert.equal((await run(other, asked)).stdout, "403");

  // After all this, the right response still completes it; and it does so once.
  assert.equal(await get(response, ...asBrowser), "303");
  // A second one, or a reload, only shows how it has ended.
  const again = await target(response, ...asBrowser).catch(() => "closed");
  assert.ok(["closed", new URL("/done", redirectUrl).href].includes(again), again);
  assert.equal(server.requests.filter((one) => one.grant === "authorization_code").length, 1);
  assert.equal(await ended(), 0);
  assert.equal(await get(url), "200");
});

test("a sign-out or another sign-in ends the one in progress, also for a person who is about to come back", async (t) => {
  const { server, redirectUrl, url, login, logout } = await setUpLogin(t);
  const next = {
    "a sign-out": async () => {
      const left = await run(CUPBEARER, logout);
      assert.equal(left.code, 0, left.stderr);
    },
    "another sign-in": () => beginLogin(t, login),
  };
  for (const [why, end] of Object.entries(next)) {
    const { address, ended, output } = await beginLogin(t, login);
    const context = await openBrowser(t);
    const page = await context.newPage();
    [server.holds, server.held] = [true, undefined];
    await page.goto(address);
    await signIn(page, "ada");
    const response = await until(() => server.held, "the server does not send the browser back");
    const [cookie] = await context.cookies(redirectUrl);
    await end();
    const led = await target(response, "--header", `Cookie: ${cookie.name}=${cookie.value}`).catch(() => "closed");
    assert.notEqual(led, new URL("/done", redirectUrl).href, why);
    assert.equal(await ended(), 1, why);
    assert.match(output.stderr, /another sign-in has begun, or somebody has signed out/, why);
    assert.equal(await get(url), "503", why);
  }
  assert.deepEqual(server.requests.filter((one) => one.path === "/token"), []);
});

test("a reload at the server, a closed tab and Ctrl-C do no harm", async (t) => {
  const { server, url, login } = await setUpLogin(t);
  const { address, ended } = await beginLogin(t, login);
  const context = await openBrowser(t);
  const first = await context.newPage();
  await first.goto(address);
  const atServer = first.url();
  await first.reload();
  await first.close();
  // The same browser goes on in another tab.
  const second = await context.newPage();
  await second.goto(atServer);
  await signIn(second, "ada");
  await second.getByText("You are signed in").waitFor();
  assert.equal(await ended(), 0);
  assert.equal(await get(url), "200");

  const left = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(left.address);
  left.interrupt();
  assert.equal(await left.ended(), 4);
  assert.match(left.output.stderr, /it was cancelled/);
  assert.notEqual(await get(left.address).catch(() => "closed"), "303");
  assert.equal(server.requests.filter((one) => one.grant === "authorization_code").length, 1);
});

test("a server that wants to see the person again ends the sign-in, whatever error says so", async (t) => {
  const { server, url, login } = await setUpLogin(t);
  const { address, ended } = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(address);
  await signIn(page, "ada");
  assert.equal(await ended(), 0);
  [server.failing, server.failingWith] = [400, { error: "interaction_required" }];
  await until(async () => (await get(url)) === "503", "the token does not end");
  assert.equal(JSON.parse((await curl("--silent", url)).stdout).reason, "login_required");
  assert.equal(server.requests.filter((one) => one.status === 400).length, 1);
});

test("the command says why there is no sign-in, with its exit code", async (t) => {
  const { server, redirectUrl, url, login } = await setUpLogin(t);
  const denied = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(denied.address);
  await page.getByText("Cancel").click();
  await page.getByText("You are not signed in").waitFor();
  assert.equal(page.url(), new URL("/done", redirectUrl).href);
  assert.equal(await denied.ended(), 4);
  assert.match(denied.output.stderr, /access_denied/);

  const replaced = await beginLogin(t, login);
  const next = await beginLogin(t, login);
  assert.equal(await replaced.ended(), 1);
  assert.match(replaced.output.stderr, /another sign-in has begun/);

  server.failing = 503;
  await page.goto(next.address);
  await signIn(page, "ada");
  await page.getByText("The sign-in has failed").waitFor();
  assert.equal(await next.ended(), 5);
  assert.match(next.output.stderr, /503/);
  assert.equal(await get(url), "503");

  const { port } = new URL(redirectUrl);
  const listen = async () => {
    const taken = createServer().listen(Number(port), "127.0.0.1");
    await once(taken, "listening");
    t.after(() => taken.close());
    return true;
  };
  await until(() => listen().catch(() => false), "the listener of the sign-in does not end");
  const onTaken = await run(CUPBEARER, [...login, "--no-browser"]);
  assert.equal(onTaken.code, 3, onTaken.stderr);
  assert.match(onTaken.stderr, /another program listens at .*token\.redirect_url/);
});

test("a server without S256 is not used", async (t) => {
  const { login } = await setUpLogin(t, { metadata: { code_challenge_methods_supported: ["plain"] } });
  const ended = await run(CUPBEARER, [...login, "--no-browser"]);
  assert.equal(ended.code, 5, ended.stderr);
  assert.match(ended.stderr, /does not support PKCE with S256/);
});

test("the command opens only an address that works once, without a shell", async (t) => {
  const { directory, login } = await setUpLogin(t);
  const opened = join(directory, "opened");
  for (const name of ["xdg-open", "gio", "gnome-open", "kde-open", "wslview"]) {
    const program = join(directory, name);
    await writeFile(program, `#!/bin/sh\nprintf '%s\\n' "$*" >>'${opened}'\n`);
    await chmod(program, 0o755);
  }
  const command = await start(login, ({ stderr }) => /A browser opens/.test(stderr), { env: { PATH: `${directory}:${process.env.PATH}` } });
  t.after(() => command.stop("SIGKILL"));
  const address = await until(() => readFile(opened, "utf8").catch(() => ""), "nothing was opened");
  assert.match(address, /^(open )?http:\/\/127\.0\.0\.1:\d+\/start\/[\w-]{43}\n$/);
});

test("once the server has ended the session, requests are told to sign in again, and nothing is requested in a loop", async (t) => {
  const { server, url, admin, login } = await setUpLogin(t);
  const { address, ended } = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(address);
  await signIn(page, "ada");
  assert.equal(await ended(), 0);
  await server.endSessions();
  await until(async () => (await get(url)) === "503", "the session does not end");
  assert.equal(JSON.parse((await curl("--silent", url)).stdout).reason, "login_required");
  assert.equal((await status(admin)).state, "expired");
  const failed = server.requests.filter((one) => one.error === "invalid_grant");
  assert.equal(failed.length, 1, JSON.stringify(server.requests));

  // Another person signs in.
  const again = await beginLogin(t, login);
  const other = await (await openBrowser(t)).newPage();
  await other.goto(again.address);
  await signIn(other, "grace");
  await other.getByRole("button", { name: "Sign in as grace of the tests" }).click();
  await other.getByText("You are signed in").waitFor();
  assert.equal(await again.ended(), 0);
  assert.match(again.output.stdout, /signed in as grace of the tests/);
  assert.match(again.output.stdout, /ada of the tests was signed in before/);
  assert.equal(await get(url), "200");
});

test("without a refresh token, the sign-in lasts as long as the access token", async (t) => {
  const { server, url, admin, login } = await setUpLogin(t, { refreshes: false, lifetimeS: 6 });
  const { address, ended, output } = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(address);
  await signIn(page, "ada");
  assert.equal(await ended(), 0);
  assert.match(output.stdout, /until \d{4}-/);
  assert.equal(await get(url), "200");
  assert.match((await curl("--silent", `${admin}/ready`)).stdout, /sign in at/);
  await until(async () => (await get(url)) === "503", "the token does not end");
  assert.equal(server.requests.length, 1);
});

test("a sign-in at Authlib, a second server, is renewed and revoked too", async (t) => {
  const { server, url, login, logout } = await setUpLogin(t, { startServer: startAuthlibLogin });
  const { address, ended, output } = await beginLogin(t, login);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(address);
  await page.locator("input[name=login]").fill("ada");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("You are signed in").waitFor();
  assert.equal(await ended(), 0, output.stderr);
  assert.match(output.stdout, /signed in as ada of Authlib/);
  const end = Date.now() + 9000; // two lifetimes of a token
  const codes = new Set();
  while (Date.now() < end) codes.add(await get(url));
  assert.deepEqual([...codes], ["200"]);
  const refreshes = server.requests.filter((one) => one.grant === "refresh_token");
  assert.ok(refreshes.length >= 2 && refreshes.every((one) => one.status === 200), JSON.stringify(server.requests));
  const left = await run(CUPBEARER, logout);
  assert.equal(left.code, 0, left.stderr);
  assert.doesNotMatch(left.stderr, /note/);
  assert.deepEqual(server.requests.at(-1), { path: "/revoke", grant: null, status: 200 });
  assert.equal(await get(url), "503");
});
