// A request as a command, and many as an HTTP archive. Neither contains a credential, since none is recorded.

import { element, toast } from "./element.js";

export const SHELLS = { sh: "sh", powershell: "PowerShell", cmd: "cmd" };

let shell = /Win/.test(navigator.platform) ? "powershell" : "sh";

/** The shell for which commands are written; sets it if one is given. */
export function preferredShell(chosen) {
  shell = chosen ?? shell;
  return shell;
}

/** The request as a curl command that goes through the proxy. */
export function curl(request, proxy, forShell) {
  const quote = QUOTE[forShell];
  const address = proxy.listens_on[0];
  const socket = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const url = (socket ? "http://localhost" : reachable(address)) + encoded(request.path);
  const words = [forShell === "sh" ? "curl" : "curl.exe", "--include", "--globoff", "--path-as-is", "--noproxy", quote("*")];
  if (socket) words.push("--unix-socket", quote(socket));
  if (request.method === "HEAD") words.push("--head");
  else if (request.method !== "GET") words.push("--request", quote(request.method));
  words.push(quote(url));
  return words.join(" ");
}

/** The guard does not accept the address that stands for all addresses. */
const reachable = (address) => address.replace(/^(https?:\/\/)(0\.0\.0\.0|\[::\])/, "$1localhost");

/** Percent-encodes what a URL need not contain as it is; two of the shells cannot quote all of it. */
function encoded(path) {
  return path.replace(/[^A-Za-z0-9/._~!$&'()*+,;=:@%-]/g, (letter) => encodeURIComponent(letter).replace(/^[^%].*$/, hexadecimal));
}

const hexadecimal = (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;

const QUOTE = {
  sh: (text) => `'${text.replaceAll("'", "'\\''")}'`,
  // PowerShell also takes typographic quotes for quotes.
  powershell: (text) => `'${text.replace(/['\u2018\u2019\u201a\u201b]/g, "$&$&")}'`,
  cmd: (text) => {
    // Without quotation marks, where a caret takes every letter literally. A caret after % keeps cmd from finding a variable.
    let [quoted, before] = ["", ""];
    for (const letter of text) {
      if (!/[A-Za-z0-9/._~:-]/.test(letter) || before === "%") quoted += "^";
      quoted += letter;
      before = letter;
    }
    return quoted;
  },
};

export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Only a page on localhost or with TLS has the clipboard.
    const field = element("textarea", { "aria-label": "To copy" });
    field.value = text;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (!isCopied) return toast("The browser does not allow copying: select the text");
  }
  return toast(done);
}

/** An HTTP archive (HAR 1.2) of these requests: no header fields, no query, no bodies. */
export function archive(requests, proxy, version) {
  const base = proxy.listens_on[0].startsWith("unix:") ? "http://localhost" : reachable(proxy.listens_on[0]);
  return {
    log: {
      version: "1.2",
      creator: { name: "cupbearer", version },
      comment: "Header fields, except the request id, query strings and bodies are not recorded.",
      entries: requests.map((request) => entry(request, base)),
    },
  };
}

function entry(request, base) {
  const head = request.head_ms ?? request.ms;
  const wait = request.api_ms ?? head;
  const receive = Math.max(0, request.ms - head);
  return {
    startedDateTime: new Date(request.ended_at_ms - request.ms).toISOString(),
    time: request.ms,
    request: {
      method: request.method,
      url: base + encoded(request.path),
      httpVersion: request.http,
      cookies: [],
      headers: [],
      queryString: [],
      headersSize: -1,
      bodySize: request.bytes_in ?? -1,
    },
    response: {
      status: request.status ?? 0,
      statusText: "",
      httpVersion: request.http,
      cookies: [],
      headers: [],
      content: { size: request.bytes_out, mimeType: "" },
      redirectURL: "",
      headersSize: -1,
      bodySize: request.bytes_out,
    },
    cache: {},
    timings: { blocked: Math.max(0, request.ms - wait - receive), dns: -1, connect: -1, ssl: -1, send: 0, wait, receive },
    comment: [request.reason, request.request_id].filter(Boolean).join(" "),
  };
}

export function download(name, value) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(value, undefined, 2)], { type: "application/json" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
