// Someone else than before signs in: nothing changes until that is confirmed, in the browser that has signed in, on the
// page, or at the terminal that shows the code. Nobody else can confirm it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { browserSignIn, enterCode, signIn, startLoginServer } from "./login_server.mjs";
import { registerToken } from "./printed.mjs";
import { AS_OTHER, portToRegister, startPersonsApi, startPersonsProxy, writePersonsConfiguration } from "./sign_ins.mjs";
import { CUPBEARER, curl, run, start, temporaryDirectory, until } from "./support.mjs";
import { CTRL_C, converse } from "./terminal.mjs";

const get = async (url, ...more) => (await curl("--silent", "--output", "/dev/null", "--write-out", "%{http_code}", ...more, url)).stdout;

/** A proxy at which ada is signed in. */
async function setUp(t, { isSignedIn = true } = {}) {
  const api = await startPersonsApi(t);
  const redirectUrl = `http://127.0.0.1:${await portToRegister()}/callback`;
  const server = await startLoginServer(t, { redirectUrl, lifetimeS: 600 });
  const directory = await temporaryDirectory(t);
  const store = join(directory, "login.json");
  const file = await writePersonsConfiguration(directory, api.url, [...browserSignIn(server, redirectUrl), `token.store = { file = "${store}" }`]);
  const startProxy = async () => {
    const { proxy, url, admin } = await startPersonsProxy(t, file);
    const login = ["login", "--config", file, "--admin", new URL(admin).host];
    const token = async () => JSON.parse((await curl("--silent", `${admin}/status`)).stdout).proxies[0].token;
    return { proxy, url, admin, login, token, who: async () => (await token()).sign_in.who };
  };
  const proxy = await startProxy();
  const revoked = () => server.requests.filter((one) => one.path === "/token/revocation" && one.status === 200).length;
  const scene = { server, redirectUrl, startProxy, revoked, ...proxy };
  if (isSignedIn) {
    const { command } = await signInAs(t, scene, "ada");
    assert.equal(await command.stop(0), 0, command.output.stderr);
  }
  return scene;
}

/** Signs in with a browser, up to the page that the browser shows then. */
async function signInAs(t, { login, redirectUrl }, person, ...flags) {
  const command = await start([...login, "--no-browser", ...flags], ({ stderr }) => /(http:\/\/127\.0\.0\.1:\d+\/start\/\S+)/.exec(stderr));
  t.after(() => command.stop("SIGKILL"));
  const context = await openBrowser(t);
  const page = await context.newPage();
  await page.goto(command.found[1]);
  await signIn(page, person);
  await page.waitForURL(new RegExp(`^${new URL(redirectUrl).origin}/`));
  return { command, context, page };
}

const question = (page) => page.getByText("You have signed in as grace of the tests, but ada of the tests is signed in to cupbearer.").waitFor();

test("someone else who signs in is asked first: until then, and after Cancel, the person before stays signed in", async (t) => {
  const scene = await setUp(t);
  const { redirectUrl, url, who, revoked } = scene;
  const { command, page } = await signInAs(t, scene, "grace");
  await question(page);
  assert.equal(page.url(), `${redirectUrl}/confirm`);
  await until(() => /but ada of the tests is signed in. Confirm the change in the browser/.test(command.output.stderr), "the command does not say so");
  assert.deepEqual([await get(url), await who(), revoked()], ["200", "ada of the tests", 0]);
  await page.reload();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("ada of the tests stays signed in").waitFor();
  assert.equal(await command.stop(0), 4, command.output.stderr);
  assert.match(command.output.stderr, /not signed in: ada of the tests stays signed in/);
  await until(() => revoked() === 1, "what nobody uses is not revoked");
  assert.deepEqual([await get(url), await who()], ["200", "ada of the tests"]);

  const again = await signInAs(t, scene, "grace");
  await again.page.getByRole("button", { name: "Sign in as grace of the tests" }).click();
  await again.page.getByText("You are signed in").waitFor();
  assert.equal(again.page.url(), new URL("/done", redirectUrl).href);
  assert.equal(await again.command.stop(0), 0, again.command.output.stderr);
  assert.match(again.command.output.stdout, /ada of the tests was signed in before, and is signed out now/);
  assert.deepEqual([await get(url), await who()], ["200", "grace of the tests"]);
  await until(() => revoked() === 2, "the session of ada is not revoked");

  // Without a question: the same person, and whoever says so beforehand.
  const same = await signInAs(t, scene, "grace");
  assert.equal(await same.command.stop(0), 0, same.command.output.stderr);
  const decided = await signInAs(t, scene, "ada", "--yes");
  assert.equal(await decided.command.stop(0), 0, decided.command.output.stderr);
  assert.equal(await who(), "ada of the tests");
});

