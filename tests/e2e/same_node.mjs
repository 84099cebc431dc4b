// Sends requests with Node's fetch, node:http or node:http2 and prints the responses. Standard input has the same format as for
// same_python.py. A separate program, because only the command line can raise the header limit of fetch.

import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { text } from "node:stream/consumers";
import { grouped } from "./http2_fields.mjs";

const LARGE = 1 << 20;

const { client, base, ca, rows } = JSON.parse(await text(process.stdin));
const send = { fetch: withFetch, http: withHttp, http2: withHttp2 }[client];
const { Agent, request: sendHttp1 } = base.startsWith("https") ? https : http;
const agent = new Agent({ keepAlive: true, ca });
let session;
for (const row of rows) {
  const body = row.body === null ? undefined : Buffer.from(row.body, "base64");
  const answer = await send(row, body).catch(async (error) => {
    // A server may close an idle connection at the moment it is reused; the proxy must hide that.
    if (row.isDirect) return { ...(await send(row, body)), isRepeated: true };
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
  const request = sendHttp1({
    agent,
    hostname,
    port,
    method: row.method,
    path: row.target,
    headers: ["Host", host, ...row.headers.flat(), ...framing(row, body)],
    maxHeaderSize: LARGE,
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

async function withHttp2(row, body) {
  if (!session || session.destroyed) {
    session = http2.connect(base, { ca, settings: { maxHeaderListSize: LARGE }, maxSendHeaderBlockLength: LARGE, maxHeaderListPairs: 1000 });
    session.on("error", () => {});
  }
  const { promise, resolve, reject } = withResolvers();
  const length = body === undefined || row.chunked ? [] : [["content-length", String(body.length)]];
  const head = { ":method": row.method, ":path": row.target, ...grouped([...row.headers, ...length]) };
  const stream = session.request(head, { endStream: body === undefined, waitForTrailers: Boolean(row.trailers) });
  const answer = { reason: "", trailers: [] };
  stream.on("error", reject);
  stream.on("response", (_, flags, raw) => {
    const [[, status], ...headers] = pairs(raw);
    Object.assign(answer, { status: Number(status), headers });
  });
  stream.on("trailers", (_, flags, raw) => (answer.trailers = pairs(raw)));
  stream.on("wantTrailers", () => stream.sendTrailers(grouped(row.trailers)));
  if (body !== undefined) stream.end(body);
  const closed = new Promise((resolve) => stream.on("close", resolve));
  const pieces = stream.toArray();
  Promise.all([pieces, closed]).then(([pieces]) => resolve({ ...answer, body: Buffer.concat(pieces).toString("base64") }), reject);
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
