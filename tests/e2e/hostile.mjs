// Everything that a hostile web page can try against a server on this machine, and a server that allows all of it.
// Each attack must reach that server; otherwise the test that it does not reach the proxy could not fail.

import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { once } from "node:events";
import { WebSocketServer } from "ws";

/** The content of the naive server, which everyone who reaches it can read. */
export const LOOT = "what only its owner may read";

/**
 * An API that trusts every page: `Access-Control-Allow-Origin: *`, any method, any field, any WebSocket.
 * `seen` has one entry per request, `METHOD /path`, except for
 * icons, which a browser may request at any time. `/die` gets no response; paths that end in `.html` are pages.
 *
 * @param {import("node:test").TestContext} t
 */
export async function startNaiveServer(t) {
  const seen = [];
  const server = createServer((request, response) => {
    if (request.url !== "/favicon.ico") seen.push(`${request.method} ${request.url}`);
    if (request.url === "/die") return request.socket.destroy();
    response.writeHead(request.method === "OPTIONS" ? 204 : 200, {
      "content-type": contentType(request),
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "*",
      "access-control-allow-headers": "*, authorization",
      "access-control-expose-headers": "*",
      "access-control-allow-private-network": "true",
      etag: '"loot"',
    });
    return response.end(isPage(request) ? `<!doctype html><title>${LOOT}</title>` : `data: ${LOOT}\n\n`);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    seen.push(`${request.method} ${request.url}`);
    socket.on("message", (data) => socket.send(`echo ${data}`));
  });
  const url = await listen(t, server);
  t.after(() => sockets.close());
  return { url, seen };
}

function isPage({ url }) {
  return url.split("?")[0].endsWith(".html");
}

function contentType(request) {
  if (isPage(request)) return "text/html";
  return request.headers.accept === "text/event-stream" ? "text/event-stream" : "text/plain";
}

/**
 * A web server with the attacker's pages: `/` is empty, `/worker.js` is a service worker that fetches the URLs it
 * receives as messages, and `/to?URL` redirects to the URL.
 */
export async function startPages(t) {
  const server = createServer((request, response) => {
    if (request.url.startsWith("/to?")) {
      const location = decodeURIComponent(request.url.slice(4));
      return response.writeHead(302, { location }).end();
    }
    const isWorker = request.url === "/worker.js";
    response.writeHead(200, { "content-type": isWorker ? "text/javascript" : "text/html", connection: "close" });
    return response.end(isWorker ? SERVICE_WORKER : "<!doctype html><title>a page</title><body></body>");
  });
  const url = await listen(t, server);
  return { port: Number(new URL(url).port) };
}

const SERVICE_WORKER = `
  self.addEventListener("install", () => self.skipWaiting());
  self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
  self.addEventListener("message", ({ data }) => fetch(data, { mode: "no-cors" }).catch(() => {}));
`;

/**
 * A name whose address changes: connections to `port` go to the first target, and to the second after `rebind`
 * has been called. To a browser this looks like DNS rebinding.
 *
 * @param {import("node:test").TestContext} t
 * @param {{from: number, to: number}} ports
 */
export async function startRebinding(t, { from, to }) {
  let target = from;
  const open = new Set();
  const server = createTcpServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    for (const [socket, other] of [[client, upstream], [upstream, client]]) {
      open.add(socket);
      socket.on("error", () => other.destroy()).on("close", () => open.delete(socket)).pipe(other);
    }
  });
  const url = await listen(t, server);
  t.after(() => open.forEach((socket) => socket.destroy()));
  return { port: Number(new URL(url).port), rebind: () => (target = to) };
}

