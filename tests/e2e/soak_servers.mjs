// The servers of the soak test: an authorization server, a relay and the API behind it, each of which can fail on
// demand as real ones do. The API records which requests it has executed.

import { createHash, randomBytes } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createConnection, createServer as createTcpServer } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { registerToken } from "./printed.mjs";

const EVENTS = 40;
const EVENT_INTERVAL_MS = 250;

/** The body of the response to `?bytes=N`, which is different for every request id. */
export function bytesOf(id, length) {
  const unit = Buffer.from(`${id}.`);
  return Buffer.alloc(length, unit);
}

export const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A token endpoint. Tokens live `lifetimeS`; `state.mode` is the current behaviour of the endpoint. */
export async function startTokens(lifetimeS) {
  const expiries = new Map();
  const state = { mode: "good", requests: 0 };
  const issue = (response) => {
    const token = randomBytes(24).toString("base64url");
    registerToken(token);
    expiries.set(token, Date.now() + lifetimeS * 1000);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ access_token: token, token_type: "Bearer", expires_in: lifetimeS }));
  };
  const answers = {
    good: issue,
    unavailable: (response) => response.writeHead(503).end(),
    busy: (response) => response.writeHead(429, { "retry-after": "2" }).end(),
    page: (response) => response.writeHead(200, { "content-type": "text/html" }).end("<h1>Sorry</h1>"),
    silent: () => {}, // until its connections are closed
    slow: async (response) => void (await sleep(1500), issue(response)),
  };
  const handler = (request, response) => {
    request.resume();
    state.requests += 1;
    answers[state.mode](response);
  };
  let server = await listen(createHttpServer(handler));
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}/token`,
    state,
    isGood: (token) => (expiries.get(token) ?? 0) > Date.now(),
    isKnown: (token) => expiries.has(token),
    revokeAll: () => expiries.forEach((_, token) => expiries.set(token, 0)),
    stopListening: () => close(server),
    listenAgain: async () => void (server = await listen(createHttpServer(handler), port)),
    closeConnections: () => server.closeAllConnections(),
    close: () => close(server),
  };
}

/**
 * The API: hashes what it receives, streams, and echoes upgraded connections, over TLS as HTTP/2 or HTTP/1.1. `executed`
 * counts the executions of each request id.
 */
export async function startApi(tokens, certificate) {
  const executed = new Map();
  const unauthorized = []; // requests without a token, or with a token that was never issued
  const allowed = (request) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (!token || !tokens.isKnown(token)) unauthorized.push(`${request.method} ${request.url}`);
    return tokens.isGood(token);
  };
  const execute = (request) => {
    const id = request.headers["x-request-id"];
    executed.set(id, (executed.get(id) ?? 0) + 1);
    return id;
  };
  const server = createSecureServer({ ...certificate, allowHTTP1: true, keepAliveTimeout: 0 }, async (request, response) => {
    request.on("error", () => {});
    response.on("error", () => {}); // what is written to a stream that was reset
    if (!allowed(request)) {
      request.resume();
      return void response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"', "content-length": 0 }).end();
    }
    const url = new URL(request.url, "http://api");
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      for await (const chunk of request) (hash.update(chunk), (bytes += chunk.length));
    } catch {
      return; // the request is incomplete, so it is not executed
    }
    const id = execute(request);
    if (url.pathname === "/events") return void events(response);
    const wanted = Number(url.searchParams.get("bytes"));
    const body = wanted ? bytesOf(id, wanted) : Buffer.from(JSON.stringify({ id, bytes, sha256: hash.digest("hex") }));
    await sleep(Number(url.searchParams.get("ms")));
    response.writeHead(200, { "content-length": body.length }).end(body);
  });
  const sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket))));
  for (const event of ["sessionError", "tlsClientError"]) server.on(event, () => {}); // connections that a fault has broken
  server.on("upgrade", (request, socket) => {
    socket.on("error", () => {});
    if (!allowed(request)) return void socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    execute(request);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    socket.pipe(socket);
  });
  await listen(server);
  const end = () => (sockets.forEach((socket) => socket.destroy()), close(server));
  return { port: server.address().port, executed, unauthorized, close: end };
}

async function events(response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (let number = 1; number <= EVENTS && !(response.destroyed || response.stream?.destroyed); number += 1) {
    response.write(`data: ${number}\n\n`);
    await sleep(EVENT_INTERVAL_MS);
  }
  response.end("data: end\n\n");
}

/** A relay between the proxy and the API. `state.fault` applies to all of its connections. */
export async function startRelay(target) {
  const pairs = new Set();
  const state = { fault: undefined };
  const accept = (near) => {
    if (state.fault === "hang up") return void near.resetAndDestroy();
    const far = createConnection(target, "127.0.0.1");
    const pair = { near, far };
    pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on("error", () => to.destroy()).on("close", () => pairs.delete(pair));
      from.on("end", () => to.end());
      from.on("data", async (chunk) => {
        from.pause();
        if (state.fault === "slow") await sleep(100);
        if (state.fault === "truncate" && from === far) return truncate(pair, chunk);
        if (state.fault === "stall") return; // stays paused
        if (!to.write(chunk)) await Promise.race([once(to, "drain"), once(to, "close")]).catch(() => {});
        from.resume();
      });
    }
  };
  /** Forwards a part of the chunk and then closes the connection, orderly or with a reset. */
  const truncate = ({ near, far }, chunk) => {
    near.write(chunk.subarray(0, Math.floor(Math.random() * chunk.length)), () => {
      if (Math.random() < 0.5) near.resetAndDestroy();
      else near.destroy();
      far.destroy();
    });
  };
  const reset = () => [...pairs].forEach(({ near, far }) => (near.resetAndDestroy(), far.destroy()));
  let server = await listen(createTcpServer({ allowHalfOpen: true }, accept));
  const { port } = server.address();
  return {
    url: `https://127.0.0.1:${port}`,
    state,
    reset,
    end: () => [...pairs].forEach(({ near, far }) => (near.end(), far.end())),
    stopListening: async () => (server.close(), reset(), await once(server, "close")),
    listenAgain: async () => void (server = await listen(createTcpServer({ allowHalfOpen: true }, accept), port)),
    close: async () => (server.close(), reset()),
  };
}

async function listen(server, port = 0) {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function close(server) {
  server.close();
  server.closeAllConnections?.();
  await once(server, "close");
}
