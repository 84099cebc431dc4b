// A small protected API that verifies each token with the authorization server's keys and records all requests.
// Its errors have FastAPI's format: {"detail": "…"}. Like the self-service API, it responds with 401 if the token is
// missing or invalid, and with 403 if a role is missing.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { RESOURCE } from "./authorization_server.mjs";

const CHUNK = Buffer.alloc(1 << 20, Uint8Array.from({ length: 251 }, (_, index) => index));

/**
 * Starts the API on a free port.
 *
 * `seen` has one entry per request, in order of arrival: method, URL as received, the values of all
 * `Authorization` lines, the `jti` of a valid token, and the status of the response.
 *
 * @param {{issuer: string, jwksUrl: string}} authorizationServer
 * @param {{field?: string}} options the field in which the API expects the token alone, instead of `Authorization: Bearer`
 */
export async function startApi({ issuer, jwksUrl }, { field } = {}) {
  const keys = createRemoteJWKSet(new URL(jwksUrl));
  const certificates = new Map([["first", { name: "first", fullchain: "…" }]]);
  const seen = [];

  const server = createServer(async (request, response) => {
    const entry = {
      method: request.method,
      url: request.url,
      authorization: linesOf(request, "authorization"),
      expect: request.headers.expect,
      jti: undefined,
      status: undefined,
    };
    seen.push(entry);
    response.on("finish", () => (entry.status = response.statusCode));
    try {
      const claims = await verify(tokenIn(request, field), keys, issuer);
      entry.jti = claims.jti;
      await route(request, response, claims, certificates);
    } catch (problem) {
      if (!(problem instanceof HttpError)) {
        response.destroy(problem); // a client that disconnected, or a bug in this file: never end the response cleanly
        return;
      }
      send(response, problem.status, { detail: problem.message }, problem.headers);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** The digest of the body of `GET /download?bytes=LENGTH`. */
export function digestOfDownload(length) {
  const hash = createHash("sha256");
  for (const chunk of chunks(length)) hash.update(chunk);
  return hash.digest("hex");
}

class HttpError extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

function tokenIn({ headers }, field) {
  return field ? headers[field] : /^Bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1];
}

async function verify(token, keys, issuer) {
  if (!token) throw new HttpError(401, "Not authenticated", { "www-authenticate": "Bearer" });
  try {
    // No clock tolerance: a token is rejected from the second in which it expires.
    const { payload } = await jwtVerify(token, keys, { issuer, audience: RESOURCE, algorithms: ["RS256"] });
    return payload;
  } catch {
    throw new HttpError(401, "Invalid token", { "www-authenticate": 'Bearer error="invalid_token"' });
  }
}

async function route(request, response, claims, certificates) {
  const url = new URL(request.url, "http://api");
  const writes = !["GET", "HEAD"].includes(request.method);
  const roles = writes ? ["dev-tls-admin"] : ["dev-tls-admin", "dev-tls-audit"];
  if (!claims.groups?.some((group) => roles.includes(group))) {
    throw new HttpError(403, "Access token is missing required scopes.");
  }
  const [, name] = /^\/api\/v1\/certificates\/([^/]+)$/.exec(url.pathname) ?? [];
  const key = `${request.method === "HEAD" ? "GET" : request.method} ${name ? "/api/v1/certificates/{name}" : url.pathname}`;
  switch (key) {
    case "GET /api/v1/certificates": {
      const limit = Number(url.searchParams.get("limit") ?? 100);
      return send(response, 200, [...certificates.values()].slice(0, limit));
    }
    case "POST /api/v1/certificates": {
      const certificate = JSON.parse(Buffer.concat(await request.toArray()).toString());
      certificates.set(certificate.name, certificate);
      return send(response, 201, certificate, { location: `/api/v1/certificates/${certificate.name}` });
    }
    case "GET /api/v1/certificates/{name}":
      if (!certificates.has(name)) break;
      return send(response, 200, certificates.get(name));
    case "DELETE /api/v1/certificates/{name}":
      if (!certificates.delete(name)) break;
      response.writeHead(204).end();
      return undefined;
    case "GET /echo":
      return send(response, 200, { url: request.url, host: request.headers.host, headers: request.headers });
    case "POST /upload":
    case "PUT /upload":
      return send(response, 200, await digestOf(request));
    case "GET /download": {
      const length = Number(url.searchParams.get("bytes"));
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": length });
      if (request.method === "HEAD") return response.end();
      return pipeline(Readable.from(chunks(length)), response);
    }
    case "GET /slow": // the first half at once, the second after a second
      response.writeHead(200, { "content-type": "text/plain" });
      response.write("first ");
      setTimeout(() => response.end("second"), 1000);
      return undefined;
  }
  throw new HttpError(404, "Not Found");
}

function* chunks(length) {
  for (let left = length; left > 0; left -= CHUNK.length) {
    yield left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
  }
}

async function digestOf(stream) {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

function linesOf(request, name) {
  const raw = request.rawHeaders;
  return raw.filter((_, index) => index % 2 === 1 && raw[index - 1].toLowerCase() === name);
}

function send(response, status, body, headers = {}) {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text); // Node omits the body of a response to HEAD
}
