// Sends requests with Node's fetch or node:http and prints the responses. Standard input has the same format as for
// same_python.py. A separate program, because only the command line can raise the header limit of fetch.

import http from "node:http";
import { text } from "node:stream/consumers";

const { client, base, rows } = JSON.parse(await text(process.stdin));
const send = { fetch: withFetch, http: withHttp }[client];
const agent = new http.Agent({ keepAlive: true });
for (const row of rows) {
  const body = row.body === null ? undefined : Buffer.from(row.body, "base64");
  const answer = await send(row, body).catch((error) => {
    // nginx may close an idle connection at the moment it is reused; the proxy must hide that.
    if (row.isDirect) return send(row, body);
    return { failed: String(error.cause ?? error) };
  });
  await new Promise((written) => process.stdout.write(`${JSON.stringify(answer)}\n`, written));
}
process.exit(); // idle connections would keep the process running

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

/** With a list of headers, Node leaves the framing to the caller. */
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
