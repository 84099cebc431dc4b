// Who may sign in: nobody without rights can start, complete or replace a sign-in, whichever grant it is for. Each of
// them tries each order, while a sign-in is in progress and after it.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { browserSignIn, enterCode, signIn, startLoginServer } from "./login_server.mjs";
import { registerToken } from "./printed.mjs";
import { AS_OTHER, portToRegister, startPersonsApi, startPersonsProxy, writePersonsConfiguration } from "./sign_ins.mjs";
import { CUPBEARER, curl, run, start, temporaryDirectory, until } from "./support.mjs";

const FRIEND = "http://friend.example.com";

/** Whoever has no rights: what precedes curl, and what it sends. */
const WITHOUT_RIGHTS = {
  "another user": { prefix: AS_OTHER },
  "another user with the key of a caller": { prefix: AS_OTHER, keyed: true },
  "a foreign origin": { fields: ["Origin: http://evil.example.com"] },
  "an origin of guard.origins": { fields: [`Origin: ${FRIEND}`] },
  "a page of the same site": { fields: ["Sec-Fetch-Site: same-site"] },
  "a foreign host": { fields: ["Host: evil.example.com"] },
  "a request without X-Cupbearer": { without: "X-Cupbearer: 1" },
  "a request that is not JSON": { without: "Content-Type: application/json" },
  "a caller with a key, without X-Cupbearer": { without: "X-Cupbearer: 1", keyed: true },
};

/** What can be ordered. `id` is the sign-in in progress. */
const orders = (id) => ({
  "start a sign-in with a browser": ["/login", {}],
  "start a sign-in with a code": ["/login", { device: true }],
  "ask about the sign-in": ["/login", { login: id }],
  "cancel it": ["/login", { login: id, cancel: true }],
  "confirm that it replaces someone": ["/login", { login: id, confirm: true }],
  "start one that replaces someone": ["/login", { replace: true }],
  "sign out": ["/logout", {}],
  "paste a token": ["/token/paste", { token: "of-the-attacker" }],
});

/** Each of them tries each order; none is carried out. */
async function tryAll(key, admin, id) {
  for (const [who, { prefix = [], fields = [], without, keyed }] of Object.entries(WITHOUT_RIGHTS)) {
    const sent = ["X-Cupbearer: 1", "Content-Type: application/json"].filter((field) => field !== without).concat(fields);
    if (keyed) sent.push(`X-Cupbearer-Key: ${key}`, `Authorization: Bearer ${key}`);
    for (const [what, [path, body]] of Object.entries(orders(id))) {
      const [program, ...args] = [
        ...prefix, "curl", "--disable", "--noproxy", "*", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}",
        ...sent.flatMap((field) => ["--header", field]), "--data", JSON.stringify(body), `${admin}${path}`,
      ];
      assert.match((await run(program, args)).stdout, /^(403|415|421)$/, `${who} can ${what}`);
    }
  }
}

/** A caller with a key gives the orders where it may send requests: there they are none. */
async function tryListener(key, url, id) {
  for (const [path, body] of Object.values(orders(id))) {
    const fields = ["X-Cupbearer: 1", "Content-Type: application/json", `X-Cupbearer-Key: ${key}`];
    await curl("--silent", ...fields.flatMap((field) => ["--header", field]), "--data", JSON.stringify(body), `${url}${path}`);
  }
}

async function setUpRights(t, lines) {
  const api = await startPersonsApi(t);
  const directory = await temporaryDirectory(t);
  const made = await run(CUPBEARER, ["keygen", "--caller", "ci"]);
  assert.equal(made.code, 0, made.stderr);
  const key = /cbk_\w+/.exec(made.stdout)[0];
  const keys = join(directory, "keys");
  await writeFile(keys, `${key}\n`, { mode: 0o600 });
  const guard = [`guard.origins = ["${FRIEND}"]`, `guard.callers.ci.key = { file = "${keys}" }`];
  const file = await writePersonsConfiguration(directory, api.url, [...guard, ...lines]);
  const { proxy, url, admin } = await startPersonsProxy(t, file);
  const get = async () => (await curl("--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--header", `X-Cupbearer-Key: ${key}`, url)).stdout;
  const who = async () => JSON.parse((await curl("--silent", `${admin}/status`)).stdout).proxies[0].token.sign_in.who;
  return { key, proxy, url, admin, get, who, login: ["login", "--config", file, "--admin", new URL(admin).host] };
}

