// `cupbearer demo --login`: someone new to it signs in, in a browser, and then uses the API's page.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { registerToken } from "./printed.mjs";
import { portToRegister, startPage } from "./sign_ins.mjs";
import { CUPBEARER, curl, run, start, until } from "./support.mjs";

/** Starts the demo, and returns the addresses that it prints. */
async function startDemo(t, way) {
  const admin = `127.0.0.1:${await portToRegister()}`;
  const args = ["demo", way, "--listen", "127.0.0.1:0", "--set", `admin.listen=${admin}`];
  const { found, ...demo } = await start(args, ({ stdout, stderr }) => {
    const output = stdout + stderr;
    const page = /^ +(http:\S+\/sign-in)$/m.exec(output)?.[1];
    const command = /^ +(cupbearer login --config \S+ --admin \S+)$/m.exec(output)?.[1];
    const docs = /^ +(http:\S+\/docs)$/m.exec(output)?.[1];
    return page && command && docs && { page, command, docs };
  });
  t.after(() => demo.stop());
  assert.equal(found.page, `http://${admin}/sign-in`);
  // The command of the last line would not find this demo: the one above has the flags for that.
  const last = await until(() => /^ +token +none yet: (.*)$/m.exec(demo.output.stderr)?.[1], "the banner does not end");
  assert.ok(last.endsWith(` at ${found.page}`), last);
  return { ...found, admin, demo };
}

/** The status that "Try it out" of the first operation shows. */
async function tryItOut(page) {
  await page.locator("#operations-certificates-list_certificates .opblock-summary-control").click();
  await page.getByRole("button", { name: "Execute" }).click();
  return page.locator(".live-responses-table tr.response .response-col_status").first().innerText();
}

test("from demo --login to a 200 of Try it out with one sign-in", async (t) => {
  const { page: signInPage, docs, admin } = await startDemo(t, "--login");
  const page = await (await openBrowser(t)).newPage();
  await page.goto(docs);
  assert.match(await page.innerText("h1"), /503/);
  await page.getByRole("link", { name: signInPage }).click();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign in as Ada Admin" }).click();
  await page.getByText("You are signed in").waitFor();
  await page.goto(docs);
  assert.match(await tryItOut(page), /^200/);
  const { sign_in: person } = JSON.parse((await curl("--silent", `http://${admin}/status`)).stdout).proxies[0].token;
  assert.deepEqual([person.who, person.is_renewed], ["Ada Admin", true]);
});

test("whoever cancels is not signed in, and an auditor may only read", async (t) => {
  const { page: signInPage, docs } = await startDemo(t, "--login");
  const api = new URL("/api/v1/certificates", docs).href;
  const code = async (...more) => (await curl("--silent", "--output", "/dev/null", "--write-out", "%{http_code}", ...more, api)).stdout;
  const page = await (await openBrowser(t)).newPage();
  await page.goto(signInPage);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("You are not signed in").waitFor();
  assert.equal(await code(), "503");
  await page.goto(signInPage);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign in as Otto Auditor" }).click();
  await page.getByText("You are signed in").waitFor();
  assert.equal(await code(), "200");
  assert.equal(await code("--request", "POST", "--data", "{}"), "403");
});

test("demo --login=paste: a token is copied from the page of the API and pasted, and the API's login stays at its own host", async (t) => {
  const { page: signInPage, docs } = await startDemo(t, "--login=paste");
  const context = await openBrowser(t);
  const page = await context.newPage();
  await page.goto(signInPage);
  const [copying] = await Promise.all([
    context.waitForEvent("page", { timeout: 5000 }).catch(() => page),
    page.locator("a[href$='/api/v1/auth/login/self-service']").first().click(),
  ]);
  await copying.getByRole("button", { name: "Sign in as Ada Admin" }).click();
  const token = await copying.locator("#token").inputValue();
  registerToken(token);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(copying.url()).origin });
  await copying.getByRole("button", { name: "Copy Token" }).click();
  await copying.getByText("Copied").waitFor();
  assert.equal(await copying.evaluate(() => navigator.clipboard.readText()), token);

  await page.goto(signInPage);
  await page.locator("textarea").fill(token);
  await page.getByRole("button", { name: "Use this token" }).click();
  await page.getByText("Signed in as Ada Admin").waitFor();
  await page.goto(docs);
  assert.match(await tryItOut(page), /^200/);

  // *Get Token* of the API's page leads away from the proxy.
  const link = page.getByRole("link", { name: "Get Token" });
  assert.equal(new URL(await link.getAttribute("href"), docs).origin, new URL(docs).origin);
  await link.evaluate((element) => element.removeAttribute("target"));
  await link.click();
  await page.getByRole("heading", { name: "Sign in to copy a token" }).waitFor();
  assert.equal(new URL(page.url()).origin, new URL(copying.url()).origin);
  assert.notEqual(new URL(page.url()).origin, new URL(docs).origin);
});

