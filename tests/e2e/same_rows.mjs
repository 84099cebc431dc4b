// The table of `same`: the requests that every client sends, directly and through the proxy.
//
// A row has a name, `on` (which upstream), method, target, headers, body, `chunked`, `clients` (if not all can send
// it), `answer` (how the mirror responds), `expect` (response fields through the proxy that only the row can know),
// `expectSeen` (the same for the request at the upstream), `wants` (what a rule must know), and `isHttp1` if it exists
// in HTTP/1 only, or is too much for node's HTTP/2.
// `@HOST@` in a header or an expectation is the address to which the request is sent.

import { brotliCompressSync, gzipSync } from "node:zlib";
import { OF_A_CONNECTION } from "./http2_fields.mjs";
import { DATE, DIRECT_BEARER, addressOf, begins, endsWith, raw, says, saysProcessing } from "./same_upstream.mjs";

const HTTP_CLIENTS = ["curl", "requests", "httpx", "fetch", "http"];
/** Clients that send the target and the field lines unchanged. */
const EXACT = ["curl", "http"];
const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const TEXT = [["Content-Type", "text/plain"]];

/** Methods, targets, request fields and bodies: the upstream must receive the same request. */
const requests = [
  ...["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map((method) => ({ name: `method ${method}`, method })),
  ...["PROPFIND", "REPORT", "PURGE"].map((method) => ({ name: `method ${method}`, method })),
  ...[
    "/?", "/??a=b", "//double//slash", "/a/../b/./c", "/a%2fb%2Fc%5c", "/?a+b=%2B&c=d;e=f", "/a;v=1/b,c", "/%00%0d%0a", "/?a=%zz%",
    "/?x={y}|[z]", "/~!$&'()*+,;=:@", "/\"quoted\"", "/?a&a&a=&=a", "/?redirect=http://evil.example/?x=1", "/*", `/${"long/".repeat(1000)}`,
  ].map((target, number) => ({ name: `target ${number}`, target, clients: EXACT })),
  ...["/grün?q=☃", "/a b?c d", "/%C3%BC%e2%98%83"].map((target, number) => ({
    name: `UTF-8 target ${number}`, target, clients: number === 2 ? HTTP_CLIENTS : ["requests", "httpx", "fetch"],
  })),
  { name: "UTF-8 target in bytes", target: "/gr\u00fcn?q=\u2603", clients: ["curl"], isHttp1: true }, // a 400 of node's HTTP/1.1 only
  { name: "60 KiB of request headers", headers: Array.from({ length: 60 }, (_, line) => [`X-Large-${line}`, "v".repeat(1010)]) },
  { name: "one request header of 48 KiB", headers: [["X-Large", "v".repeat(48 << 10)]] },
  { name: "an empty header and one with spaces inside", headers: [["X-Empty", ""], ["X-Spaces", "a  b\tc"]] },
  { name: "a header in Latin-1", headers: [["X-Latin", "gr\u00fc\u00df"]], clients: ["httpx", "http"] },
  { name: "one header in three lines", headers: [["X-Line", "3"], ["X-Line", "1"], ["X-Line", "2, 1"]], clients: ["curl", "httpx", "http"] },
  { name: "cookies of a program", headers: [["Cookie", "a=1; b=\"2\"; a=3"]], clients: ["curl", "requests", "httpx", "http"] },
  { name: "cookies in two fields", headers: [["Cookie", "a=1"], ["Cookie", "b=2"]], clients: ["httpx", "http"] },
  { name: "cookies of a browser", headers: [["Cookie", "a=1"], ["Sec-Fetch-Site", "same-origin"]], clients: EXACT, wants: { browser: true } },
  { name: "an origin and a referrer", headers: [["Origin", "http://@HOST@"], ["Referer", "http://@HOST@/page?x"]], clients: ["curl", "requests", "httpx", "http"], expectSeen: { origin: ["http://@UPSTREAM@"], referer: ["http://@UPSTREAM@/page?x"] } },
  { name: "a request id", headers: [["X-Request-Id", "this-one"]], expect: { "x-request-id": ["this-one"] } },
  { name: "Via of a proxy before us", headers: [["Via", "1.1 corporate, 1.0 other"]] },
  { name: "claims about who asks", headers: [["DPoP", "x"], ["Forwarded", "for=a"], ["X-Forwarded-For", "1.2.3.4"], ["X-Forwarded-Proto", "https"], ["X-Real-IP", "1.2.3.4"], ["X-Cupbearer-Key", "cbk_x"]] },
  { name: "fields of one connection", headers: [["Connection", "keep-alive, X-Gone"], ["X-Gone", "1"], ["Keep-Alive", "timeout=5"], ["Proxy-Connection", "keep-alive"], ["Proxy-Authorization", "Basic eDp5"]], clients: EXACT, isHttp1: true },
  { name: "a client that takes trailers", headers: [["TE", "trailers"], ["Connection", "TE"]], clients: EXACT, wants: { trailers: true } },
  { name: "a client that takes codings", headers: [["TE", "gzip;q=0.5"], ["Connection", "TE"]], clients: EXACT, isHttp1: true },
  { name: "an upgrade that nobody knows", headers: [["Connection", "Upgrade"], ["Upgrade", "h2c, other"]], clients: EXACT, isHttp1: true },
  { name: "an expectation without a body", headers: [["Expect", "100-continue"]], clients: ["http"] },
  { name: "a conditional request", headers: [["If-None-Match", "\"a\", W/\"b\""], ["If-Modified-Since", DATE], ["Range", "bytes=0-5"], ["If-Range", "\"a\""], ["Accept-Encoding", "br;q=0.5, gzip"]] },
  ...Object.entries({
    "of every byte": EVERY_BYTE, "of one byte": Buffer.from("x"), "of 1 MiB": Buffer.alloc(1 << 20, EVERY_BYTE), "that is empty": Buffer.alloc(0),
    "that looks like a request": Buffer.from("GET /inner HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  }).flatMap(([what, body]) => [
    { name: `a body ${what}`, method: "POST", body },
    { name: `a chunked body ${what}`, method: "PUT", body, chunked: true },
  ]),
  { name: "GET with a body", body: Buffer.from("{}"), clients: ["curl", "requests", "httpx", "http"] },
  { name: "DELETE with a chunked body", method: "DELETE", body: Buffer.from("{}"), chunked: true },
  { name: "a body that was compressed", method: "POST", body: gzipSync("text"), headers: [["Content-Encoding", "gzip"], ["Content-Type", "text/plain"]] },
  { name: "a form", method: "POST", body: Buffer.from("a=1&b=%20+"), headers: [["Content-Type", "application/x-www-form-urlencoded"]] },
  {
    name: "a form in parts", method: "POST", headers: [["Content-Type", "multipart/form-data; boundary=\"a b\""]],
    body: Buffer.concat([Buffer.from("--a b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\u00fc.bin\"\r\n\r\n"), EVERY_BYTE, Buffer.from("\r\n--a b--\r\n")]),
  },
  { name: "an upload that waits for 100", method: "PUT", body: Buffer.alloc(100_000, "x"), headers: [["Expect", "100-continue"]], clients: ["curl"] },
  {
    name: "an upload that is refused", method: "PUT", body: Buffer.alloc(100_000, "x"), headers: [["Expect", "100-continue"]], clients: ["curl"], refuses: true, isHttp1: true, // over HTTP/2 curl sends it again and again
    answer: (_, response) => says(response, 417, [["Connection", "close"]], "not that"),
  },
  { name: "trailers of a request", method: "POST", body: Buffer.from("abc"), chunked: true, headers: [["Trailer", "X-Sum, X-Two"]], trailers: [["X-Sum", "1"], ["X-Two", "a"], ["X-Two", "b"]], clients: ["http"] },
];

/** A newer token might have the scope, but the proxy can ask for the same one only. */
const NOT_SENT_AGAIN = 'cupbearer; received-status=401; details="not sent again: the token lacks a scope"';

/** Statuses, fields and bodies of responses: the client must receive the same response. */
const answers = [
  ...[200, 201, 202, 203, 204, 205, 206, 207, 226, 299, 300, 301, 302, 303, 304, 305, 307, 308, 400, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 418, 421, 422, 423, 425, 426, 428, 429, 431, 444, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 599].map((status) => ({
    name: `status ${status}`,
    answer: (_, response) => says(response, status, [], status === 205 ? "" : `it is ${status}`),
  })),
  ...[401, 407].map((status) => ({
    name: `status ${status}`, clients: ["curl", "requests", "httpx", "http"], // fetch does not expose a 407
    answer: (_, response) => says(response, status, [["WWW-Authenticate", "Bearer error=\"insufficient_scope\", scope=\"a b\""]], "no"),
    ...(status === 401 && { expect: { "proxy-status": [NOT_SENT_AGAIN] } }),
  })),
  { name: "a reason of its own", answer: (_, response) => says(response, 200, TEXT, "x", "Just Fine, (thanks)") },
  { name: "no reason at all", clients: ["curl", "http", "httpx"], answer: raw(`HTTP/1.1 200 \r\nDate: ${DATE}\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`) },
  { name: "fields in several lines", answer: (_, response) => says(response, 200, [["Link", "</a>; rel=next"], ["X-Between", "1"], ["Link", "</b>; rel=prev, </c>; rel=up"], ["WWW-Authenticate", "Basic realm=\"a, b\""], ["WWW-Authenticate", "Bearer"], ["Vary", "Accept"], ["Vary", "Origin"], ["Warning", "199 - \"x\""]]) },
  { name: "cookies", answer: (_, response) => says(response, 200, [["Set-Cookie", "b=2; Path=/; HttpOnly; Expires=Wed, 09 Jun 2100 10:18:14 GMT"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=3;SameSite=Strict"]]) },
  {
    name: "cookies that name the upstream",
    answer: (_, response) => says(response, 200, [["Set-Cookie", "a=1; Domain=api.example; Secure; SameSite=None"], ["Set-Cookie", "__Host-b=2; Secure; Path=/"], ["Set-Cookie", "c=3"]]),
    expect: { "set-cookie": ["a=1; SameSite=Lax", "__Host-b=2; Secure; Path=/", "c=3"] },
  },
  ...["/elsewhere?a=%20b", "https://other.example/a", "../up", "?q", "http://127.0.0.1:1/"].map((location, number) => ({
    name: `a redirect ${number}`, answer: (_, response) => says(response, 302, [["Location", location]]),
  })),
  {
    name: "a redirect to the upstream", answer: (request, response) => says(response, 307, [["Location", `${addressOf(request)}/a?b#c`]]),
    expect: { location: ["http://@HOST@/a?b#c"] },
  },
  { name: "odd values", answer: (_, response) => says(response, 200, [["X-Empty", ""], ["X-Latin", "gr\u00fc\u00df \u00ff"], ["X-Quoted", "\"a\\\"b\", c"], ["X-Tab", "a\tb"], ["Server", "odd/1 (x)"], ["ETag", "W/\"x y\""]]) },
  { name: "caching", answer: (_, response) => says(response, 200, [["Cache-Control", "private, max-age=1"], ["Age", "3"], ["Expires", "0"], ["Last-Modified", DATE], ["Pragma", "no-cache"], ["Via", "1.1 upstreams-own"], ["Content-Location", "/x"], ["Refresh", "5"], ["Retry-After", "120"]]) },
  { name: "a request id of the upstream", answer: (_, response) => says(response, 200, [["X-Request-Id", "theirs"]]) },
  { name: "what would bind a browser", answer: (_, response) => says(response, 200, [["Alt-Svc", "h3=\":443\""], ["Strict-Transport-Security", "max-age=1"], ["Clear-Site-Data", "\"*\""], ["Access-Control-Allow-Origin", "*"], ["Access-Control-Expose-Headers", "X"], ["Proxy-Status", "theirs"], ["Proxy-Authenticate", "Basic"], ["Content-Security-Policy", "default-src 'none'"]]) },
  { name: "fields of one connection in an answer", clients: EXACT, answer: raw(`HTTP/1.1 200 OK\r\nDate: ${DATE}\r\nConnection: close, X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\nUpgrade: other\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nhi`) },
  { name: "256 KiB of answer headers", clients: ["curl", "requests", "fetch", "http"], isHttp1: true, answer: (_, response) => says(response, 200, Array.from({ length: 64 }, (_, line) => [`X-Large-${line}`, "v".repeat(4080)])) },
  { name: "sixty lines of one field", answer: (_, response) => says(response, 200, Array.from({ length: 60 }, (_, line) => ["X-Line", String(line)])) },
  ...Object.entries({ gzip: gzipSync, br: brotliCompressSync }).map(([coding, compress]) => ({
    name: `compressed as ${coding}`, headers: [["Accept-Encoding", coding]], answer: (_, response) => says(response, 200, [["Content-Encoding", coding], ["Vary", "Accept-Encoding"]], compress("text ".repeat(1000))),
  })),
  { name: "every byte", answer: (_, response) => says(response, 200, [["Content-Type", "application/octet-stream"]], EVERY_BYTE) },
  { name: "2 MiB", answer: (_, response) => says(response, 200, [], Buffer.alloc(2 << 20, EVERY_BYTE)) },
  { name: "an empty answer", answer: (_, response) => says(response, 200, []) },
  { name: "chunks", answer: (_, response) => inChunks(response, ["a", "bc".repeat(5000), "d"]) },
  { name: "no chunk but the last", answer: (_, response) => inChunks(response, []) },
  { name: "drip", answer: (_, response) => inChunks(response, ["a", "b", "c", "d"], 50) },
  { name: "events", headers: [["Accept", "text/event-stream"]], answer: (_, response) => inChunks(response, ["data: 1\n\n", ":\n\n", "data: 2\n\n"], 50, [["Content-Type", "text/event-stream"]]) },
  { name: "a length in chunks of time", answer: (_, response) => inChunks(response, ["12", "34"], 50, [["Content-Length", "4"]]) },
  { name: "chunks with extensions", answer: raw(`HTTP/1.1 200 OK\r\nDate: ${DATE}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n`) },
  { name: "no length, to the connection's end", answer: raw(`HTTP/1.1 200 OK\r\nDate: ${DATE}\r\n\r\nto the end`) },
  { name: "an answer in HTTP 1.0", answer: raw(`HTTP/1.0 200 OK\r\nDate: ${DATE}\r\nX-Old: 1\r\n\r\nold`) },
  { name: "no date", answer: raw("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi") },
  { name: "103 before the answer", clients: ["curl", "http", "fetch", "httpx"], answer: (_, response) => (response.writeEarlyHints({ link: "</a>; rel=preload" }), says(response, 200, TEXT, "hinted")) },
  { name: "102 twice before the answer", clients: ["curl", "http", "httpx"], answer: (_, response) => (saysProcessing(response), saysProcessing(response), says(response, 200, TEXT, "processed")) },
  {
    name: "trailers of an answer", headers: [["TE", "trailers"], ["Connection", "TE"]], clients: EXACT, wants: { trailers: true },
    answer: (_, response) => {
      begins(response, 200, [["Trailer", "X-Sum, X-Two"], ["Transfer-Encoding", "chunked"]]);
      response.write("abc");
      endsWith(response, [["X-Sum", "1"], ["X-Two", "a"], ["X-Two", "b"]]);
    },
  },
  { name: "HEAD with a length", method: "HEAD", answer: (_, response) => says(response, 200, [["Content-Length", "1234567"], ["ETag", "\"x\""]]) },
  { name: "HEAD of chunks", method: "HEAD", answer: (_, response) => inChunks(response, []) },
  { name: "HEAD without a length", method: "HEAD", answer: raw(`HTTP/1.1 200 OK\r\nDate: ${DATE}\r\nConnection: close\r\nX-A: 1\r\n\r\n`) },
  { name: "HEAD and 404", method: "HEAD", answer: (_, response) => says(response, 404, [["Content-Length", "9"]]) },
  { name: "304 with a length", headers: [["If-None-Match", "\"x\""]], answer: (_, response) => says(response, 304, [["ETag", "\"x\""], ["Content-Length", "1234"]]) },
  { name: "204 with fields", answer: (_, response) => says(response, 204, [["X-A", "1"], ["ETag", "\"x\""]]) },
  { name: "206", headers: [["Range", "bytes=2-4"]], answer: (_, response) => says(response, 206, [["Content-Range", "bytes 2-4/10"], ["Accept-Ranges", "bytes"]], "cde") },
  { name: "206 in parts", headers: [["Range", "bytes=0-0,-1"]], answer: (_, response) => says(response, 206, [["Content-Type", "multipart/byteranges; boundary=x"]], "--x\r\nContent-Range: bytes 0-0/10\r\n\r\na\r\n--x\r\nContent-Range: bytes 9-9/10\r\n\r\nj\r\n--x--\r\n") },
  {
    name: "a document that names the upstream", target: "/openapi.json", headers: [["Accept-Encoding", "gzip"], ["Range", "bytes=0-1"], ["If-None-Match", "\"x\""]], wants: { document: true }, clients: EXACT,
    answer: (_, response) => says(response, 200, [["Content-Type", "application/json"]], "{\"openapi\": \"3.1.0\", \"servers\": [{\"url\": \"/v1\"}]}"),
  },
];

function inChunks(response, pieces, pauseMs = 0, headers = [["Transfer-Encoding", "chunked"]]) {
  begins(response, 200, headers);
  const next = () => {
    if (pieces.length <= 1) return response.end(pieces[0]); // sent with the last piece, so that the connection is idle at once
    response.write(pieces.shift());
    return setTimeout(next, pauseMs);
  };
  pieces = [...pieces];
  return next();
}

/** A head as it is sent on a socket, with `Host` and the fields of the row. */
function head(host, row, line, ...fields) {
  return [line, `Host: ${host}`, `X-Row: ${row.name}`, ...row.headers.map((pair) => pair.join(": ")), ...fields, "", ""].join("\r\n");
}

/** Requests that only a raw socket can send. The last one of each row asks to close the connection. */
const sockets = [
  { name: "HTTP 1.0", bytes: (host, row) => head(host, row, "GET / HTTP/1.0") },
  { name: "HTTP 1.0 kept alive", bytes: (host, row) => `${head(host, row, "GET /1 HTTP/1.0", "Connection: keep-alive")}${head(host, row, "GET /2 HTTP/1.0", "Connection: close")}`, answer: (request, response) => says(response, 200, TEXT, `this is ${request.url}`) },
  { name: "HTTP 1.0 and an expectation", method: "POST", bytes: (host, row) => `${head(host, row, "POST / HTTP/1.0", "Expect: 100-continue", "Content-Length: 3")}abc` },
  { name: "HTTP 1.0 and an absolute target", bytes: (host, row) => head(host, row, `GET http://${host}/a?b HTTP/1.0`), expectTarget: "/a?b" },
  { name: "HTTP 1.0 and an answer of unknown length", bytes: (host, row) => head(host, row, "GET / HTTP/1.0"), answer: (_, response) => inChunks(response, ["a", "b", "c"], 10, []) },
  { name: "HTTP 1.0 and the connection's end", bytes: (host, row) => head(host, row, "GET / HTTP/1.0"), answer: raw(`HTTP/1.1 200 OK\r\nDate: ${DATE}\r\nX: 1\r\n\r\nto the end`) },
  { name: "HTTP 1.0 with a body", method: "POST", bytes: (host, row) => `${head(host, row, "POST / HTTP/1.0", "Content-Length: 3")}abc` },
  { name: "HTTP 1.0 HEAD", method: "HEAD", bytes: (host, row) => head(host, row, "HEAD / HTTP/1.0"), answer: (_, response) => says(response, 200, [["Content-Length", "0"]]) },
  { name: "POST without any framing", bytes: (host, row) => head(host, row, "POST / HTTP/1.1", "Connection: close") },
  { name: "an absolute target", bytes: (host, row) => head(host, row, `GET http://${host}/a?b HTTP/1.1`, "Connection: close"), expectTarget: "/a?b" },
  { name: "field names in every case", bytes: (host, row) => head(host, row, "GET / HTTP/1.1", "CONNECTION: CLOSE", "x-LoWeR:   padded  ", "ACCEPT:*/*") },
  { name: "empty lines before a request", bytes: (host, row) => `\r\n\r\n${head(host, row, "GET / HTTP/1.1", "Connection: close")}` },
  { name: "chunks with extensions and trailers", bytes: (host, row) => `${head(host, row, "POST / HTTP/1.1", "Connection: close", "Trailer: X-Sum", "Transfer-Encoding: chunked")}3;a=b\r\nabc\r\n0;last\r\nX-Sum: 1\r\n\r\n` },
  {
    name: "three in a row", bytes: (host, row) =>
      `${head(host, row, "GET /1 HTTP/1.1")}${head(host, row, "POST /2 HTTP/1.1", "Content-Length: 3")}abc${head(host, row, "POST /3 HTTP/1.1", "Transfer-Encoding: chunked", "Connection: close")}1\r\nx\r\n0\r\n\r\n`,
    answer: (request, response) => says(response, 200, TEXT, `this is ${request.url}`),
  },
];

/** httpbin on gunicorn. It echoes requests, so its responses may differ where the requests may. */
const httpbin = [
  "/get?a=1&b=%20+&a=2", "/headers", "/user-agent", "/ip", "/html", "/xml", "/json", "/encoding/utf8", "/deny", "/robots.txt", "/image/png", "/image/svg",
  "/status/418", "/status/404", "/response-headers?Link=%3C%2Fa%3E&Link=%3C%2Fb%3E&X-A=%22q%22", "/range/1024?chunk_size=100", "/stream-bytes/5000?seed=1", "/bytes/2048?seed=7",
  "/drip?numbytes=5&duration=0.3&delay=0", "/delay/0.1", "/links/3/1", "/base64/Y3VwYmVhcmVy", "/cookies", "/redirect-to?url=http://other.example/%3Fa", "/relative-redirect/2", "/cache/60", "/nowhere",
].map((target) => ({ name: `httpbin ${target}`, target }));
httpbin.push(
  { name: "httpbin /stream/5", target: "/stream/5", clients: ["curl"] },
  // The echoed request contains the client's Connection, which only curl omits.
  ...["/deflate", "/brotli"].map((target) => ({ name: `httpbin ${target}`, target, clients: ["curl"] })),
  ...["GET", "POST", "PUT", "PATCH", "DELETE"].map((method) => ({ name: `httpbin ${method} anything`, method, target: "/anything/a%2Fb?x=%zz", body: method === "GET" ? undefined : Buffer.from("{\"a\": \"\u00fc\"}"), headers: [["Content-Type", "application/json"]] })),
  { name: "httpbin a form in parts", method: "POST", target: "/post", headers: [["Content-Type", "multipart/form-data; boundary=b"]], body: Buffer.from("--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\r\nfile\r\n--b--\r\n") },
  { name: "httpbin a chunked form", method: "POST", target: "/post", headers: [["Content-Type", "application/x-www-form-urlencoded"]], body: Buffer.from("a=1&b=2"), chunked: true },
  { name: "httpbin bytes as data", method: "PUT", target: "/put", headers: [["Content-Type", "application/octet-stream"]], body: EVERY_BYTE },
  { name: "httpbin HEAD", target: "/html", method: "HEAD" },
  { name: "httpbin a range", target: "/range/1024", headers: [["Range", "bytes=10-19"]] },
  { name: "httpbin a bad range", target: "/range/1024", headers: [["Range", "bytes=2000-"]] },
  { name: "httpbin a known etag", target: "/etag/x", headers: [["If-None-Match", "x"]] },
  { name: "httpbin a wrong etag", target: "/etag/x", headers: [["If-Match", "y"]] },
  { name: "httpbin a cached page", target: "/cache", headers: [["If-Modified-Since", DATE]] },
  { name: "httpbin options", target: "/get", method: "OPTIONS" },
  { name: "httpbin the wrong method", target: "/get", method: "POST" },
  { name: "httpbin an absolute redirect", target: "/absolute-redirect/1", expect: { location: ["http://@HOST@/get"] } },
  { name: "httpbin a cookie", target: "/cookies/set?a=1&b=2" },
);

/** nginx that serves files. */
const nginx = [
  { name: "nginx a file", target: "/plain.txt" },
  { name: "nginx HEAD", target: "/plain.txt", method: "HEAD" },
  { name: "nginx a range", target: "/plain.txt", headers: [["Range", "bytes=3-7"]] },
  { name: "nginx the last bytes", target: "/plain.txt", headers: [["Range", "bytes=-4"]] },
  { name: "nginx no such range", target: "/plain.txt", headers: [["Range", "bytes=9999-"]] },
  { name: "nginx not modified", target: "/plain.txt", headers: [["If-None-Match", "*"]] },
  { name: "nginx precondition failed", target: "/plain.txt", headers: [["If-Match", "\"no\""]] },
  { name: "nginx compressed", target: "/compressed/text.txt", headers: [["Accept-Encoding", "gzip"]] },
  { name: "nginx not compressed", target: "/compressed/text.txt", headers: [["Accept-Encoding", "identity"]] },
  { name: "nginx method not allowed", target: "/plain.txt", method: "POST", body: Buffer.from("x") },
  { name: "nginx 5 MB", target: "/large.bin" },
  { name: "nginx a redirect", target: "/redirect", expect: { location: ["http://@HOST@/compressed/target.txt"] } },
];

function complete(on, clients) {
  return (row) => ({ on, method: "GET", target: "/", clients, ...row, headers: row.headers ?? [] });
}

export const ROWS = [
  ...[...requests, ...answers].map(complete("mirror", HTTP_CLIENTS)),
  ...sockets.map((row) => ({ ...row, name: `socket: ${row.name}` })).map(complete("mirror", ["socket"])),
  ...httpbin.map(complete("httpbin", HTTP_CLIENTS)),
  ...nginx.map(complete("nginx", HTTP_CLIENTS)),
];

/** All other statuses, with one client. */
const named = new Set(ROWS.map(({ name }) => name));
for (let status = 200; status < 600; status++) {
  if (named.has(`status ${status}`)) continue;
  ROWS.push(complete("mirror", ["http"])({ name: `status ${status}`, answer: (_, response) => says(response, status, [], "x", `Reason of ${status}`) }));
}

/** Whether both the request and its response exist in HTTP/2. */
export function existsInHttp2(row) {
  return !row.isHttp1 && !row.answer?.isHttp1;
}

/** A row as it is sent to `host`. */
export function sentTo(host, row, { isDirect, version }) {
  const written = row.headers.map(([name, value]) => [name, value.replaceAll("@HOST@", host)]);
  const headers = written.filter(([name]) => version !== "2" || !OF_A_CONNECTION.test(name));
  if (row.on === "mirror") headers.push(["X-Row", row.name]);
  if (isDirect) headers.push(["Authorization", DIRECT_BEARER]);
  return { ...row, headers, isDirect };
}