async function setUpLogin(t) {
  const redirectUrl = `http://127.0.0.1:${await portToRegister()}/callback`;
  const server = await startLoginServer(t, { redirectUrl, lifetimeS: 60 });
  return { server, redirectUrl, ...(await setUpRights(t, [...browserSignIn(server, redirectUrl), 'token.store = "memory"'])) };
}

/** Nobody changes who is signed in, and only one code or device code was exchanged. */
async function stillAda({ key, url, admin, get, who, server }, grant) {
  assert.equal(await get(), "200");
  await tryAll(key, admin, "unknown");
  await tryListener(key, url, "unknown");
  assert.equal(await who(), "ada of the tests");
  assert.equal(await get(), "200");
  assert.equal(server.requests.filter((one) => one.grant === grant && one.status === 200).length, 1);
  assert.ok(server.requests.every((one) => one.path !== "/token/revocation"));
}

test("nobody without rights can start, complete or replace a sign-in with a browser", async (t) => {
  const scene = await setUpLogin(t);
  const { key, url, admin, login, get, redirectUrl } = scene;
  await tryAll(key, admin, "unknown");
  assert.equal(await get(), "503");
  const command = await start([...login, "--no-browser"], ({ stderr }) => /(http:\/\/127\.0\.0\.1:\d+\/start\/\S+)/.exec(stderr));
  t.after(() => command.stop("SIGKILL"));
  const page = await (await openBrowser(t)).newPage();
  await page.goto(command.found[1]);
  // Even to someone who knew the name of the sign-in.
  await tryAll(key, admin, new URL(command.found[1]).pathname.split("/").at(-1));
  await tryListener(key, url, "unknown");
  for (const { prefix = [], fields = [] } of Object.values(WITHOUT_RIGHTS)) {
    const [program, ...args] = [...prefix, "curl", "--disable", "--noproxy", "*", "--silent", "--output", "/dev/null", ...fields.flatMap((field) => ["--header", field]), `${redirectUrl}?code=x&state=y`];
    await run(program, args);
  }
  assert.equal(await get(), "503");
  await signIn(page, "ada");
  assert.equal(await command.stop(0), 0, command.output.stderr);
  await stillAda(scene, "authorization_code");
});

test("nobody without rights can start, complete or replace a sign-in with a code", async (t) => {
  const scene = await setUpLogin(t);
  const { key, url, admin, login, get } = scene;
  const command = await start([...login, "--device"], ({ stderr }) => /any device:\s+(\S+)\s[^]*asked for it:\s+(\S+)\s[^]*Waiting/.exec(stderr));
  t.after(() => command.stop("SIGKILL"));
  await tryAll(key, admin, "unknown");
  await tryListener(key, url, "unknown");
  assert.equal(await get(), "503");
  const page = await (await openBrowser(t)).newPage();
  await enterCode(page, command.found[1], command.found[2]);
  await page.getByRole("button", { name: "Continue" }).click();
  await signIn(page, "ada");
  assert.equal(await command.stop(0), 0, command.output.stderr);
  await stillAda(scene, "urn:ietf:params:oauth:grant-type:device_code");
});

test("nobody without rights can paste a token, or replace one", async (t) => {
  const { key, url, admin, login, get, who } = await setUpRights(t, ['token.grant = "paste"', 'token.login_url = "http://127.0.0.1:1/copy"']);
  await tryAll(key, admin, "unknown");
  await tryListener(key, url, "unknown");
  assert.equal(await get(), "503");
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = `${part({ alg: "ES256" })}.${part({ sub: "ada", name: "Ada", exp: Math.floor(Date.now() / 1000) + 600 })}.${"c2ln".repeat(20)}`;
  registerToken(token);
  const pasted = await run(CUPBEARER, login, { input: token });
  assert.equal(pasted.code, 0, pasted.stderr);
  await until(async () => (await get()) === "200", "the token is not used");
  await tryAll(key, admin, "unknown");
  await tryListener(key, url, "unknown");
  assert.equal(await who(), "Ada");
  assert.equal(await get(), "200");
});
