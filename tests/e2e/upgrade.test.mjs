// What is not one request and one answer: WebSocket, server-sent events, expectations.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import net from "node:net";
import { test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { startAuthorizationServer } from "./authorization_server.mjs";
import { startProxy, temporaryDirectory, writeConfiguration } from "./support.mjs";

/** An upstream of this test's own, and the built binary in front of it. */
async function inFrontOf(t, server, ...args) {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const api = { url: `http://127.0.0.1:${server.address().port}` };
  const directory = await temporaryDirectory(t);
  const file = await writeConfiguration(directory, { authorizationServer, api, client: "basic", config: "" });
  const proxy = await startProxy(["--config", file, ...args]);
  t.after(() => proxy.stop());
  return proxy;
}

/** A WebSocket server that wants a bearer and echoes. */
function echo(t) {
  const server = createServer();
  const sockets = new WebSocketServer({ server, verifyClient: ({ req }) => /^Bearer ./.test(req.headers.authorization) });
  t.after(() => sockets.close());
  sockets.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
  return server;
}

test("a WebSocket carries 10 MB each way with a bearer that its client never saw", async (t) => {
  const proxy = await inFrontOf(t, echo(t));
  const socket = new WebSocket(proxy.url.replace("http:", "ws:"));
  await once(socket, "open");
  const sent = randomBytes(10 << 20);
  socket.send(sent);
  const [received] = await once(socket, "message");
  const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
  assert.equal(hash(received), hash(sent));
  socket.close(1000, "done");
  const [code, reason] = await once(socket, "close");
  assert.equal(code, 1000);
  assert.equal(reason.toString(), "done");
});

test("a WebSocket from a page of another origin is refused before the upstream hears of it", async (t) => {
  let asked = 0;
  const server = echo(t).on("upgrade", () => asked++);
  const proxy = await inFrontOf(t, server);
  const socket = new WebSocket(proxy.url.replace("http:", "ws:"), { origin: "http://evil.test" });
  const [, answer] = await once(socket, "unexpected-response");
  assert.equal(answer.statusCode, 403);
  assert.equal(asked, 0);
});

test("an upgrade that is answered otherwise is an answer, and bytes sent early never reach the upstream", async (t) => {
  const seen = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      seen.push(bytes.toString("latin1"));
      socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    });
  });
  const proxy = await inFrontOf(t, server);
  const client = net.connect(Number(new URL(proxy.url).port), "127.0.0.1");
  const early = "SMUGGLED".repeat(128);
  client.write(
    `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n${early}`,
  );
  let answer = "";
  client.setEncoding("latin1").on("data", (text) => (answer += text));
  await once(client, "close");
  assert.match(answer, /^HTTP\/1\.1 403 /);
  assert.match(answer, /\r\nconnection: close\r\n/i); // at once, not when the connection has been idle long enough
  assert.ok(!seen.join("").includes("SMUGGLED"), seen.join(""));
});

test("a WebSocket keeps its subprotocol, its compression, its ping and what its server says at once", async (t) => {
  const server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 }, handleProtocols: () => "second" });
  t.after(() => sockets.close());
  sockets.on("headers", (headers) => headers.push("X-Own: kept"));
  sockets.on("connection", (socket) => socket.send("hello at once"));
  const proxy = await inFrontOf(t, server);
  const socket = new WebSocket(proxy.url.replace("http:", "ws:"), ["first", "second"]);
  const [[answer], [hello]] = await Promise.all([once(socket, "upgrade"), once(socket, "message")]);
  assert.equal(answer.headers["x-own"], "kept");
  assert.equal(socket.protocol, "second");
  assert.match(socket.extensions, /^permessage-deflate/);
  assert.equal(hello.toString(), "hello at once");
  socket.ping("are you there");
  const [pong] = await once(socket, "pong");
  assert.equal(pong.toString(), "are you there");
  socket.terminate();
});

test("a WebSocket and an event stream may be silent for longer than any limit", async (t) => {
  const server = echo(t);
  server.on("request", (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" }).flushHeaders();
    setTimeout(() => response.end("data: late\n\n"), 1500);
  });
  const limits = ["upstream.stall_timeout", "upstream.head_timeout", "limits.keep_alive", "limits.header_timeout", "upstream.pool_idle"];
  const proxy = await inFrontOf(t, server, ...limits.flatMap((key) => ["--set", `${key}=300ms`]));
  const socket = new WebSocket(proxy.url.replace("http:", "ws:"));
  await once(socket, "open");
  const events = await fetch(proxy.url);
  assert.equal(await events.text(), "data: late\n\n"); // five times the limits later
  socket.send("late too");
  const [late] = await once(socket, "message");
  assert.equal(late.toString(), "late too");
  socket.terminate();
});