test("the printed command signs in too", async (t) => {
  const { command, docs } = await startDemo(t, "--login");
  const login = await start([...command.split(" ").slice(1), "--no-browser"], ({ stderr }) => /(http:\/\/127\.0\.0\.1:\d+\/start\/\S+)/.exec(stderr));
  t.after(() => login.stop("SIGKILL"));
  const page = await (await openBrowser(t)).newPage();
  await page.goto(login.found[1]);
  await page.getByRole("button", { name: "Sign in as Ada Admin" }).click();
  await page.getByText("You are signed in").waitFor();
  assert.equal(await login.stop(0), 0);
  await page.goto(docs);
  await until(async () => /API/.test(await page.title()), "the page of the API is not shown");
  const { stdout } = await run("curl", ["--noproxy", "*", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", new URL("/api/v1/certificates", docs).href]);
  assert.equal(stdout, "200");
});

test("the other printed command shows a code, and whoever enters it signs in", async (t) => {
  const { demo, docs, admin, command } = await startDemo(t, "--login");
  const line = /^ +(cupbearer login --device --config \S+ --admin \S+)$/m.exec(demo.output.stderr + demo.output.stdout)[1];
  assert.equal(line, command.replace("cupbearer login", "cupbearer login --device"));
  const begin = () => start(line.split(" ").slice(1), ({ stderr }) => {
    const address = /^ +(http:\S+\/device)$/m.exec(stderr)?.[1];
    const code = /\b([A-Z]{4}-[A-Z]{4})\b/.exec(stderr)?.[1];
    return address && code && { address, code };
  });
  const page = await (await openBrowser(t)).newPage();
  const enter = async ({ address, code }, button) => {
    await page.goto(address);
    await page.getByLabel("The code").fill(code.toLowerCase());
    await page.getByRole("button", { name: button }).click();
  };
  const denied = await begin();
  await enter(denied.found, "Deny");
  assert.equal(await denied.stop(0), 4, denied.output.stderr);
  const login = await begin();
  await enter({ ...login.found, code: "BBBB-BBBB" }, "Sign in as Otto Auditor");
  await page.getByText("There is no such code").waitFor();
  await enter(login.found, "Sign in as Otto Auditor");
  await page.getByText("You are signed in").waitFor();
  assert.equal(await login.stop(0), 0, login.output.stderr);
  const { sign_in: person } = JSON.parse((await curl("--silent", `http://${admin}/status`)).stdout).proxies[0].token;
  assert.deepEqual([person.who, person.is_renewed], ["Otto Auditor", true]);
  const { stdout } = await curl("--silent", "--output", "/dev/null", "--write-out", "%{http_code}", new URL("/api/v1/certificates", docs).href);
  assert.equal(stdout, "200");
});

test("the doctor says who is signed in to the running proxy and with which roles, and uses no token", async (t) => {
  const { page: signInPage, command, admin } = await startDemo(t, "--login");
  const file = command.split(" ")[3];
  const examine = async () => {
    const { code, stdout } = await run(CUPBEARER, ["doctor", "--json", "--config", file, "--set", `admin.listen=${admin}`, "--listen", "127.0.0.1:0"]);
    assert.deepEqual(JSON.parse(stdout).checks.filter(({ outcome }) => outcome === "failed"), []);
    return { code, ...Object.fromEntries(JSON.parse(stdout).checks.map((check) => [check.id, check])) };
  };
  const before = await examine();
  assert.equal(before.code, 0);
  assert.equal(before.grant.outcome, "skipped");
  assert.equal(before["token.groups"].said, "there is no token");
  const page = await (await openBrowser(t)).newPage();
  await page.goto(signInPage);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign in as Otto Auditor" }).click();
  await page.getByText("You are signed in").waitFor();
  const token = async () => JSON.parse((await curl("--silent", `http://${admin}/status`)).stdout).proxies[0].token;
  const { generation, requests } = await token();
  const after = await examine();
  assert.equal(after.code, 0);
  assert.match(after.grant.said, /^Otto Auditor is signed in to the running proxy, whose access token is usable for another \d+s$/);
  assert.equal(after["token.form"].said, "a JWT");
  assert.equal(after["token.issuer"].outcome, "ok");
  assert.match(after["token.expiry"].said, /^valid until /);
  assert.equal(after["token.scope"].said, "openid profile self-service");
  assert.equal(after["token.groups"].said, "dev-tls-audit");
  assert.equal(after["api.answer"].outcome, "skipped");
  // Nothing was renewed, unless it was time to do so.
  const later = await token();
  assert.ok(later.generation - generation <= 1 && later.requests.granted - requests.granted <= 1);
});

test("the session of a demo is in no keyring, and its doctor says where it is", async (t) => {
  const { command, admin } = await startDemo(t, "--login");
  const file = command.split(" ")[3];
  assert.match(readFileSync(file, "utf8"), /^store = "memory"$/m);
  const settings = ["--config", file, "--set", `admin.listen=${admin}`];
  const { stdout } = await run(CUPBEARER, ["doctor", "--json", ...settings]);
  const grant = JSON.parse(stdout).checks.find(({ id }) => id === "grant");
  assert.equal(grant.said, "a person signs in to the running proxy, which keeps the refresh token in memory");
});

test("if the admin listener's port is taken, the guide names the one that is used instead", async (t) => {
  // If another program has it already, that serves as well.
  for (const host of ["127.0.0.1", "::1"]) {
    const owner = createServer().listen(6750, host);
    await once(owner, "listening").catch(() => {});
    t.after(() => owner.close());
  }
  for (const more of [[], ["--set", "admin.listen=localhost:0"]]) {
    const demo = await start(["demo", "--login", "--listen", "127.0.0.1:0", ...more], ({ stdout, stderr }) => {
      const page = /^ +http:\/\/(\S+)\/sign-in$/m.exec(stdout + stderr)?.[1];
      const admin = /--admin (\S+)$/m.exec(stdout + stderr)?.[1];
      return page && admin && { page, admin };
    });
    t.after(() => demo.stop());
    assert.equal(demo.found.page, demo.found.admin);
    assert.ok(!demo.found.page.endsWith(":6750"), demo.found.page);
    const { stdout } = await curl("--silent", `http://${demo.found.page}/status`);
    assert.equal(JSON.parse(stdout).pid, demo.pid);
    if (more.length === 0) assert.match(demo.output.stderr + demo.output.stdout, /port 6750 is in use: the page for the sign-in/);
  }
});

test("a machine without any certificate authority has no need of one for the demo, whose servers are its own", async (t) => {
  const env = { SSL_CERT_FILE: "/dev/null", SSL_CERT_DIR: "/nonexistent" };
  const demo = await start(["demo", "--listen", "127.0.0.1:0"], ({ stdout, stderr }) => /^ +(curl .*http:\/\/127\.0\.0\.1:\d+\/api\/v1\/certificates)$/m.exec((stdout + stderr).split("Through the proxy")[1] ?? ""), { env });
  t.after(() => demo.stop());
  const { stdout } = await run("curl", [...demo.found[1].split(" ").slice(1), "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
  assert.match(stdout, /200$/);
  // An API elsewhere still needs one.
  const other = await run(CUPBEARER, ["run", "--listen", "127.0.0.1:0", "--upstream", "https://api.example.com", "--set", 'token.source={ file = "/dev/null" }'], { env });
  assert.equal(other.code, 3, other.stderr);
});

test("a hostile page in the same browser can neither start, complete nor replace a sign-in", async (t) => {
  const { url: origin } = await startPage(t, "<title>hostile</title>");
  const { page: signInPage, docs, admin } = await startDemo(t, "--login");
  const context = await openBrowser(t);
  const evil = await context.newPage();
  await evil.goto(origin);
  const order = async () => evil.evaluate(async (url) => {
    const attempts = [
      { headers: { "Content-Type": "application/json", "X-Cupbearer": "1" } },
      { mode: "no-cors", headers: { "Content-Type": "text/plain" } },
      { mode: "no-cors", credentials: "include" },
    ];
    const outcomes = [];
    for (const attempt of attempts) {
      await fetch(url, { method: "POST", body: "{}", ...attempt }).then((response) => outcomes.push(response.status), () => outcomes.push("blocked"));
    }
    return outcomes;
  }, `http://${admin}/login`);
  assert.ok((await order()).every((outcome) => outcome !== 200), "a sign-in was started");

  // A person is about to sign in: the hostile page knows the redirect address, and its requests carry the cookie.
  const page = await context.newPage();
  await page.goto(signInPage);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign in as Ada Admin" }).waitFor();
  const query = new URL(page.url()).searchParams;
  const forged = new URL(query.get("redirect_uri"));
  forged.search = new URLSearchParams({ code: "of-the-attacker", state: "guessed", iss: page.url().split("/authorize")[0] });
  const [cookie] = await context.cookies(forged.href);
  assert.ok(cookie.httpOnly);
  assert.equal((await evil.goto(forged.href)).status(), 400);
  await evil.goto(origin);
  await evil.evaluate(async (url) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
    await new Promise((done) => frame.addEventListener("load", done));
    await fetch(url, { mode: "no-cors", credentials: "include" }).catch(() => {});
  }, forged.href);
  assert.ok((await order()).every((outcome) => outcome !== 200), "the sign-in was replaced");

  await page.getByRole("button", { name: "Sign in as Ada Admin" }).click();
  await page.getByText("You are signed in").waitFor();
  await page.goto(docs);
  assert.match(await tryItOut(page), /^200/);
});