test("only the browser that has signed in, with its own form, can confirm the change, and once", async (t) => {
  const scene = await setUp(t);
  const { redirectUrl, who, revoked } = scene;
  const { command, context, page } = await signInAs(t, scene, "grace");
  await question(page);
  const address = `${redirectUrl}/confirm`;
  const confirmation = await page.locator("input[name=confirmation]").getAttribute("value");
  registerToken(confirmation);
  const [cookie] = await context.cookies(address);
  const withCookie = ["--header", `Cookie: ${cookie.name}=${cookie.value}`];
  const form = ["--data", `confirmation=${confirmation}&answer=replace`];
  const other = ["--data", `confirmation=${"x".repeat(confirmation.length)}&answer=replace`];
  for (const [why, expected, ...request] of [
    ["no cookie", "303", ...form],
    ["another cookie", "303", "--header", `Cookie: ${cookie.name}=other`, ...form],
    ["another confirmation", "303", ...withCookie, ...other],
    ["no confirmation", "303", ...withCookie, "--data", "answer=replace"],
    ["two confirmations", "303", ...withCookie, ...form, ...other],
    ["two confirmations, the right one last", "303", ...withCookie, ...other, ...form],
    ["no answer", "303", ...withCookie, "--data", `confirmation=${confirmation}`],
    ["a page of another port", "303", ...withCookie, "--header", "Origin: http://127.0.0.1:1", ...form],
    ["a page of the same site", "303", ...withCookie, "--header", "Sec-Fetch-Site: same-site", ...form],
    ["another host", "421", ...withCookie, "--header", "Host: evil.example.com", ...form],
    ["another method", "405", ...withCookie, "--request", "PUT", ...form],
    ["a form that is too long", "303", ...withCookie, "--data", `confirmation=${confirmation}&answer=replace${"x".repeat(2000)}`],
    ["the question without the cookie", "400"],
  ]) assert.equal(await get(address, ...request), expected, why);
  const [program, ...words] = [...AS_OTHER, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", ...withCookie, ...form, address];
  assert.equal((await run(program, words)).stdout, "403", "another user");
  assert.deepEqual([await who(), revoked()], ["ada of the tests", 0]);
  await page.getByRole("button", { name: "Sign in as grace of the tests" }).click();
  await page.getByText("You are signed in").waitFor();
  assert.equal(await command.stop(0), 0, command.output.stderr);
  assert.equal(await who(), "grace of the tests");
});

test("the page asks too, and a sign-out ends the question", async (t) => {
  const scene = await setUp(t);
  const { admin, url, who, token, revoked, login } = scene;
  const own = await (await openBrowser(t)).newPage();
  await own.goto(`${admin}/sign-in`);
  const kept = await signInAs(t, scene, "grace");
  await question(kept.page);
  assert.equal((await token()).unconfirmed_sign_in.who, "grace of the tests");
  await own.getByText("grace of the tests has signed in, but ada of the tests is signed in here").waitFor();
  await own.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await kept.command.stop(0), 4, kept.command.output.stderr);
  assert.equal((await token()).unconfirmed_sign_in, undefined);
  assert.equal(await who(), "ada of the tests");

  const replaced = await signInAs(t, scene, "grace");
  await question(replaced.page);
  await own.getByRole("button", { name: "Sign in as grace of the tests" }).click();
  assert.equal(await replaced.command.stop(0), 0, replaced.command.output.stderr);
  assert.equal(await who(), "grace of the tests");

  const ended = await signInAs(t, scene, "ada");
  await ended.page.getByText("You have signed in as ada of the tests").waitFor();
  assert.equal((await run(CUPBEARER, ["logout", ...login.slice(1)])).code, 0);
  assert.equal(await ended.command.stop(0), 1, ended.command.output.stderr);
  assert.equal(await get(url), "503");
  await until(() => revoked() === 4, "a session is not revoked"); // grace, ada, ada's next, grace
});

test("a stop, and a restart on the same store, count too", async (t) => {
  const scene = await setUp(t);
  const { page } = await signInAs(t, scene, "grace");
  await question(page);
  const stopped = Date.now();
  await scene.proxy.stop("SIGTERM");
  assert.ok(Date.now() - stopped < 8000, "the stop waits for the answer");
  assert.equal(scene.revoked(), 1, "what nobody uses is not revoked");
  const next = { ...scene, ...(await scene.startProxy()) };
  const again = await signInAs(t, next, "grace");
  await question(again.page);
  await again.page.getByRole("button", { name: "Sign in as grace of the tests" }).click();
  assert.equal(await again.command.stop(0), 0, again.command.output.stderr);
  assert.equal(await next.who(), "grace of the tests");
});

test("with a code on another device, the terminal asks, and without one nobody is replaced", async (t) => {
  const scene = await setUp(t);
  const { login, who, revoked } = scene;
  const devicePattern = /any device:\s+(\S+)\s[^]*asked for it:\s+(\S+)\s[^]*Waiting/;
  const approve = async (found) => {
    const page = await (await openBrowser(t)).newPage();
    await enterCode(page, found[1], found[2]);
    await page.getByRole("button", { name: "Continue" }).click();
    await signIn(page, "grace");
    await page.getByText("Sign-in Success").waitFor();
  };
  const refused = await start([...login, "--device"], ({ stderr }) => devicePattern.exec(stderr));
  t.after(() => refused.stop("SIGKILL"));
  await approve(refused.found);
  assert.equal(await refused.stop(0), 4, refused.output.stderr);
  assert.match(refused.output.stderr, /not signed in: ada of the tests stays signed in; .*`cupbearer logout`.*--yes/);
  await until(() => revoked() === 1, "what nobody uses is not revoked");

  // At a terminal.
  const atTerminal = async (answer) => {
    const screen = { text: "" };
    const shown = converse([...login, "--device"], [["Replace ada of the tests\\? \\[y/N\\] ", answer]], { onText: (text) => (screen.text = text) });
    await approve(await until(() => devicePattern.exec(screen.text), "no code is shown"));
    return shown;
  };
  const kept = await atTerminal(CTRL_C);
  assert.equal(kept.code, 4, kept.screen);
  assert.match(kept.screen, /it was cancelled/);
  assert.equal(await who(), "ada of the tests");
  const replaced = await atTerminal("y");
  assert.equal(replaced.code, 0, replaced.screen);
  assert.equal(await who(), "grace of the tests");
});
