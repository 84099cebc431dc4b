// A table of requests, sent by curl, Python and Node, directly and through the proxy. The responses must be the same
// byte for byte, and so must the requests at the upstream, except for the differences that docs/forwarding.md lists.
// Clients speak the same version of HTTP with both; where the proxy changes it, that page lists what else differs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readFile } from "node:fs/promises";
import { startAuthorizationServer } from "./authorization_server.mjs";
import { freePort, startNginx } from "./nginx.mjs";
import { CLIENTS, HTTP2_CLIENTS } from "./same_clients.mjs";
import { ANSWER_RULES, CROSSINGS, REQUEST_RULES, compareFields, documented, documentedCrossings } from "./same_documented.mjs";
import { ROWS, existsInHttp2, sentTo } from "./same_rows.mjs";
import { startFixedTokens, startHttpbin, startMirror } from "./same_upstream.mjs";
import { issueCertificate } from "./stand_ins.mjs";
import { startProxy, temporaryDirectory, writeConfiguration } from "./support.mjs";

const SAME_VERSION = { requests: REQUEST_RULES, answers: ANSWER_RULES, reason: undefined, applied: { requests: new Set(), answers: new Set() } };
const FIXED = { "x-xsrf-header": ["PingFederate"] };

for (const on of ["mirror", "httpbin", "nginx"]) {
  test(`every request to ${on} has the same response directly and through the proxy`, async (t) => {
    const scene = await SCENES[on](t);
    const results = new Results();
    for (const client of Object.keys(CLIENTS)) {
      const rows = ROWS.filter((row) => row.on === on && row.clients.includes(client));
      if (rows.length === 0) continue;
      const direct = await ask(scene, CLIENTS[client], rows, scene.upstream, { isDirect: true });
      const through = await ask(scene, CLIENTS[client], rows, scene.proxy, { isDirect: false });
      results.compare(client, rows, direct, through, scene, { ...SAME_VERSION, version: "1.1" });
    }
    results.end(t);
  });
}

test("every request over HTTP/1.1 or HTTP/2 to an API that speaks both has the same response", { concurrency: false }, async (t) => {
  const certificate = await issueCertificate(t);
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const mirror = await startMirror(t, ROWS, authorizationServer, certificate);
  const ca = await readFile(certificate.authority, "utf8");
  const directly = new Map();
  for (const [crossing, { http2, rules }] of Object.entries(CROSSINGS)) {
    await t.test(`from HTTP/${crossing.replace(" to ", " to HTTP/")}`, async (t) => {
      const [version, onward] = crossing.split(" to ");
      const config = `[upstream.headers]\nX-XSRF-Header = "PingFederate"\n[network]\nca_file = ${JSON.stringify(certificate.authority)}`;
      const scene = { ...(await inFrontOf(t, authorizationServer, mirror.url, config, ["--set", `upstream.http2=${http2}`])), take: mirror.take, ca };
      const clients = version === "2" ? HTTP2_CLIENTS : Object.fromEntries(Object.keys(HTTP2_CLIENTS).concat("socket").map((name) => [name, CLIENTS[name]]));
      const results = new Results();
      for (const [client, send] of Object.entries(clients)) {
        // curl is started for each request, so it sends only what node cannot.
        const isSent = ({ clients }) => clients.includes(client) && !(client === "curl" && clients.includes("http"));
        const rows = ROWS.filter((row) => row.on === "mirror" && isSent(row) && existsInHttp2(row));
        const key = `${client} ${version}`;
        if (!directly.has(key)) directly.set(key, await ask(scene, send, rows, scene.upstream, { isDirect: true, version }));
        const through = await ask({ ...scene, ca: undefined }, send, rows, scene.proxy, { isDirect: false, version });
        results.compare(client, rows, directly.get(key), through, scene, { ...rules, version: { 1: "1.1", 2: "2.0" }[onward] });
      }
      results.end(t);
    });
  }
});

