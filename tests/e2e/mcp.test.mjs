// docs/mcp.md: an MCP client that knows nothing of OAuth reaches a protected server with the streamable HTTP transport
// through cupbearer (npm @modelcontextprotocol/sdk on both sides).

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { CLIENTS, RESOURCE, startAuthorizationServer } from "./authorization_server.mjs";
import { startMcpServer } from "./mcp_server.mjs";
import { registerSecret } from "./printed.mjs";
import { curl, startProxy, temporaryDirectory, until } from "./support.mjs";

const PAGE = readFileSync(new URL("../../docs/mcp.md", import.meta.url), "utf8");

test("the server rejects a client without OAuth that connects to it directly", async (t) => {
  const { server } = await setUp(t);
  await assert.rejects(connect(t, server.url), /401|Missing Authorization/);
});

test("a client without OAuth lists the tools and calls one, and its session outlives the access token", async (t) => {
  const { server, proxy, authorizationServer } = await setUp(t);
  const { client } = await connect(t, proxy.url);
  assert.deepEqual((await client.listTools()).tools.map(({ name }) => name), ["add", "report"]);
  assert.equal(await call(client, "add", { a: 2, b: 3 }), "5");
  await until(() => authorizationServer.tokenRequests.length >= 2, "a refresh of the access token");
  await until(async () => {
    assert.equal(await call(client, "add", { a: 4, b: 5 }), "9");
    return new Set(server.requests.map(({ token }) => token)).size >= 2;
  }, "a request with the newer token");
  assert.equal(server.sessions.size, 1, "the session is still the same");
  assert.deepEqual([...new Set(server.requests.map(({ status }) => status))].sort(), [200, 202, undefined].sort());
});

test("notifications of the server arrive, on the stream of a call and on the client's own", async (t) => {
  const { server, proxy } = await setUp(t);
  const { client, notified } = await connect(t, proxy.url);
  await until(() => server.openStreams() === 1, "the client's own stream");
  await server.notify("an order has arrived");
  await until(() => notified.includes("an order has arrived"), "the notification");

  const report = call(client, "report");
  await until(() => notified.includes("the report has begun"), "the notification during a call");
  server.finishReports();
  assert.equal(await report, "the report");
});

test("event streams may be silent for longer than upstream.stall_timeout, which cuts every other response", async (t) => {
  const { server, proxy } = await setUp(t, { env: { CUPBEARER_UPSTREAM__STALL_TIMEOUT: "1s" } });
  const { client, notified } = await connect(t, proxy.url);
  await until(() => server.openStreams() === 1, "the client's own stream");
  const report = call(client, "report");
  await until(() => notified.includes("the report has begun"), "the stream of a call");

  // Both streams have been silent since before these responses began.
  for (let round = 0; round < 2; round += 1) {
    const stalled = await fetch(`${proxy.url}/stalled`);
    assert.equal(stalled.status, 200);
    await assert.rejects(stalled.text(), /terminated/);
  }
  await server.notify("after the silence");
  await until(() => notified.includes("after the silence"), "the notification");
  server.finishReports();
  assert.equal(await report, "the report");
  assert.deepEqual(server.requests.filter(({ lastEventId }) => lastEventId), [], "neither stream had to be resumed");
});

test("a stream that breaks is resumed with Last-Event-ID, and neither a notification nor a result is lost", async (t) => {
  const { server, proxy } = await setUp(t);
  const { client, notified } = await connect(t, proxy.url);
  await until(() => server.openStreams() === 1, "the client's own stream");
  await server.notify("first");
  const report = call(client, "report");
  await until(() => notified.length === 2, "both notifications");

  server.cut();
  await server.notify("second");
  server.finishReports();
  assert.equal(await report, "the report");
  await until(() => notified.includes("second"), "the notification that was sent while there was no stream");
  assert.deepEqual(notified.sort(), ["first", "second", "the report has begun"]);
  const resumed = server.requests.filter(({ method, lastEventId }) => method === "GET" && lastEventId);
  assert.ok(resumed.length >= 2, "both streams were resumed");
});

test("a client ends its session with DELETE, and the server then no longer knows it", async (t) => {
  const { server, proxy } = await setUp(t);
  const { transport } = await connect(t, proxy.url);
  const { sessionId } = transport;
  await transport.terminateSession();
  assert.equal(server.sessions.size, 0);
  const { method, session } = server.requests.findLast((request) => request.session);
  assert.deepEqual([method, session], ["DELETE", sessionId]);
  const status = ["--output", "/dev/null", "--write-out", "%{http_code}"];
  const { stdout } = await curl(...status, "--header", `Mcp-Session-Id: ${sessionId}`, `${proxy.url}/mcp`);
  assert.equal(stdout, "404");
});

test("the rules in docs/mcp.md admit an agent with its key, and nothing but the MCP endpoint", async (t) => {
  const [, lines] = /```toml\n(\[guard\.callers\.agent\][^`]*)```/.exec(PAGE);
  const headers = { "X-Cupbearer-Key": randomUUID() };
  const { proxy } = await setUp(t, { lines: (directory) => {
    const [[, key]] = Object.entries(headers);
    registerSecret(key, "agent");
    const keyFile = join(directory, "agent.key");
    writeFileSync(keyFile, key, { mode: 0o600 });
    return lines.replace("/run/secrets/agent.key", keyFile);
  } });
  await assert.rejects(connect(t, proxy.url), /401|caller_unknown/);
  const { client, transport } = await connect(t, proxy.url, headers);
  assert.equal(await call(client, "add", { a: 1, b: 1 }), "2");
  await transport.terminateSession();
  const { stdout } = await curl("--header", `X-Cupbearer-Key: ${headers["X-Cupbearer-Key"]}`, `${proxy.url}/admin`);
  assert.match(stdout, /rule_refused/);
});

/**
 * An MCP server that demands tokens of an authorization server, and cupbearer before it, with the configuration on the page,
 * these lines below it and these variables.
 */
async function setUp(t, { lines = () => "", env = {} } = {}) {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const server = await startMcpServer(authorizationServer);
  t.after(() => server.close());
  const directory = await temporaryDirectory(t);
  const { id, secret } = CLIENTS.basic;
  registerSecret(secret, id);
  const secretFile = join(directory, "client_secret");
  writeFileSync(secretFile, secret, { mode: 0o600 });
  const values = {
    "https://mcp.example.com/mcp": RESOURCE,
    "https://mcp.example.com": server.url,
    "https://as.example.com/oauth2/token": authorizationServer.tokenUrl,
    "my-agent": id,
    "/run/secrets/client_secret": secretFile,
  };
  let text = PAGE.split("```toml\n")[1].split("```")[0];
  for (const [from, to] of Object.entries(values)) {
    assert.ok(text.includes(from), from);
    text = text.replace(from, to);
  }
  const file = join(directory, "cupbearer.toml");
  writeFileSync(file, `${text}\n${lines(directory)}`);
  const proxy = await startProxy(["--config", file], { env: { CUPBEARER_LISTEN: "127.0.0.1:0", ...env } });
  t.after(() => proxy.stop());
  return { authorizationServer, server, proxy };
}

/** Connects a client that has no way to authenticate but these headers, and records the notifications that it gets. */
async function connect(t, url, headers = {}) {
  const client = new Client({ name: "agent", version: "1.0.0" });
  const notified = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void notified.push(params.data));
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } });
  t.after(() => client.close());
  await client.connect(transport);
  return { client, transport, notified };
}

async function call(client, name, args = {}) {
  const { content } = await client.callTool({ name, arguments: args });
  return content[0].text;
}