test("a client that leaves an event stream is seen by the upstream", async (t) => {
  const left = withResolvers();
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    response.on("close", left.resolve);
  });
  const proxy = await inFrontOf(t, server);
  const abort = new AbortController();
  await fetch(proxy.url, { signal: abort.signal });
  abort.abort();
  await left.promise;
});

test("an upgrade to h2c is an ordinary request", async (t) => {
  const headers = [];
  const server = createServer((request, response) => {
    headers.push(request.headers);
    response.end("plain");
  });
  const proxy = await inFrontOf(t, server);
  const client = net.connect(Number(new URL(proxy.url).port), "127.0.0.1");
  client.write(
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
  );
  let answer = "";
  client.setEncoding("latin1").on("data", (text) => (answer += text));
  await once(client, "close");
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.equal(headers[0].upgrade, undefined);
  assert.equal(headers[0]["http2-settings"], undefined);
});

test("half-closing a tunnel on one side leaves the other direction open", async (t) => {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      const got = [];
      socket.on("data", (bytes) => got.push(bytes));
      socket.on("end", () => socket.end(`heard ${Buffer.concat(got)}`));
    });
  });
  const proxy = await inFrontOf(t, server);
  const client = net.connect({ port: Number(new URL(proxy.url).port), host: "127.0.0.1", allowHalfOpen: true });
  client.setEncoding("latin1");
  client.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  const [head] = await once(client, "data");
  assert.match(head, /^HTTP\/1\.1 101 /);
  let rest = "";
  client.on("data", (text) => (rest += text));
  client.end("hello");
  await once(client, "close");
  assert.equal(rest, "heard hello");
});

test("stopping waits for a tunnel no longer than drain, and still exits with 0", async (t) => {
  const proxy = await inFrontOf(t, echo(t), "--set", "drain=300ms");
  const socket = new WebSocket(proxy.url.replace("http:", "ws:"));
  await once(socket, "open");
  socket.on("error", () => {});
  const closed = once(socket, "close");
  assert.equal(await proxy.stop(), 0);
  await closed;
});

test("server-sent events arrive one by one, while the stream is open", async (t) => {
  let emit;
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    emit = (text) => response.write(`data: ${text}\n\n`);
    request.on("close", () => response.end());
  });
  const proxy = await inFrontOf(t, server);
  const abort = new AbortController();
  const answer = await fetch(proxy.url, { signal: abort.signal });
  const reader = answer.body.getReader();
  for (const number of [1, 2, 3]) {
    emit(number); // the next is only sent when this one has been read
    const { value } = await reader.read();
    assert.equal(Buffer.from(value).toString(), `data: ${number}\n\n`);
  }
  abort.abort();
});

test("an upload that expects 100 and is refused never sends its body, a hundred times", async (t) => {
  let bodies = 0;
  const server = createServer();
  server.on("checkContinue", (request, response) => {
    request.on("data", () => bodies++);
    response.writeHead(413, { connection: "close" }).end("too large");
  });
  const proxy = await inFrontOf(t, server);
  for (let round = 0; round < 100; round++) {
    const { heard, answer } = await expecting(proxy, "0123456789");
    assert.deepEqual(heard, [], "no 100 was to be heard");
    assert.match(answer, /^HTTP\/1\.1 413 /);
  }
  assert.equal(bodies, 0);
});

test("an upload that expects 100 sends its body when the upstream says so", async (t) => {
  const server = createServer();
  server.on("checkContinue", (request, response) => {
    response.writeContinue();
    request.pipe(response);
  });
  const proxy = await inFrontOf(t, server);
  const { heard, answer } = await expecting(proxy, "0123456789");
  assert.deepEqual(heard, ["100"]);
  assert.match(answer, /^HTTP\/1\.1 200 [^]*0123456789/);
});

function withResolvers() {
  let resolve;
  const promise = new Promise((one) => (resolve = one));
  return { promise, resolve };
}

/** One POST that waits for 100 before its body, byte by byte. */
async function expecting(proxy, body) {
  const client = net.connect(Number(new URL(proxy.url).port), "127.0.0.1");
  client.setEncoding("latin1");
  client.write(
    `POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
  );
  const heard = [];
  let answer = "";
  client.on("data", (text) => {
    answer += text;
    const interim = /^HTTP\/1\.1 (1\d\d) [^]*?\r\n\r\n/.exec(answer);
    if (interim) {
      heard.push(interim[1]);
      answer = answer.slice(interim[0].length);
      client.write(body);
    }
  });
  await once(client, "close");
  return { heard, answer };
}
