// A table of requests, sent by curl, Python and Node, directly and through the proxy. The responses must be the same
// byte for byte, and so must the requests at the upstream, except for the differences that docs/forwarding.md lists.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAuthorizationServer } from "./authorization_server.mjs";
import { freePort, startNginx } from "./nginx.mjs";
import { CLIENTS } from "./same_clients.mjs";
import { ANSWER_RULES, REQUEST_RULES, compareFields, documented } from "./same_documented.mjs";
import { ROWS, sentTo } from "./same_rows.mjs";
import { startFixedTokens, startHttpbin, startMirror } from "./same_upstream.mjs";
import { startProxy, temporaryDirectory, writeConfiguration } from "./support.mjs";

const applied = { requests: new Set(), answers: new Set() };
const FIXED = { "x-xsrf-header": ["PingFederate"] };

for (const on of ["mirror", "httpbin", "nginx"]) {
  test(`every request to ${on} has the same response directly and through the proxy`, async (t) => {
    const scene = await SCENES[on](t);
    const failures = [];
    let compared = 0;
    for (const client of Object.keys(CLIENTS)) {
      const rows = ROWS.filter((row) => row.on === on && row.clients.includes(client));
      if (rows.length === 0) continue;
      const direct = await ask(scene, client, rows, scene.upstream, true);
      const through = await ask(scene, client, rows, scene.proxy, false);
      rows.forEach((row, index) => {
        compared += 1;
        try {
          compare(row, direct[index], through[index], scene);
        } catch (error) {
          failures.push(`${row.name}, by ${client}: ${error.message}`);
        }
      });
    }
    t.diagnostic(`${compared} comparisons, ${ROWS.filter((row) => row.on === on).length} rows`);
    assert.equal(failures.length, 0, `\n${failures.join("\n")}`);
  });
}

test("docs/forwarding.md lists exactly the differences that were observed", async () => {
  assert.deepEqual(Object.keys(REQUEST_RULES).sort(), await documented("Requests"));
  assert.deepEqual(Object.keys(ANSWER_RULES).sort(), await documented("Responses"));
  const unseen = (rules, seen) => Object.keys(rules).filter((rule) => !seen.has(rule));
  assert.deepEqual(unseen(REQUEST_RULES, applied.requests), ["Host", "Transfer-Encoding", "Content-Length"]); // rewritten with the same value
  assert.deepEqual(unseen(ANSWER_RULES, applied.answers), []);
});

const SCENES = {
  async mirror(t) {
    const authorizationServer = await startAuthorizationServer();
    t.after(() => authorizationServer.close());
    const mirror = await startMirror(t, ROWS, authorizationServer);
    const config = '[upstream.headers]\nX-XSRF-Header = "PingFederate"';
    return { ...(await inFrontOf(t, authorizationServer, mirror.url, config)), take: mirror.take };
  },
  async httpbin(t) {
    return inFrontOf(t, await startFixedTokens(t), (await startHttpbin(t)).url);
  },
  async nginx(t) {
    const files = { "plain.txt": "a plain text", "compressed/text.txt": "text ".repeat(1000), "large.bin": "0123456789".repeat(500_000) };
    const { url } = await startNginx(t, { port: await freePort(), behind: "http://127.0.0.1:9", files });
    return inFrontOf(t, await startFixedTokens(t), url, "", ["--set", "upstream.via=false"]); // nginx does not compress for requests with Via
  },
};

async function inFrontOf(t, authorizationServer, upstream, config = "", args = []) {
  const directory = await temporaryDirectory(t);
  const file = await writeConfiguration(directory, { authorizationServer, api: { url: upstream }, client: "basic", config });
  const proxy = await startProxy(["--config", file, ...args]);
  t.after(() => proxy.stop());
  return { upstream, proxy: proxy.url, directory, take: () => [] };
}

/** Sends all rows with one client. Each response comes with the requests that the upstream received for it. */
async function ask(scene, client, rows, base, isDirect) {
  const { host } = new URL(base);
  const answers = await CLIENTS[client](base, rows.map((row) => sentTo(host, row, isDirect)), scene.directory);
  const seen = scene.take();
  return answers.map((answer, index) => ({ ...answer, seen: seen.filter(({ headers }) => headers.some(([name, value]) => name.toLowerCase() === "x-row" && value === rows[index].name)) }));
}

function compare(row, direct, through, scene) {
  assert.deepEqual([through.failed, direct.failed], [undefined, undefined]);
  const [host, upstream] = [scene.proxy, scene.upstream].map((url) => new URL(url).host);
  const fill = (expected = {}) =>
    Object.fromEntries(Object.entries(expected).map(([name, values]) => [name, values.map((value) => value.replace("@HOST@", host).replace("@UPSTREAM@", upstream))]));
  const more = [direct, ...(direct.more ?? [])].map((one, index) => [one, [through, ...(through.more ?? [])][index]]);
  assert.equal(through.more?.length, direct.more?.length, "responses on one connection");
  for (const [one, other] of more) {
    assert.deepEqual([other.status, other.reason], [one.status, one.reason]);
    const [said, passed] = [one, other].map(echoed);
    compareFields(said.headers, passed.headers, { rules: ANSWER_RULES, applied: applied.answers, wants: row.wants, expected: fill(row.expect) });
    compareFields(one.trailers ?? [], other.trailers ?? [], { rules: {}, applied: applied.answers });
    assert.equal(passed.body.compare(said.body), 0, `the body: ${shown(one.body)} directly, ${shown(other.body)} through the proxy`);
  }
  assert.equal(through.seen.length, direct.seen.length, "requests at the upstream");
  direct.seen.forEach((one, index) => {
    const other = through.seen[index];
    assert.deepEqual([other.method, row.expectTarget ?? one.target, other.body], [one.method, other.target, one.body], "the request at the upstream");
    compareFields(one.headers, other.headers, { rules: REQUEST_RULES, applied: applied.requests, wants: row.wants, expected: { ...FIXED, ...fill(row.expectSeen) } });
    compareFields(one.trailers, other.trailers, { rules: {}, applied: applied.requests });
  });
}

/** An upstream that echoes a request may echo a difference: here `Connection`, and with it the length. */
function echoed({ headers, body }) {
  const text = body.toString("latin1").replace(/,\s*"Connection": "keep-alive"/g, "");
  if (!text.startsWith("{") || text.length === body.length) return { headers, body };
  const length = (field) => (/^content-length$/i.test(field[0]) ? [field[0], String(text.length)] : field);
  return { headers: headers.map(length), body: Buffer.from(text, "latin1") };
}

function shown(body) {
  return `${body.length} bytes ${JSON.stringify(body.toString("latin1", 0, 200))}`;
}
