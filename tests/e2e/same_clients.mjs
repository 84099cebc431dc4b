// The clients of `same`: each takes rows of the table and returns a response for each, as the client shows it.
//
// A response is {status, reason, headers: [[name, value]…], body: Buffer}, with `trailers` if the client shows them, or
// {failed}. Values are Latin-1, as on the wire. Over HTTP/2 `reason` is empty. `place` has a `directory` for files, and
// the authority of the upstream's certificate as `ca`, if it has one.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { curl, run } from "./support.mjs";

const PYTHON = process.env.E2E_PYTHON ?? "python3";

export const CLIENTS = {
  curl: (...job) => withCurl(() => "--http1.1", ...job),
  requests: (...job) => withProgram(PYTHON, ["same_python.py"], "requests", ...job),
  httpx: (...job) => withProgram(PYTHON, ["same_python.py"], "httpx", ...job),
  fetch: (...job) => withProgram(process.execPath, NODE, "fetch", ...job),
  http: (...job) => withProgram(process.execPath, NODE, "http", ...job),
  socket: withSocket,
};

/** The same over HTTP/2: by ALPN, and without TLS by prior knowledge. */
export const HTTP2_CLIENTS = {
  curl: (...job) => withCurl((base) => (base.startsWith("https") ? "--http2" : "--http2-prior-knowledge"), ...job),
  httpx: (...job) => withProgram(PYTHON, ["same_python.py"], "httpx2", ...job),
  http: (...job) => withProgram(process.execPath, NODE, "http2", ...job),
};

const NODE = ["--max-http-header-size=1048576", "same_node.mjs"];

async function withProgram(program, [...args], client, base, rows, { ca }) {
  args.push(fileURLToPath(new URL(args.pop(), import.meta.url)));
  const job = { client, base, ca, rows: rows.map((row) => ({ ...row, body: row.body?.toString("base64") ?? null })) };
  const { code, stdout, stderr } = await run(program, args, { input: JSON.stringify(job) });
  assert.equal(code, 0, stderr);
  return stdout.trim().split("\n").map((line) => decoded(JSON.parse(line)));
}

function decoded(answer) {
  return answer.failed ? answer : { ...answer, body: Buffer.from(answer.body, "base64") };
}

async function withCurl(version, base, rows, { directory, ca }) {
  const answers = [];
  const authority = join(directory, "authority");
  if (ca) await writeFile(authority, ca);
  for (const row of rows) {
    const [head, body, sent] = ["head", "body", "sent"].map((name) => join(directory, name));
    await Promise.all([head, body].map((file) => writeFile(file, "")));
    const args = [version(base), "--path-as-is", "--globoff", "--dump-header", head, "--output", body];
    if (ca) args.push("--cacert", authority);
    args.push(...(row.method === "HEAD" ? ["--head"] : ["--request", row.method]));
    for (const [name, value] of row.headers) args.push("--header", value === "" ? `${name};` : `${name}: ${value}`);
    if (row.body !== undefined) {
      await writeFile(sent, row.body);
      args.push("--data-binary", `@${sent}`);
      if (!row.headers.some(([name]) => name === "Content-Type")) args.push("--header", "Content-Type:");
      if (row.chunked) args.push("--header", "Transfer-Encoding: chunked");
    }
    const { code, stderr } = await curl(...args, base + row.target);
    answers.push(code === 0 ? parsed(await readFile(head, "latin1"), row.method === "HEAD" ? Buffer.alloc(0) : await readFile(body)) : { failed: `${code} ${stderr}` });
  }
  return answers;
}

/** Parses what curl records: interim heads, the head, and the trailers after it. */
function parsed(text, body) {
  const blocks = text.split("\r\n\r\n").filter((block) => block !== "");
  const at = blocks.findIndex((block) => !/^HTTP\/\S+ 1\d\d/.test(block));
  const [line, ...fields] = blocks[at].split("\r\n");
  const [, status, reason] = /^HTTP\/\S+ (\d{3}) ?(.*)$/.exec(line);
  return {
    status: Number(status),
    reason,
    headers: fields.map(field),
    trailers: blocks.slice(at + 1).flatMap((block) => block.split("\r\n").filter(Boolean).map(field)),
    body,
  };
}

function field(line) {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

/** Sends rows that are given as bytes, and strictly parses all responses until the connection ends. */
async function withSocket(base, rows, { ca }) {
  const answers = [];
  for (const row of rows) {
    const { hostname, port, host, protocol } = new URL(base);
    const to = { port: Number(port), host: hostname };
    const socket = protocol === "https:" ? tls.connect({ ...to, ca, ALPNProtocols: ["http/1.1"] }) : net.connect(to);
    const pieces = [];
    socket.on("data", (bytes) => pieces.push(bytes));
    socket.on("error", () => {});
    const timer = setTimeout(() => socket.destroy(), 20_000);
    socket.write(Buffer.from(row.bytes(host, row), "latin1"));
    await once(socket, "close");
    clearTimeout(timer);
    answers.push(sequence(Buffer.concat(pieces).toString("latin1"), row.method === "HEAD"));
  }
  return answers;
}

/** Merges several responses on one connection into one: the status of the last, with all of them in `all`. */
function sequence(text, isHead) {
  const all = [];
  while (text !== "") {
    const end = text.indexOf("\r\n\r\n");
    const [line, ...fields] = text.slice(0, end).split("\r\n");
    const [, status, reason] = /^HTTP\/1\.\d (\d{3}) ?(.*)$/.exec(line) ?? [];
    if (status === undefined) return { failed: `no answer: ${JSON.stringify(text.slice(0, 200))}` };
    text = text.slice(end + 4);
    if (status.startsWith("1")) continue; // the proxy does not forward interim responses, as docs/forwarding.md says
    const headers = fields.map(field);
    const { content, rest } = isHead ? { content: "", rest: text } : bodyOf(headers, Number(status), text);
    all.push({ status: Number(status), reason, headers, body: Buffer.from(content, "latin1") });
    text = rest;
  }
  const [first] = all;
  if (first === undefined) return { failed: "the connection was closed without an answer" };
  return { ...first, more: all.slice(1) };
}

function bodyOf(headers, status, text) {
  const value = (wanted) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
  if (status === 204 || status === 304) return { content: "", rest: text };
  if (value("transfer-encoding") === "chunked") return dechunked(text);
  const length = Number(value("content-length") ?? text.length);
  return { content: text.slice(0, length), rest: text.slice(length) };
}

function dechunked(text) {
  let content = "";
  for (;;) {
    const end = text.indexOf("\r\n");
    const size = parseInt(text.slice(0, end), 16);
    text = text.slice(end + 2);
    if (!(size >= 0)) return { content: `${content}<cut>`, rest: "" };
    if (size === 0) return { content, rest: text.slice(text.indexOf("\r\n") + 2) };
    content += text.slice(0, size);
    text = text.slice(size + 2);
  }
}
