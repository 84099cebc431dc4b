// `cupbearer login --device` (RFC 8628): a person signs in with a code in a browser on another device. Only that
// command begins it, and only that command shows the code.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { CLIENT_ID, enterCode, signIn, startLoginServer } from "./login_server.mjs";
import { registerToken } from "./printed.mjs";
import { AS_OTHER, startPersonsApi, startPersonsProxy, writePersonsConfiguration } from "./sign_ins.mjs";
import { CUPBEARER, curl, run, start, temporaryDirectory, until, withResolvers } from "./support.mjs";

const ORDER = ["--request", "POST", "--header", "Content-Type: application/json", "--header", "X-Cupbearer: 1"];

/** A proxy whose person signs in at `server`, which `token` describes. */
async function startDeviceProxy(t, token) {
  const api = await startPersonsApi(t);
  const lines = [`token.client_id = "${CLIENT_ID}"`, 'token.auth = "none"', 'token.scope = "openid profile tls"', ...token];
  const file = await writePersonsConfiguration(await temporaryDirectory(t), api.url, lines);
  const { proxy, url, admin } = await startPersonsProxy(t, file);
  const login = ["login", "--config", file, "--admin", new URL(admin).host];
  return { proxy, url, admin, login, device: [...login, "--device"], logout: ["logout", ...login.slice(1)] };
}

/** The real server, and a proxy for it. */
async function setUpDevice(t, { token = ['token.grant = "device_code"'], ...options } = {}) {
  const server = await startLoginServer(t, { redirectUrl: "http://127.0.0.1:6753/callback", ...options });
  return { server, ...(await startDeviceProxy(t, [...token, `token.issuer = "${server.issuer}"`])) };
}

/** Begins a sign-in on the command line. `ended` is how the command ends. */
async function beginDevice(t, words) {
  const command = await start(words, ({ stderr }) =>
    /browser, on any device:\s+(\S+)\s+Enter this code there, only if you have just asked for it:\s+(\S+)\s[^]*Waiting/.exec(stderr));
  t.after(() => command.stop("SIGKILL"));
  const [, address, code] = command.found;
  return { address, code, ended: () => command.stop(0), interrupt: () => command.signal("SIGINT"), output: command.output };
}

const get = async (url, ...more) => (await curl("--silent", "--output", "/dev/null", "--write-out", "%{http_code}", ...more, url)).stdout;

test("a code that is entered on another device ends in a 200, is renewed, and is shown nowhere else", async (t) => {
  const { server, proxy, url, admin, device, logout } = await setUpDevice(t);
  const required = async () => (await curl("--silent", url)).stdout;
  assert.equal(JSON.parse(await required()).reason, "login_required");
  const { address, code, ended, output } = await beginDevice(t, device);
  assert.equal(address, `${server.issuer}/device`);
  assert.match(output.stderr, /go on only if it shows the same code/);
  const elsewhere = [
    await required(),
    (await curl("--silent", "--header", "Accept: text/html", "--header", "Sec-Fetch-Mode: navigate", url)).stdout,
    ...(await Promise.all(["/status", "/ready", "/sign-in", "/metrics", "/"].map(async (path) => (await curl("--silent", `${admin}${path}`)).stdout))),
    proxy.output.stdout + proxy.output.stderr,
  ];
  for (const text of elsewhere) {
    assert.ok(!text.includes(code), `the code is in ${text}`);
    assert.ok(!text.includes(address), `the address is in ${text}`);
  }

  const page = await (await openBrowser(t)).newPage();
  await enterCode(page, address, code);
  await page.getByRole("button", { name: "Continue" }).click();
  await signIn(page, "ada");
  await page.getByText("Sign-in Success").waitFor();
  assert.equal(await ended(), 0, output.stderr);
  assert.match(output.stdout, /signed in as ada of the tests/);
  const { sign_in: person } = JSON.parse((await curl("--silent", `${admin}/status`)).stdout).proxies[0].token;
  assert.deepEqual([person.way, person.who, person.is_renewed], ["device", "ada of the tests", true]);
  const end = Date.now() + 9000; // two lifetimes of a token
  const codes = new Set();
  while (Date.now() < end) codes.add(await get(url));
  assert.deepEqual([...codes], ["200"]);
  assert.ok(server.requests.filter((one) => one.grant === "refresh_token" && one.status === 200).length >= 2);
  assert.ok(!(proxy.output.stdout + proxy.output.stderr).includes(code));

  const left = await run(CUPBEARER, logout);
  assert.equal(left.code, 0, left.stderr);
  assert.equal(server.requests.at(-1).path, "/token/revocation");
  assert.equal(await get(url), "503");
});