async function listen(t, server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections?.();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/**
 * Attacks from a page with another host name on this machine. `run` runs in the page, gets the address of the server
 * under attack, and returns what the page could read, if anything.
 *
 * `method` is the method of the request that reaches a server that allows the attack.
 *
 * @type {Record<string, {method: string, run: (url: string) => unknown}>}
 */
export const FROM_ANOTHER_PAGE = {
  "fetch": {
    method: "GET",
    run: (url) => fetch(url).then((answer) => answer.text()),
  },
  "fetch with credentials": {
    method: "GET",
    run: (url) => fetch(url, { credentials: "include" }).then((answer) => answer.text()),
  },
  "fetch no-cors": {
    method: "GET",
    run: (url) => fetch(url, { mode: "no-cors" }).then((answer) => answer.text()),
  },
  "fetch no-cors POST of JSON as text/plain": {
    method: "POST",
    run: (url) => fetch(url, { method: "POST", mode: "no-cors", body: '{"a":1}' }).then((answer) => answer.text()),
  },
  "fetch that is redirected here": {
    method: "GET",
    run: (url) => fetch(`/to?${encodeURIComponent(url)}`, { mode: "no-cors" }).then((answer) => answer.text()),
  },
  "preflighted DELETE": {
    method: "DELETE",
    run: (url) => fetch(url, { method: "DELETE" }).then((answer) => answer.text()),
  },
  "preflighted POST of JSON": {
    method: "POST",
    run: (url) =>
      fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }).then((answer) =>
        answer.text(),
      ),
  },
  "image": {
    method: "GET",
    run: (url) => void (new Image().src = url),
  },
  "script": {
    method: "GET",
    run: (url) => void document.body.append(Object.assign(document.createElement("script"), { src: url })),
  },
  "style sheet": {
    method: "GET",
    run: (url) =>
      void document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: url })),
  },
  "object": {
    method: "GET",
    run: (url) => void document.body.append(Object.assign(document.createElement("object"), { data: url })),
  },
  "video": {
    method: "GET",
    run: (url) => void document.body.append(Object.assign(document.createElement("video"), { src: url })),
  },
  "iframe": {
    method: "GET",
    run: (url) => void document.body.append(Object.assign(document.createElement("iframe"), { src: url })),
  },
  "sandboxed iframe, whose origin is null": {
    method: "POST",
    run: (url) => {
      const frame = document.createElement("iframe");
      frame.setAttribute("sandbox", "allow-scripts");
      frame.srcdoc = `<script>fetch(${JSON.stringify(url)}, { method: "POST", mode: "no-cors", body: "x" })</script>`;
      document.body.append(frame);
    },
  },
  "event source": {
    method: "GET",
    run: (url) =>
      new Promise((resolve, reject) => {
        const source = new EventSource(url);
        source.onmessage = ({ data }) => resolve(data) ?? source.close();
        source.onerror = () => reject(new Error("refused")) ?? source.close();
      }),
  },
  "WebSocket": {
    method: "GET",
    run: (url) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url.replace("http:", "ws:"));
        socket.onopen = () => socket.send("hello");
        socket.onmessage = ({ data }) => resolve(data);
        socket.onerror = () => reject(new Error("refused"));
      }),
  },
  "beacon": {
    method: "POST",
    run: (url) => void navigator.sendBeacon(url, "x"),
  },
  "ping of a link": {
    method: "POST",
    run: (url) => {
      const link = Object.assign(document.createElement("a"), { href: "#here", ping: url, textContent: "here" });
      document.body.append(link);
      link.click();
    },
  },
  "worker": {
    method: "GET",
    run: (url) => {
      const code = `fetch(${JSON.stringify(url)}, { mode: "no-cors" }).catch(() => {})`;
      return void new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    },
  },
  "service worker": {
    method: "GET",
    run: async (url) => {
      await navigator.serviceWorker.register("/worker.js");
      (await navigator.serviceWorker.ready).active.postMessage(url);
    },
  },
  "form POST of text/plain, in this tab": {
    method: "POST",
    run: (url) => {
      const form = document.createElement("form");
      Object.assign(form, { method: "POST", enctype: "text/plain", action: url });
      document.body.append(form);
      setTimeout(() => form.submit()); // after this function has returned, since submitting leaves the page
    },
  },
  "form GET, in another tab": {
    method: "GET",
    run: (url) => {
      const form = document.createElement("form");
      Object.assign(form, { method: "GET", action: url, target: "_blank" });
      document.body.append(form);
      form.submit();
    },
  },
  "another tab": {
    method: "GET",
    run: (url) => void window.open(url),
  },
};

/** Attacks from a page whose name has been rebound to the server's address, so that the browser treats it as same-origin. */
export const FROM_A_REBOUND_PAGE = {
  "fetch": FROM_ANOTHER_PAGE.fetch,
  "POST": {
    method: "POST",
    run: (url) => fetch(url, { method: "POST", body: "x" }).then((answer) => answer.text()),
  },
  "DELETE": FROM_ANOTHER_PAGE["preflighted DELETE"],
  "WebSocket": FROM_ANOTHER_PAGE.WebSocket,
  "event source": FROM_ANOTHER_PAGE["event source"],
  "iframe": FROM_ANOTHER_PAGE.iframe,
};
