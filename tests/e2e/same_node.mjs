// Sends requests with Node's fetch or node:http and prints what came back; the same job on standard input as
// for same_python.py. A program of its own, since only its command line can raise fetch's limit of headers.

import http from "node:http";
import { text } from "node:stream/consumers";

const { client, base, rows } = JSON.parse(await text(process.stdin));
const send = { fetch: withFetch, http: withHttp }[client];
const agent = new http.Agent({ keepAlive: true });
for (const row of rows) {
  const body = row.body === null ? undefined : Buffer.from(row.body, "base64");
  const answer = await send(row, body).catch((error) => {
    // nginx may close a kept connection just as it is used; the proxy must hide that.
    if (row.isDirect) return send(row, body);
    return { failed: String(error.cause ?? error) };
  });
  await new Promise((written) => process.stdout.write(`${JSON.stringify(answer)}\n`, written));
}
process.exit(); // whatever is kept alive

async function withFetch(row, body) {
  const answer = await fetch(base + row.target, {
    method: row.method,
    headers: row.headers,
    body: row.chunked && body ? new Blob([body]).stream() : body,
    duplex: "half",
    redirect: "manual",
  });
  return {
    status: answer.status,
    reason: answer.statusText,
    headers: [...answer.headers],
    body: Buffer.from(await answer.arrayBuffer()).toString("base64"),
  };
}

function withHttp(row, body) {
  const { promise, resolve, reject } = withResolvers();
  const { host, hostname, port } = new URL(base);
  const request = http.request({
    agent,
    hostname,
    port,
    method: row.method,
    path: row.target,
    headers: ["Host", host, ...row.headers.flat(), ...framing(row, body)],
    maxHeaderSize: 1 << 20,
  });
  request.on("error", reject);
  request.on("response", async (answer) => {
    try {
      const pieces = await answer.toArray();
      resolve({
        status: answer.statusCode,
        reason: answer.statusMessage,
        headers: pairs(answer.rawHeaders),
        trailers: pairs(answer.rawTrailers),
        body: Buffer.concat(pieces).toString("base64"),
      });
    } catch (error) {
      reject(error);
    }
  });
  if (row.trailers) request.addTrailers(row.trailers);
  request.end(body);
  return promise;
}

/** Headers given as a list leave the framing to us. */
function framing(row, body) {
  if (body === undefined) return [];
  return row.chunked ? ["Transfer-Encoding", "chunked"] : ["Content-Length", String(body.length)];
}

function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, index) => flat.slice(2 * index, 2 * index + 2));
}

function withResolvers() {
  let resolve, reject;
  const promise = new Promise((...both) => ([resolve, reject] = both));
  return { promise, resolve, reject };
}