test("nobody but the owner's command begins a sign-in with a code", async (t) => {
  const { server, admin, device, login } = await setUpDevice(t);
  const order = [...ORDER, "--data", '{"device": true}', `${admin}/login`];
  assert.equal(await get(...order.slice(-1), ...order.slice(0, -1), "--header", `Origin: ${admin}`), "403", "the own page");
  assert.equal(await get(...order.slice(-1), ...order.slice(0, -1), "--header", "Sec-Fetch-Site: same-origin"), "403", "the own page");
  assert.equal(await get(...order.slice(-1), ...order.slice(0, -1), "--header", "Origin: http://evil.example.com"), "403");
  const [other, ...asked] = [...AS_OTHER, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", ...order];
  assert.equal((await run(other, asked)).stdout, "403");

  // The page says what to do, and has no button for it.
  const page = await (await openBrowser(t)).newPage();
  await page.goto(`${admin}/sign-in`);
  await page.getByText("cupbearer login --device").waitFor();
  assert.equal(await page.getByRole("button", { name: "Sign in" }).isVisible(), false);

  const without = await run(CUPBEARER, login);
  assert.equal(without.code, 3, without.stderr);
  assert.match(without.stderr, /cupbearer login --device/);

  // Who asks about a sign-in gets no code.
  const { code } = await beginDevice(t, device);
  const asking = await curl("--silent", ...ORDER, "--data", '{"login": "unknown"}', `${admin}/login`);
  assert.ok(!asking.stdout.includes(code), asking.stdout);
  assert.equal(server.requests.filter((one) => one.status === 200).length, 0);
});

test("with authorization_code, --device uses the server's device endpoint, and says if there is none", async (t) => {
  const grant = ['token.grant = "authorization_code"'];
  const { url, device } = await setUpDevice(t, { token: grant });
  const { address, code, ended } = await beginDevice(t, device);
  const page = await (await openBrowser(t)).newPage();
  await enterCode(page, address, code);
  await page.getByRole("button", { name: "Continue" }).click();
  await signIn(page, "ada");
  assert.equal(await ended(), 0);
  assert.equal(await get(url), "200");

  const without = await setUpDevice(t, { token: grant, device: false });
  const ended3 = await run(CUPBEARER, without.device);
  assert.equal(ended3.code, 3, ended3.stderr);
  assert.match(ended3.stderr, /no device authorization endpoint.*token\.device_url/);
});

test("a person who denies it, Ctrl-C, another sign-in and a sign-out end it", async (t) => {
  const { server, url, device, logout } = await setUpDevice(t);
  const page = await (await openBrowser(t)).newPage();
  const denied = await beginDevice(t, device);
  await enterCode(page, denied.address, denied.code);
  await page.getByRole("button", { name: "Abort" }).click();
  assert.equal(await denied.ended(), 4, denied.output.stderr);
  assert.match(denied.output.stderr, /access_denied/);

  const replaced = await beginDevice(t, device);
  const left = await beginDevice(t, device);
  assert.equal(await replaced.ended(), 1);
  assert.match(replaced.output.stderr, /another sign-in has begun/);
  assert.equal((await run(CUPBEARER, logout)).code, 0);
  assert.equal(await left.ended(), 1);
  assert.match(left.output.stderr, /somebody has signed out/);

  // The last one, so that nothing but Ctrl-C ends it.
  const cancelled = await beginDevice(t, device);
  cancelled.interrupt();
  assert.equal(await cancelled.ended(), 4);
  assert.match(cancelled.output.stderr, /it was cancelled/);

  // Whoever enters one of these codes now signs nobody in.
  for (const { address, code } of [replaced, cancelled, left]) {
    await enterCode(page, address, code);
    await page.getByRole("button", { name: "Continue" }).click();
    if (await page.locator("input[name=login]").isVisible()) await signIn(page, "mallory");
  }
  const count = server.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 6000)); // more than the interval
  assert.equal(server.requests.length, count, "something is still asked for");
  assert.equal(await get(url), "503");
});

