// No spelling of a denied path reaches the API, whichever server interprets it, and an allowed path arrives unchanged.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { REACHED, SERVERS, isDenied, interpretations } from "./path_servers.mjs";
import { startProxy, temporaryDirectory } from "./support.mjs";

/** How many spellings must reach the handler of each server without a proxy; otherwise the test would prove nothing. */
const AT_LEAST = { nginx: 30, FastAPI: 10, express: 20, "node:http": 20, "a server with every interpretation": 500 };

for (const [name, start] of Object.entries(SERVERS)) {
  test(`no spelling of a denied path reaches ${name}`, async (t) => {
    const port = await start(t);
    const all = spellings();
    const reaching = (await each(all, (target) => ask(port, target))).filter(({ text }) => text.includes(REACHED));
    assert.ok(reaching.length >= AT_LEAST[name], `only ${reaching.length} of ${all.length} reach it without a proxy`);

    for (const [mode, rules] of [
      ["deny", 'guard.deny = ["* /admin/**"]'],
      ["allow", 'guard.allow = ["* /public/**"]'],
    ]) {
      const proxy = await proxyTo(t, port, rules);
      const answers = await each(all, (target) => ask(proxy, target));
      const through = answers.filter(({ text }) => text.includes(REACHED)).map(({ target }) => target);
      assert.deepEqual(through, [], mode);
      const refused = answers.filter(({ text }) => text.includes('"rule_refused"')).length;
      assert.ok(refused >= reaching.length, `${mode}: ${refused} refused`);
      t.diagnostic(`${mode}: ${reaching.length} of ${all.length} spellings reach ${name} without the proxy, 0 through it`);
    }
  });

  test(`an allowed path arrives at ${name} unchanged`, async (t) => {
    const port = await start(t);
    for (const rules of ['guard.deny = ["* /admin/**"]', 'guard.allow = ["GET /public/**"]', "guard.read_only = true"]) {
      const proxy = await proxyTo(t, port, rules);
      for (const target of ORDINARY) {
        const { text } = await ask(proxy, target);
        assert.equal(body(text), target, rules);
      }
    }
  });
}

const ORDINARY = [
  "/public/",
  "/public/certificates?limit=50&next=%2F..%2Fadmin;x=\\//%",
  "/public/a%20b/%7Euser/~user/%41%61",
  "/public/J%C3%BCrgen/%e6%9d%b1%E4%BA%AC",
  "/public/a+b:c@d!$&'()*,=e",
  "/public/.well-known/file.tar.gz/...x/a..b",
  "/public/admin/secret",
];

