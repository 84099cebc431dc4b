// token.grant = "paste": a person copies a token and hands it over, on the page and at the prompt. Nobody else can.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { registerToken } from "./printed.mjs";
import { AS_OTHER, OTHER, startPage, startPersonsApi, startPersonsProxy, writePersonsConfiguration } from "./sign_ins.mjs";
import { CUPBEARER, curl, run, temporaryDirectory, until } from "./support.mjs";
import { CTRL_C, converse, signal } from "./terminal.mjs";

/** A token that says whose it is and when it ends, with `extra` more bytes and `more` claims. */
function jwt(leftS, extra = 0, more = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: "ada", name: "Ada Lovelace", exp: Math.floor(Date.now() / 1000) + leftS, pad: "p".repeat(extra), ...more };
  const signature = Buffer.from(Array.from({ length: 64 }, () => Math.floor(Math.random() * 256))).toString("base64url");
  const token = `${part({ alg: "ES256" })}.${part(claims)}.${signature}`;
  registerToken(token);
  return token;
}

async function setUpPaste(t, config = "") {
  const api = await startPersonsApi(t);
  const lines = ['token.grant = "paste"', 'token.login_url = "http://127.0.0.1:1/copy"', config];
  const file = await writePersonsConfiguration(await temporaryDirectory(t), api.url, lines);
  const { url, admin } = await startPersonsProxy(t, file);
  return { api, file, url, admin, adminAddress: new URL(admin).host };
}

const status = async (admin) => JSON.parse((await curl("--silent", `${admin}/status`)).stdout).proxies[0].token;

test("a paste on the page ends in a 200 in two clicks", async (t) => {
  const { api, url, admin } = await setUpPaste(t);
  const context = await openBrowser(t);
  const page = await context.newPage();
  await page.goto(`${url}/docs`);
  assert.match(await page.innerText("h1"), /503/);
  const token = jwt(3600);
  await page.getByRole("link", { name: `${admin}/sign-in` }).click();
  await page.locator("textarea").fill(`"Bearer ${token}"`);
  await page.getByRole("button", { name: "Use this token" }).click();
  await page.getByText("Signed in as Ada Lovelace").waitFor();
  await until(async () => (await page.title()).startsWith("Signed in"), "the title does not say it");
  assert.equal(await page.locator("textarea").inputValue(), "");
  await page.goto(`${url}/docs`);
  assert.equal(await page.title(), "the API");
  assert.deepEqual(new Set(api.seen), new Set([`Bearer ${token}`]));
  await page.goto(`${admin}/sign-in`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("Nobody is signed in").waitFor();
  assert.equal((await status(admin)).state, "expired");
});

test("the title and the page say that a token ends soon, and what is doubtful about it", async (t) => {
  const { admin } = await setUpPaste(t);
  const page = await (await openBrowser(t)).newPage();
  await page.goto(`${admin}/sign-in`);
  await page.locator("textarea").fill(jwt(300).slice(0, -5));
  await page.getByRole("button", { name: "Use this token" }).click();
  await page.getByText("looks cut short").waitFor();
  await until(async () => /^Sign in again: \d min left/.test(await page.title()), "the title does not say it");
});

test("a hostile page can neither paste, sign out nor replace a token", async (t) => {
  const { url: origin } = await startPage(t, "<title>hostile</title>");
  const { api, url, admin } = await setUpPaste(t, `guard.origins = ["${origin}"]`);
  const token = jwt(3600);
  const signIn = await fetchPaste(admin, token);
  assert.equal(signIn, "200");
  const page = await (await openBrowser(t)).newPage();
  await page.goto(origin);
  const outcomes = await page.evaluate(async (target) => {
    const attempt = async (path, options) => {
      try {
        const response = await fetch(`${target}${path}`, { method: "POST", body: '{"token":"evil"}', ...options });
        return response.status;
      } catch {
        return "blocked";
      }
    };
    const json = { "Content-Type": "application/json", "X-Cupbearer": "1" };
    const outcomes = [];
    for (const path of ["/token/paste", "/logout", "/login"]) {
      outcomes.push(await attempt(path, { headers: json }));
      outcomes.push(await attempt(path, { mode: "no-cors", headers: { "Content-Type": "text/plain" } }));
      outcomes.push(await attempt(path, {}));
      navigator.sendBeacon(`${target}${path}`, new Blob(["{}"], { type: "text/plain" }));
    }
    const form = document.createElement("form");
    form.method = "post";
    form.enctype = "text/plain";
    form.target = "_blank";
    form.action = `${target}/logout`;
    document.body.append(form);
    form.submit();
    return outcomes;
  }, admin);
  assert.ok(outcomes.every((outcome) => outcome !== 200), JSON.stringify(outcomes));
  assert.equal((await status(admin)).sign_in.who, "Ada Lovelace");
  assert.equal((await curl("--silent", "--write-out", "%{http_code}", `${url}/`)).stdout.slice(-3), "200");
  assert.deepEqual(api.seen, [`Bearer ${token}`]);
});

/** Pastes as the page does, and returns the status. */
async function fetchPaste(admin, token, prefix = []) {
  const [program, ...args] = [
    ...prefix, "curl", "--disable", "--noproxy", "*", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}",
    "--header", "X-Cupbearer: 1", "--header", "Content-Type: application/json", "--data", JSON.stringify({ token }), `${admin}/token/paste`,
  ];
  return (await run(program, args)).stdout;
}

