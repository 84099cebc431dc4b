// `Set-Cookie` lines of an API, and what Chromium stores of them at the proxy, which speaks plain HTTP on localhost.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { startAuthorizationServer } from "./authorization_server.mjs";
import { startProxy, temporaryDirectory, writeConfiguration } from "./support.mjs";

/**
 * What the API sends, what the client gets if that differs, and what Chromium stores: name, value and the attributes that
 * matter, or null.
 */
const COOKIES = [
  { sent: "a=1", stored: "a=1 Lax" },
  { sent: "a=1; Path=/", stored: "a=1 Lax" },
  { sent: "a=1; HttpOnly", stored: "a=1 HttpOnly Lax" },
  { sent: "a=1; SameSite=Strict", stored: "a=1 Strict" },
  { sent: "a=1; Max-Age=60", stored: "a=1 Lax" },
  { sent: "a=1; Max-Age=0", stored: null },
  { sent: "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", stored: null },
  { sent: "a=1; Domain=api.example.com", got: "a=1", stored: "a=1 Lax" },
  { sent: "a=1; Domain=.example.com; Path=/", got: "a=1; Path=/", stored: "a=1 Lax" },
  { sent: "a=1;DOMAIN = api.example.com;HttpOnly", got: "a=1;HttpOnly", stored: "a=1 HttpOnly Lax" },
  { sent: "a=1; Domain=", got: "a=1", stored: "a=1 Lax" },
  { sent: "a=1; Secure", got: "a=1", stored: "a=1 Lax" },
  { sent: "a=1; secure=yes", got: "a=1", stored: "a=1 Lax" },
  { sent: "a=1; Secure; Secure; HttpOnly", got: "a=1; HttpOnly", stored: "a=1 HttpOnly Lax" },
  { sent: "a=1; Secure; SameSite=None", got: "a=1; SameSite=Lax", stored: "a=1 Lax" },
  { sent: "a=1; SameSite=none; SECURE", got: "a=1; SameSite=Lax", stored: "a=1 Lax" },
  { sent: "a=1; Secure; SameSite=Strict", got: "a=1; SameSite=Strict", stored: "a=1 Strict" },
  { sent: "a=1; SameSite=None; Partitioned; Secure", got: "a=1; SameSite=Lax", stored: "a=1 Lax" },
  { sent: "a=1; Partitioned; Secure; Path=/", got: "a=1; Path=/", stored: "a=1 Lax" },
  { sent: "a=1; Partitioned; Domain=api.example.com", got: "a=1; Partitioned", stored: null },
  { sent: "a=1; SameSite=None", stored: null },
  { sent: "a=1; SameSite=None; Domain=api.example.com", got: "a=1; SameSite=None", stored: null },
  { sent: "__Host-a=1; Secure; Path=/", stored: "__Host-a=1 Secure Lax" },
  { sent: "__Host-a=1; Secure; Path=/; SameSite=None; Partitioned", stored: "__Host-a=1 Secure None" },
  { sent: "__Secure-a=1; Secure; Domain=api.example.com", got: "__Secure-a=1; Secure", stored: "__Secure-a=1 Secure Lax" },
  { sent: "__Host-a=1; Path=/", stored: null },
  { sent: "__Secure-a=1; Domain=api.example.com", got: "__Secure-a=1", stored: null },
  { sent: "a=\"x y\"; Secure", got: "a=\"x y\"", stored: "a=\"x y\" Lax" },
  { sent: "a=x=y=z; Secure; Priority=High", got: "a=x=y=z; Priority=High", stored: "a=x=y=z Lax" },
  { sent: "alone; Secure", got: "alone", stored: "=alone Lax" },
  { sent: "=1; Secure", got: "=1", stored: "=1 Lax" },
  { sent: "; Domain=api.example.com", stored: null },
  { sent: "; Secure", stored: null },
];

test("what an API's cookies lose is what Chromium would reject them for", async (t) => {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = createServer((request, response) => {
    const cookie = COOKIES[Number(request.url.slice(1))];
    response.writeHead(200, { "content-type": "text/plain", ...(cookie && { "set-cookie": cookie.sent }) });
    response.end("here");
  });
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  t.after(() => api.close() ?? api.closeAllConnections());
  const url = `http://127.0.0.1:${api.address().port}`;
  const file = await writeConfiguration(await temporaryDirectory(t), { authorizationServer, api: { url }, client: "basic", config: "" });
  const proxy = await startProxy(["--config", file]);
  t.after(() => proxy.stop());
  const own = proxy.url.replace("127.0.0.1", "localhost");
  const context = await openBrowser(t);
  const page = await context.newPage();

  for (const [number, { sent, got = sent, stored }] of COOKIES.entries()) {
    const lines = (await fetch(`${own}/${number}`)).headers.getSetCookie();
    assert.deepEqual(lines, [got], sent);
    await context.clearCookies();
    await page.goto(`${own}/${number}`);
    const [cookie, ...others] = await context.cookies(own);
    assert.deepEqual(others, [], sent);
    assert.equal(cookie ? described(cookie) : null, stored, sent);
  }
});

function described({ name, value, httpOnly, secure, sameSite }) {
  return [`${name}=${value}`, httpOnly && "HttpOnly", secure && "Secure", sameSite].filter(Boolean).join(" ");
}
