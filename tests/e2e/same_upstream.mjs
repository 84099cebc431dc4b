// The upstreams of `same`: a mirror, which responds as the row says and records the requests, and httpbin on gunicorn.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import { once } from "node:events";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { OF_A_CONNECTION, grouped } from "./http2_fields.mjs";
import { freePort } from "./nginx.mjs";
import { until } from "./support.mjs";

/** The bearer that a client sends directly; through the proxy it is a token of the authorization server. */
export const DIRECT_BEARER = "Bearer direct";

/** More than any head in the table. */
const LARGE = 1 << 20;

/** The `Date` of every response, so that it can be told from one that the proxy adds. */
export const DATE = "Sun, 06 Nov 1994 08:49:37 GMT";

/**
 * Starts an upstream on a free port that requires a bearer. The field `X-Row` of a request names the row whose `answer` is
 * called with request, response and the whole body; without one, the response is 200 with a short text. With a
 * certificate it speaks HTTP/2 and HTTP/1.1 over TLS, as ALPN decides.
 *
 * @returns `take()` returns the requests since the last call: version, method, target, headers (`Host` for `:authority`),
 *   trailers, digest of the body
 */
export async function startMirror(t, rows, { jwksUrl }, certificate) {
  const keys = createRemoteJWKSet(new URL(jwksUrl));
  let seen = [];
  const options = { maxHeaderSize: LARGE, requireHostHeader: false };
  const server = certificate ? createTlsServer({ ...options, ...certificate, ALPNProtocols: ["h2", "http/1.1"] }) : createServer(options);
  const http2Server = createHttp2Server({ settings: { maxHeaderListSize: LARGE }, maxSendHeaderBlockLength: LARGE, maxHeaderListPairs: 1000 });
  if (certificate) alsoServeHttp2(server, http2Server);
  const sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket.on("close", () => sockets.delete(socket))));
  server.maxHeadersCount = 0;
  server.keepAliveTimeout = 60_000;
  for (const one of [server, http2Server]) {
    one.on("request", (...exchange) => serve(...exchange));
    one.on("checkContinue", (request, response) => {
      if (!rowOf(request)?.refuses) response.writeContinue();
      return serve(request, response);
    });
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.close(), sockets.forEach((socket) => socket.destroy())));
  return {
    url: `${certificate ? "https" : "http"}://127.0.0.1:${server.address().port}`,
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
  };

  function rowOf(request) {
    return rows.find(({ name }) => name === request.headers["x-row"]);
  }

  async function serve(request, response) {
    try {
      const row = rowOf(request);
      const body = row?.refuses ? Buffer.alloc(0) : Buffer.concat(await request.toArray());
      seen.push({
        version: request.httpVersion,
        method: request.method,
        target: request.url,
        headers: asOfHttp1(pairs(request.rawHeaders)),
        trailers: pairs(request.rawTrailers),
        body: createHash("sha256").update(body).digest("hex"),
      });
      response.sendDate = false;
      if (!(await isKnown(request.headers.authorization, keys))) return says(response, 401, [], "who are you?");
      if (row?.answer) await row.answer(request, response, body);
      else says(response, 200, [["Content-Type", "text/plain"]], `answer to ${request.method}\n`);
    } catch (error) {
      response.destroy(error); // the response must not end normally
    }
  }
}

/** Gives the connections of a TLS server that chose HTTP/2 to the other server. Node's own server for both has no large heads. */
function alsoServeHttp2(server, http2Server) {
  const [serveHttp1] = server.listeners("secureConnection");
  server.removeAllListeners("secureConnection");
  server.on("secureConnection", (socket) => {
    if (socket.alpnProtocol === "h2") http2Server.emit("connection", socket);
    else serveHttp1.call(server, socket);
  });
}

/** Sends a response with its length, a fixed date, and `headers` in this spelling. */
export function says(response, status, headers, body = "", reason) {
  const bytes = Buffer.from(body);
  const bare = status === 204 || status === 304;
  const all = [...headers];
  if (!bare && !headers.some(([name]) => name === "Content-Length")) all.push(["Content-Length", String(bytes.length)]);
  begins(response, status, all, reason);
  response.end(bytes);
}

/** Begins a response. Over HTTP/2 it has no fields of a connection. */
export function begins(response, status, headers, reason) {
  const all = [["Date", DATE], ...headers];
  if (response.stream) response.writeHead(status, grouped(all.filter(([name]) => !OF_A_CONNECTION.test(name))));
  else response.writeHead(status, reason, all.flat());
}

/** Ends a response with trailers. */
export function endsWith(response, trailers) {
  response.addTrailers(response.stream ? grouped(trailers) : trailers);
  response.end();
}

/** Sends an interim response without fields. */
export function saysProcessing(response) {
  if (response.stream) response.stream.additionalHeaders({ ":status": 102 });
  else response.writeProcessing();
}

/** The address at which the request arrived. */
export function addressOf(request) {
  return `${request.socket.encrypted ? "https" : "http"}://${request.authority ?? request.headers.host}`;
}

/** A response in these bytes, after which the connection ends. It exists in HTTP/1 only. */
export function raw(text) {
  const answer = (_, response) => response.socket.end(Buffer.from(text, "latin1"));
  return Object.assign(answer, { isHttp1: true });
}

/** The head of a request over HTTP/2 in the form of HTTP/1.1. */
function asOfHttp1(headers) {
  return headers.flatMap(([name, value]) => (name === ":authority" ? [["Host", value]] : name.startsWith(":") ? [] : [[name, value]]));
}

async function isKnown(authorization, keys) {
  if (authorization === DIRECT_BEARER) return true;
  const [, token] = /^Bearer (\S+)$/.exec(authorization ?? "") ?? [];
  return jwtVerify(token ?? "", keys).then(
    () => true,
    () => false,
  );
}

function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, index) => flat.slice(2 * index, 2 * index + 2));
}

/** Starts a token endpoint that always issues the same token, so that what an upstream echoes is always the same too. */
export async function startFixedTokens(t) {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ access_token: DIRECT_BEARER.split(" ")[1], token_type: "Bearer", expires_in: 3600 }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.close(), server.closeAllConnections()));
  return { tokenUrl: `http://127.0.0.1:${server.address().port}/token` };
}

/** Starts httpbin on gunicorn with threads, on a free port. */
export async function startHttpbin(t) {
  const port = await freePort();
  const args = ["-m", "gunicorn", "--bind", `127.0.0.1:${port}`, "--worker-class", "gthread", "--threads", "8"];
  const child = spawn(process.env.E2E_PYTHON ?? "python3", [...args, "--keep-alive", "30", "httpbin:app"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (complaints += text));
  const exit = once(child, "exit");
  t.after(async () => {
    child.kill("SIGTERM");
    await exit;
  });
  const url = `http://127.0.0.1:${port}`;
  await until(() => child.exitCode !== null || fetch(`${url}/status/204`).then(() => true, () => false), "httpbin did not start");
  if (child.exitCode !== null) throw new Error(`httpbin did not start:\n${complaints}`);
  return { url };
}
