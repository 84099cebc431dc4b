// The upstreams of `same`: a mirror, which responds as the row says and records the requests, and httpbin on gunicorn.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { freePort } from "./nginx.mjs";
import { until } from "./support.mjs";

/** The bearer that a client sends directly; through the proxy it is a token of the authorization server. */
export const DIRECT_BEARER = "Bearer direct";

/** The `Date` of every response, so that it can be told from one that the proxy adds. */
export const DATE = "Sun, 06 Nov 1994 08:49:37 GMT";

/**
 * Starts an upstream on a free port that requires a bearer. The field `X-Row` of a request names the row whose `answer` is
 * called with request, response and the whole body; without one, the response is 200 with a short text.
 *
 * @returns `take()` returns the requests since the last call: method, target, headers, trailers, digest of the body
 */
export async function startMirror(t, rows, { jwksUrl }) {
  const keys = createRemoteJWKSet(new URL(jwksUrl));
  let seen = [];
  const server = createServer({ maxHeaderSize: 1 << 20, requireHostHeader: false }, (...both) => serve(...both));
  server.maxHeadersCount = 0;
  server.keepAliveTimeout = 60_000;
  server.on("checkContinue", (request, response) => {
    if (!rowOf(request)?.refuses) response.writeContinue();
    return serve(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.close(), server.closeAllConnections()));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
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
        method: request.method,
        target: request.url,
        headers: pairs(request.rawHeaders),
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

/** Sends a response with its length, a fixed date, and `headers` in this spelling. */
export function says(response, status, headers, body = "", reason) {
  const bytes = Buffer.from(body);
  const bare = status === 204 || status === 304;
  const all = [["Date", DATE], ...headers];
  if (!bare && !headers.some(([name]) => name === "Content-Length")) all.push(["Content-Length", String(bytes.length)]);
  response.writeHead(status, reason, all.flat());
  response.end(bytes);
}

/** Sends raw bytes and ends the connection. */
export function saysRaw(response, text) {
  response.socket.end(Buffer.from(text, "latin1"));
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