/** A server that responds to each request for the token with the next of these: a status and an error, or nothing. */
async function startStandIn(t, { authorization = {}, answers, beforeCode }) {
  const asked = [];
  const server = createServer(async (request, response) => {
    const json = (status, body) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (request.url === "/device") {
      const device_code = "device-code-of-the-stand-in-0123456789";
      registerToken(device_code);
      await beforeCode?.();
      return json(200, {
        device_code, user_code: "WDJB-MJHT", verification_uri: "https://as.example.com/device", expires_in: 60, interval: 1, ...authorization,
      });
    }
    asked.push(Date.now());
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (!answer) return request.socket.destroy();
    const [status, body] = answer;
    return json(status, typeof body === "string" ? { error: body } : body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  const address = `http://127.0.0.1:${server.address().port}`;
  const token = ['token.grant = "device_code"', `token.url = "${address}/token"`, `token.device_url = "${address}/device"`];
  return { asked, ...(await startDeviceProxy(t, token)) };
}

const GRANTED = [200, { access_token: "Xq7Zr2Wk9Tn4Bv8Lm3Pd6Hs1Jc5Fg0", token_type: "Bearer", expires_in: 600 }];
registerToken(GRANTED[1].access_token);

test("the server is asked as often as it allows, and less often after slow_down and a broken connection", async (t) => {
  const { asked, url, device } = await startStandIn(t, { answers: [[400, "authorization_pending"], [400, "slow_down"], GRANTED] });
  const { ended, output } = await beginDevice(t, device);
  assert.equal(await ended(), 0, output.stderr);
  assert.equal(await get(url), "200");
  const pauses = [1, 2].map((index) => asked[index] - asked[index - 1]);
  assert.ok(pauses[0] >= 1000 && pauses[0] < 4000, pauses);
  assert.ok(pauses[1] >= 6000, pauses);

  const broken = await startStandIn(t, { answers: [undefined, [503, "busy"], GRANTED] });
  const second = await beginDevice(t, broken.device);
  assert.equal(await second.ended(), 0, second.output.stderr);
  assert.ok(broken.asked[1] - broken.asked[0] >= 2000, broken.asked);
  assert.ok(broken.asked[2] - broken.asked[1] >= 4000, broken.asked);
});

test("Ctrl-C before the code is shown withdraws the order, and a second one does not wait for the proxy", async (t) => {
  let respond;
  let asks;
  const beforeCode = () => {
    asks.resolve();
    return new Promise((resolve) => { respond = resolve; });
  };
  const { asked, url, device } = await startStandIn(t, { beforeCode, answers: [GRANTED] });
  const begin = async () => {
    asks = withResolvers();
    const command = await start(device, () => true);
    t.after(() => command.stop("SIGKILL"));
    await asks.promise;
    command.signal("SIGINT");
    await until(() => /Cancelling the sign-in/.test(command.output.stderr), "it does not say so");
    return command;
  };
  const withdrawn = await begin();
  respond();
  assert.equal(await withdrawn.stop(0), 4, withdrawn.output.stderr);
  assert.match(withdrawn.output.stderr, /it was cancelled, and nothing has changed/);
  assert.doesNotMatch(withdrawn.output.stderr, /WDJB-MJHT/);
  await new Promise((resolve) => setTimeout(resolve, 3000)); // more than the interval
  assert.equal(asked.length, 0, "the proxy still waits for somebody to sign in");
  assert.equal(await get(url), "503");

  const left = await begin();
  assert.equal(await left.stop("SIGINT"), 4, left.output.stderr);
  assert.match(left.output.stderr, /interrupted before the proxy responded/);
  respond();
});

test("a code that expires, a denial, an endless wait and an unusable response each have their exit code", async (t) => {
  for (const [why, options, code, said] of [
    ["expired_token", { answers: [[400, "expired_token"]] }, 1, /nobody signed in while the code was valid/],
    ["access_denied", { answers: [[400, "access_denied"]] }, 4, /access_denied/],
    ["endless", { authorization: { expires_in: 3 }, answers: [[400, "authorization_pending"]] }, 1, /nobody signed in/],
    ["invalid_grant", { answers: [[400, "invalid_grant"]] }, 5, /invalid_grant/],
  ]) {
    const { url, device } = await startStandIn(t, options);
    const { ended, output } = await beginDevice(t, device);
    assert.equal(await ended(), code, `${why}: ${output.stderr}`);
    assert.match(output.stderr, said, why);
    assert.equal(await get(url), "503", why);
  }
  // A malicious server cannot lead the person to a page that others can read, nor steer the terminal.
  for (const authorization of [
    { verification_uri: "http://as.example.com/device" },
    { verification_uri: "javascript:alert(1)" },
    { user_code: "A\u001b[2J" },
  ]) {
    const { device, asked } = await startStandIn(t, { authorization, answers: [GRANTED] });
    const ended = await run(CUPBEARER, device);
    assert.equal(ended.code, 5, ended.stderr);
    assert.match(ended.stderr, /device authorization endpoint cannot be used/);
    assert.equal(asked.length, 0);
  }
});
