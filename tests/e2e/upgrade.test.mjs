// Exchanges that are more than one request and one response: WebSocket, server-sent events, Expect: 100-continue.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import net from "node:net";
import { test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { startAuthorizationServer } from "./authorization_server.mjs";
import { startProxy, temporaryDirectory, writeConfiguration } from "./support.mjs";

/** Starts the built binary in front of an upstream that the test provides. */
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

/** A WebSocket server that requires a bearer token and echoes messages. */
function echo(t) {
  const server = createServer();
  const sockets = new WebSocketServer({ server, verifyClient: ({ req }) => /^Bearer ./.test(req.headers.authorization) });
  t.after(() => sockets.close());
  sockets.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
  return server;
}

test("a WebSocket carries 10 MB in each direction, with a bearer token that its client does not know", async (t) => {
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

test("a WebSocket from a page of another origin is rejected without a request to the upstream", async (t) => {
  let asked = 0;
  const server = echo(t).on("upgrade", () => asked++);
  const proxy = await inFrontOf(t, server);
  const socket = new WebSocket(proxy.url.replace("http:", "ws:"), { origin: "http://evil.test" });
  const [, answer] = await once(socket, "unexpected-response");
  assert.equal(answer.statusCode, 403);
  assert.equal(asked, 0);
});

test("a rejected upgrade returns the upstream's response, and bytes that the client sent early never reach the upstream", async (t) => {
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
  assert.match(answer, /\r\nconnection: close\r\n/i); // at once, not when the idle limit has passed
  assert.ok(!seen.join("").includes("SMUGGLED"), seen.join(""));
});

test("a WebSocket's subprotocol, compression, pings and early server messages are preserved", async (t) => {
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

test("a WebSocket and an event stream may be idle for longer than every timeout", async (t) => {
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

test("the upstream notices when a client closes an event stream", async (t) => {
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

test("a request to upgrade to h2c is forwarded as an ordinary request", async (t) => {
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

test("closing one direction of a tunnel leaves the other direction open", async (t) => {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      const got = [];
      socket.on("data", (bytes) => got.push(bytes));
      socket.on("end", () => socket.end(`received ${Buffer.concat(got)}`));
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
  assert.equal(rest, "received hello");
});

test("a stopping proxy waits for a tunnel no longer than drain, and exits with 0", async (t) => {
  const proxy = await inFrontOf(t, echo(t), "--set", "drain=300ms");
  const socket = new WebSocket(proxy.url.replace("http:", "ws:"));
  await once(socket, "open");
  socket.on("error", () => {});
  const closed = once(socket, "close");
  assert.equal(await proxy.stop(), 0);
  await closed;
});

test("server-sent events arrive one by one while the stream is open", async (t) => {
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

test("a rejected upload with Expect: 100-continue never sends its body, in 100 of 100 attempts", async (t) => {
  let bodies = 0;
  const server = createServer();
  server.on("checkContinue", (request, response) => {
    request.on("data", () => bodies++);
    response.writeHead(413, { connection: "close" }).end("too large");
  });
  const proxy = await inFrontOf(t, server);
  for (let round = 0; round < 100; round++) {
    const { interimStatuses, answer } = await expecting(proxy, "0123456789");
    assert.deepEqual(interimStatuses, [], "no 100 may be sent");
    assert.match(answer, /^HTTP\/1\.1 413 /);
  }
  assert.equal(bodies, 0);
});

test("an upload with Expect: 100-continue sends its body once the upstream sends a 100", async (t) => {
  const server = createServer();
  server.on("checkContinue", (request, response) => {
    response.writeContinue();
    request.pipe(response);
  });
  const proxy = await inFrontOf(t, server);
  const { interimStatuses, answer } = await expecting(proxy, "0123456789");
  assert.deepEqual(interimStatuses, ["100"]);
  assert.match(answer, /^HTTP\/1\.1 200 [^]*0123456789/);
});

function withResolvers() {
  let resolve;
  const promise = new Promise((one) => (resolve = one));
  return { promise, resolve };
}

/** Sends a POST whose client waits for a 100 before it sends the body. */
async function expecting(proxy, body) {
  const client = net.connect(Number(new URL(proxy.url).port), "127.0.0.1");
  client.setEncoding("latin1");
  client.write(
    `POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
  );
  const interimStatuses = [];
  let answer = "";
  client.on("data", (text) => {
    answer += text;
    const interim = /^HTTP\/1\.1 (1\d\d) [^]*?\r\n\r\n/.exec(answer);
    if (interim) {
      interimStatuses.push(interim[1]);
      answer = answer.slice(interim[0].length);
      client.write(body);
    }
  });
  await once(client, "close");
  return { interimStatuses, answer };
}