test("docs/forwarding.md lists exactly the differences that were observed", async () => {
  assert.deepEqual(Object.keys(REQUEST_RULES).sort(), await documented("Requests"));
  assert.deepEqual(Object.keys(ANSWER_RULES).sort(), await documented("Responses"));
  const unseen = (rules, seen) => Object.keys(rules).filter((rule) => !seen.has(rule));
  const { requests, answers } = SAME_VERSION.applied;
  assert.deepEqual(unseen(REQUEST_RULES, requests), ["Host", "Transfer-Encoding", "Content-Length"]); // rewritten with the same value
  assert.deepEqual(unseen(ANSWER_RULES, answers), []);
  const observed = Object.entries(CROSSINGS).map(([crossing, { seen }]) => [crossing, seen()]);
  assert.deepEqual(Object.fromEntries(observed), await documentedCrossings());
});

/** What was compared, and where it differed. */
class Results {
  compared = 0;
  failures = [];

  compare(client, rows, direct, through, scene, rules) {
    rows.forEach((row, index) => {
      this.compared += 1;
      try {
        compare(row, direct[index], through[index], scene, rules);
      } catch (error) {
        this.failures.push(`${row.name}, by ${client}: ${error.message}`);
      }
    });
  }

  end(t) {
    t.diagnostic(`${this.compared} comparisons`);
    assert.equal(this.failures.length, 0, `\n${this.failures.join("\n")}`);
  }
}

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
  return { upstream, proxy: proxy.url, directory, take: () => [], ca: undefined };
}

/** Sends all rows with one client. Each response comes with the requests that the upstream received for it. */
async function ask(scene, send, rows, base, how) {
  const { host } = new URL(base);
  const answers = await send(base, rows.map((row) => sentTo(host, row, how)), scene);
  const seen = scene.take();
  return answers.map((answer, index) => {
    const isOfRow = ({ headers }) => headers.some(([name, value]) => name.toLowerCase() === "x-row" && value === rows[index].name);
    return { ...answer, seen: seen.filter(isOfRow).slice(answer.isRepeated ? -1 : 0) };
  });
}

function compare(row, direct, through, scene, { requests, answers, reason, applied, version }) {
  assert.deepEqual([through.failed, direct.failed], [undefined, undefined]);
  const { host } = new URL(scene.proxy);
  const fill = (expected = {}) =>
    Object.fromEntries(Object.entries(expected).map(([name, values]) => [name, values.map((value) => value.replace("@HOST@", host).replace("http://@UPSTREAM@", scene.upstream))]));
  const more = [direct, ...(direct.more ?? [])].map((one, index) => [one, [through, ...(through.more ?? [])][index]]);
  assert.equal(through.more?.length, direct.more?.length, "responses on one connection");
  for (const [one, other] of more) {
    assert.equal(other.status, one.status);
    if (other.reason !== one.reason && reason?.(one, other)) applied.answers.add("the reason phrase");
    else assert.equal(other.reason, one.reason);
    const [said, passed] = [one, other].map(echoed);
    compareFields(said.headers, passed.headers, { rules: answers, applied: applied.answers, wants: row.wants, expected: fill(row.expect) });
    compareFields(one.trailers ?? [], other.trailers ?? [], { rules: {}, applied: applied.answers });
    assert.equal(passed.body.compare(said.body), 0, `the body: ${shown(one.body)} directly, ${shown(other.body)} through the proxy`);
  }
  assert.equal(through.seen.length, direct.seen.length, "requests at the upstream");
  direct.seen.forEach((one, index) => {
    const other = through.seen[index];
    assert.equal(other.version, version);
    assert.deepEqual([other.method, row.expectTarget ?? one.target, other.body], [one.method, other.target, one.body], "the request at the upstream");
    compareFields(one.headers, other.headers, { rules: requests, applied: applied.requests, wants: row.wants, expected: { ...FIXED, ...fill(row.expectSeen) } });
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