test("another user can neither paste nor sign out, whatever guard.local_users says, and login sends nothing to another user's port", async (t) => {
  const { file, url, admin } = await setUpPaste(t, 'guard.local_users = "any"\nguard.share_login = true');
  const token = jwt(3600);
  assert.equal(await fetchPaste(admin, token), "200");
  assert.equal(await fetchPaste(admin, "evil", AS_OTHER), "403");
  const [program, ...args] = [...AS_OTHER, "curl", "--silent", "--header", "X-Cupbearer: 1", "--header", "Content-Type: application/json", "--data", "{}", `${admin}/logout`];
  assert.equal(JSON.parse((await run(program, args)).stdout).reason, "user_refused");
  assert.equal((await status(admin)).sign_in.who, "Ada Lovelace");
  assert.equal((await curl("--silent", "--write-out", "%{http_code}", `${url}/`)).stdout.slice(-3), "200");

  // A program of another user that says what the admin listener says.
  const body = (await curl("--silent", `${admin}/status`)).stdout;
  const impostor = `
    const server = require("node:http").createServer((request, response) => {
      if (request.method === "POST") console.log("received", request.url);
      response.end(request.method === "POST" ? "{}" : process.argv[1]);
    });
    server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
  `;
  const [asOther, ...rest] = [...AS_OTHER, process.execPath, "-e", impostor, body];
  const { spawn } = await import("node:child_process");
  const child = spawn(asOther, rest, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill());
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  await until(() => /port (\d+)/.test(output), "the impostor does not listen");
  const port = /port (\d+)/.exec(output)[1];
  const login = await run(CUPBEARER, ["login", "--config", file, "--admin", `127.0.0.1:${port}`], { input: token });
  assert.equal(login.code, 3, login.stderr);
  assert.match(login.stderr, new RegExp(`user id ${OTHER}`));
  assert.doesNotMatch(output, /received/);
});

test("the prompt takes a token of 16 kB without showing it, and can be left", async (t) => {
  const { api, file, url, adminAddress } = await setUpPaste(t);
  const token = jwt(3600, 12_000);
  assert.ok(token.length > 16_000);
  const args = ["login", "--config", file, "--admin", adminAddress];
  const left = await converse(args, [["then press Enter: ", CTRL_C]]);
  assert.equal(left.code, 4, left.screen);
  // The terminal has its echo again, or the code would be 98.
  for (const [name, code] of [["SIGTERM", 143], ["SIGINT", 130], ["SIGHUP", 129]]) {
    const ended = await converse(args, [["then press Enter: ", signal(name)]]);
    assert.equal(ended.code, code, ended.screen);
  }
  const { code, screen } = await converse(args, [["then press Enter: ", token]]);
  assert.equal(code, 0, screen);
  assert.match(screen, /signed in as Ada Lovelace/);
  assert.ok(!screen.includes(token.slice(100, 200)), "the token was shown");
  await curl("--silent", `${url}/`);
  assert.deepEqual(api.seen, [`Bearer ${token}`]);
});

test("a token that seems to belong to another environment is used, and said to be doubtful", async (t) => {
  const lines = ['token.grant = "paste"'];
  const file = await writePersonsConfiguration(await temporaryDirectory(t), "https://self-service-api.dev-example.eu1.ping.cloud", lines);
  const { admin } = await startPersonsProxy(t, file);
  const token = jwt(3600, 0, { groups: ["stage-tls-admin"] });
  const login = await run(CUPBEARER, ["login", "--config", file, "--admin", new URL(admin).host], { input: token });
  assert.equal(login.code, 0, login.stderr);
  assert.match(login.stdout + login.stderr, /the API is of the environment dev, but the token has no role there/);
  const { state, sign_in: person } = await status(admin);
  assert.deepEqual([state, person.who], ["fresh", "Ada Lovelace"]);
});