/** More than a thousand spellings of /admin/secret, the same ones in every run. */
function spellings() {
  const hex = (letter, times = 1) => {
    const escape = [...Buffer.from(letter)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    return times === 1 ? escape : escape.replaceAll("%", `%25${"25".repeat(times - 2)}`);
  };
  const overlong = (letter) => `%c${letter.charCodeAt(0) >> 6}%${(0x80 | (letter.charCodeAt(0) & 0x3f)).toString(16)}`;
  const wide = (letter) => hex(String.fromCharCode(letter.charCodeAt(0) + 0xfee0));
  const encodings = [
    (letter) => letter.toUpperCase(),
    (letter) => hex(letter),
    (letter) => hex(letter).toUpperCase(),
    (letter) => hex(letter.toUpperCase()),
    (letter) => hex(letter, 2),
    (letter) => hex(letter, 3),
    overlong,
    wide,
    (letter) => `%u00${letter.charCodeAt(0).toString(16)}`,
    (letter) => `${letter}${hex("\u200b")}`,
    (letter) => `${letter}${hex("\u00ad")}`,
    (letter) => `${letter}%00`,
    (letter) => ({ i: hex("ı"), s: hex("ſ"), m: hex("ｍ") })[letter] ?? letter.toUpperCase(),
  ];
  const base = "/admin/secret";
  const all = new Set([base]);
  for (const encode of encodings) {
    all.add([...base].map((letter, at) => (at === 0 || letter === "/" ? letter : encode(letter))).join(""));
    all.add(`/${[...base.slice(1)].map(encode).join("")}`);
    for (let at = 1; at < base.length; at += 1) all.add(base.slice(0, at) + encode(base[at]) + base.slice(at + 1));
  }
  const dots = [".", "%2e", "%2E", "%252e", "%c0%ae", "%u002e", "\uff0e", hex("\uff0e")];
  const slashes = ["/", "//", "\\", "%2f", "%2F", "%5c", "%252f", "%c0%af", "%e0%80%af", "%u2215", hex("\uff0f"), ";/", ";x=y/", "/;/"];
  const up = dots.flatMap((dot) => [dot + dot, `.${dot}`]).concat(["..;", "..;x", "..%00", "..%20", "..%09", "..."]);
  for (const slash of slashes) {
    for (const parent of up) {
      all.add(`/public${slash}${parent}${slash}admin/secret`);
      all.add(`/public/x${slash}${parent}${slash}${parent}${slash}admin${slash}secret`);
      all.add(`/admin${slash}x${slash}${parent}${slash}secret`);
    }
    for (const dot of dots) all.add(`/${dot}${slash}admin${slash}${dot}${slash}secret`);
    all.add(`${slash}admin${slash}secret`.replace(/^(?!\/)/, "/"));
    all.add(`/${slash}admin/secret`);
    all.add(`/admin${slash}secret`);
    all.add(`/admin/secret${slash}`);
  }
  for (const after of [
    ".", "..", "%2e", "%20", "%20%20", "+", "%09", "%0a", "%0d%0a", "%00", "%00.json", ";", ";a=b", "?", "?x=/../..", "#", "#x",
    "%3f", "%23", "%3b", "%26", "/", "/.", "/%2e", "/..;/secret", "//", "%2f", "\\", "~", "%c2%a0", hex("\u3000"), "::$DATA",
    ":$I30:$INDEX_ALLOCATION", "%3a%24DATA", "~1", "%7E1", hex("\u037e"), hex("\u037ex=y"), hex("\u115f"),
  ]) {
    all.add(`/admin${after}/secret`);
    all.add(`/admin/secret${after}`);
    all.add(`/admin${after}`);
    all.add(`/ADMIN/SECRET${after}`);
    all.add(`/${after}admin/secret`);
  }
  for (const prefix of ["http://localhost", "HTTP://LOCALHOST", "http://127.0.0.1:1", "http://localhost/public/.."]) {
    for (const path of [base, "/Admin/secret", "/%61dmin/secret", "//admin/secret"]) all.add(prefix + path);
  }
  for (const first of [...all].filter((_, at) => at % 7 === 0)) {
    all.add(first.replace("/admin", "/.//admin"));
    all.add(first.replace("secret", "%73ecret").replace("admin", "Admin"));
    all.add(`/public/..${first}`);
  }
  return [...all];
}

test("more than a thousand spellings can be read as the denied path", () => {
  const all = spellings();
  assert.ok(all.length > 1000, String(all.length));
  const meant = all.filter((target) => interpretations(target).some(isDenied));
  assert.ok(meant.length > 1000, `${meant.length} of ${all.length}`);
});

/** Starts a proxy with these rules in front of the server at `port`, and returns its port. */
async function proxyTo(t, port, rules) {
  const directory = await temporaryDirectory(t);
  const tokens = createServer((request, response) => {
    request.resume();
    response.setHeader("content-type", "application/json");
    response.end('{"access_token":"t","token_type":"Bearer","expires_in":3600}');
  }).listen(0, "127.0.0.1");
  await once(tokens, "listening");
  t.after(() => {
    tokens.close();
    tokens.closeAllConnections();
  });
  await writeFile(join(directory, "secret"), "s\n", { mode: 0o600 });
  const file = join(directory, "c.toml");
  await writeFile(
    file,
    [
      rules,
      'listen = "127.0.0.1:0"',
      "log.access = 'none'",
      "log.level = 'error'",
      `upstream.url = "http://127.0.0.1:${port}"`,
      "[token]",
      `url = "http://127.0.0.1:${tokens.address().port}/token"`,
      'client_id = "c"',
      `client_secret = { file = ${JSON.stringify(join(directory, "secret"))} }`,
    ].join("\n"),
  );
  const proxy = await startProxy(["--config", file]);
  t.after(() => proxy.stop());
  return new URL(proxy.url).port;
}

/** Sends a request line unchanged, which no HTTP client would do, and returns everything that was received. */
async function ask(port, target) {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}); // a server that closes early has rejected the request
  const parts = [];
  socket.on("data", (part) => parts.push(part));
  socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`.replace("http://127.0.0.1:1/", `http://127.0.0.1:${port}/`));
  await once(socket, "close");
  return { target, text: Buffer.concat(parts).toString() };
}

/** The body of a raw response that has a known length or one chunk. */
function body(text) {
  const [head, rest] = text.split(/\r\n\r\n(.*)/s);
  return /^transfer-encoding: chunked/im.test(head) ? /^[0-9a-f]+\r\n(.*?)\r\n0\r\n/s.exec(rest)?.[1] : rest;
}

/** Calls `work` for each item, a few at a time. The results are in the order of the items. */
async function each(list, work) {
  const results = new Array(list.length);
  let next = 0;
  const worker = async () => {
    while (next < list.length) {
      const at = next++;
      results[at] = await work(list[at]);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return results;
}
