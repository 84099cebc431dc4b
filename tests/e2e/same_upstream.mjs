// The upstreams of `same`: one of our own that answers as a row says and keeps what it saw, and httpbin under gunicorn.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { freePort } from "./nginx.mjs";
import { until } from "./support.mjs";

/** What a client shows that asks directly; through the proxy it is a token of the authorization server. */
export const DIRECT_BEARER = "Bearer direct";

/** In every answer, so that a `Date` of the upstream's own can be told from one of ours. */
export const DATE = "Sun, 06 Nov 1994 08:49:37 GMT";

/**
 * Starts an upstream on a free port that wants a bearer. The field `X-Row` of a request names the row whose
 * `answer` is called with request, response and the whole body; without one it is 200 with a short text.
 *
 * @returns `take()` gives what was seen since the last call: method, target, headers, trailers, digest of the body
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
      response.destroy(error); // never a clean answer
    }
  }
}

/** An answer with its length, a fixed date, and `headers` as they are written here. */
export function says(response, status, headers, body = "", reason) {
  const bytes = Buffer.from(body);
  const bare = status === 204 || status === 304;
  const all = [["Date", DATE], ...headers];
  if (!bare && !headers.some(([name]) => name === "Content-Length")) all.push(["Content-Length", String(bytes.length)]);
  response.writeHead(status, reason, all.flat());
  response.end(bytes);
}

/** Bytes as they are, and then the connection's end. */
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

/** A token endpoint whose token is always the same, so that what an upstream echoes of it is too. */
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

/** httpbin under gunicorn with threads, on a free port. */
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
