// The clients of the soak test: requests that know the correct response, and streams that check every byte.

import { Agent, request as send } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { bytesOf, digest } from "./soak_servers.mjs";

/** Far longer than every timeout of the proxy in this test, so only a hang reaches it. */
const HANG_MS = 30_000;

/** All requests so far: their ids, their outcomes, and anything that must never happen. */
export class RequestLog {
  sent = 0;
  outcomes = new Map();
  wrong = [];
  posts = new Set();
  overHttp2 = new Set();
  succeeded = new Set();
  bytes = 0;

  next() {
    this.sent += 1;
    return `s-${this.sent}`;
  }

  ended(id, outcome) {
    if (this.outcomes.has(id)) this.wrong.push(`${id} ended twice`);
    this.outcomes.set(id, outcome);
    if (outcome === "200") this.succeeded.add(id);
    if (outcome.startsWith("wrong")) this.wrong.push(`${id} ${outcome}`);
  }

  /** `200: 5132, upstream_closed: 12`. */
  summary() {
    const counts = new Map();
    for (const outcome of this.outcomes.values()) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]).map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  }
}

/** Sends a request over HTTP/1.1 or HTTP/2, and reports its response as node:http does. */
export class Sender {
  agent = new Agent({ keepAlive: true, maxSockets: 256 });
  sessions = [];

  constructor(url, log) {
    Object.assign(this, { url, log });
  }

  /** Over HTTP/2 every other time. Returns what ends the request. */
  send(id, { method = "GET", path, headers, body }, { onResponse, onError }) {
    if (this.log.sent % 2 === 0) return this.sendHttp2(id, { ":method": method, ":path": path, ...headers }, body, { onResponse, onError });
    const request = send(this.url + path, { method, agent: this.agent, headers });
    request.on("error", onError).on("response", onResponse);
    request.end(body);
    return () => request.destroy();
  }

  sendHttp2(id, head, body, { onResponse, onError }) {
    this.log.overHttp2.add(id);
    const stream = this.openSession(this.log.overHttp2.size % SESSIONS).request(head, { endStream: body === undefined });
    stream.on("error", onError).on("close", () => stream.complete || onError());
    stream.on("end", () => (stream.complete = stream.rstCode === 0));
    stream.on("response", (headers) => onResponse(Object.assign(stream, { statusCode: headers[":status"], headers })));
    if (body !== undefined) stream.end(body);
    return () => stream.close(CANCEL);
  }

  openSession(number) {
    const session = this.sessions[number];
    if (session && !session.closed && !session.destroyed) return session;
    this.sessions[number] = connectHttp2(this.url).on("error", () => {});
    return this.sessions[number];
  }

  close() {
    this.agent.destroy();
    for (const session of this.sessions) session?.destroy();
  }
}

/** Enough that no request waits for another one's end, whatever the proxy's `limits.streams`. */
const SESSIONS = 4;

/** The code of RST_STREAM for a request that its client gives up. */
const CANCEL = 8;

/** Single requests over persistent connections: mostly small reads, some writes, some bodies of up to 1 MiB. */
export class Requests extends Sender {
  inFlight = new Set();

  one(chance = Math.random()) {
    const id = this.log.next();
    const size = 1 + Math.floor(Math.random() * 2 ** 20);
    const ended =
      chance < 0.6 ? this.exchange(id, "GET", "/", undefined)
      : chance < 0.7 ? this.exchange(id, "GET", `/?ms=${Math.floor(Math.random() * 500)}`, undefined)
      : chance < 0.9 ? this.exchange(id, "POST", "/", Buffer.from(id))
      : chance < 0.95 ? this.exchange(id, "POST", "/", bytesOf(id, size))
      : this.exchange(id, "GET", `/?bytes=${size}`, undefined, bytesOf(id, size));
    this.inFlight.add(ended);
    return ended.then((outcome) => {
      this.inFlight.delete(ended);
      this.log.ended(id, outcome);
      return outcome;
    });
  }

  /** The outcome: 200 with the correct response, a `reason` of the proxy, or a visible transport error. */
  exchange(id, method, path, body, wanted) {
    if (method === "POST") this.log.posts.add(id);
    const length = body && { "content-length": body.length };
    return new Promise((resolve) => {
      const timer = setTimeout(() => (resolve("wrong: it hangs"), giveUp()), HANG_MS);
      const end = (outcome) => (clearTimeout(timer), resolve(outcome));
      const onError = () => end("transport error");
      const onResponse = (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", onError);
        response.on("end", () => end(response.complete ? this.classify(id, response, Buffer.concat(chunks), body, wanted) : "transport error"));
      };
      const headers = { "x-request-id": id, ...length };
      const giveUp = this.send(id, { method, path, headers, body }, { onResponse, onError });
    });
  }

  classify(id, response, answer, body = Buffer.alloc(0), wanted) {
    this.log.bytes += answer.length + body.length;
    if (response.headers["x-request-id"] !== id) return `wrong: the response to ${response.headers["x-request-id"]}`;
    if (response.statusCode === 401) return "401 of the API";
    if (response.statusCode !== 200) {
      const problem = response.headers["content-type"] === "application/problem+json" ? JSON.parse(answer) : {};
      return problem.request_id === id ? problem.reason : `wrong: a ${response.statusCode} for another request`;
    }
    if (wanted) return digest(answer) === digest(wanted) ? "200" : "wrong: other bytes";
    const { id: echoed, bytes, sha256 } = JSON.parse(answer);
    return echoed === id && bytes === body.length && sha256 === digest(body) ? "200" : "wrong: the response to another request";
  }
}

/** Keeps `count` WebSocket tunnels and as many event streams open until `isOver`, and checks every byte. */
export function streams(url, log, count, isOver) {
  const tally = { tunnels: 0, streams: 0, broken: 0, messages: 0 };
  const keep = async (one) => {
    while (!isOver()) {
      await one(new URL(url), log, tally, isOver);
      await sleep(100 + Math.random() * 400);
    }
  };
  const sender = new Sender(url, log);
  const all = Array.from({ length: count }, () => [keep(tunnel), keep((_, ...rest) => eventStream(sender, ...rest))]).flat();
  return { tally, ended: Promise.all(all).finally(() => sender.close()) };
}

/** Sends a line every half second and reads the echo. What it receives must always be a prefix of what it sent. */
function tunnel({ hostname, port }, log, tally, isOver) {
  const id = log.next();
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let [head, sent, echoed, number, isOpen] = ["", "", 0, 0, false];
    const timer = setInterval(() => {
      if (isOver()) socket.end();
      else if (isOpen) (number += 1), (sent += `${id} ${number}\n`), socket.write(`${id} ${number}\n`);
    }, 500);
    socket.write(`GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${id}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    socket.setEncoding("latin1").on("data", (text) => {
      if (isOpen) {
        if (!sent.startsWith(text, echoed)) log.wrong.push(`${id}: a tunnel received bytes that it did not send`);
        [echoed, tally.messages] = [echoed + text.length, tally.messages + 1];
        return;
      }
      head += text;
      if (!head.includes("\r\n\r\n")) return;
      isOpen = head.startsWith("HTTP/1.1 101");
      if (isOpen) tally.tunnels += 1;
      else socket.end();
    });
    socket.on("error", () => {}).on("close", () => {
      clearInterval(timer);
      if (isOpen && !isOver()) tally.broken += 1;
      log.ended(id, isOpen ? "200" : `${head.slice(9, 12) || "transport error"} instead of a tunnel`);
      resolve();
    });
  });
}

/** The events are numbers without a gap. An end before the last event must be visible as a truncated response. */
function eventStream(sender, log, tally) {
  const id = log.next();
  return new Promise((resolve) => {
    let hasEnded = false;
    const end = (outcome) => {
      if (!hasEnded) log.ended(id, outcome);
      hasEnded = true;
      resolve();
    };
    const onError = () => end("transport error");
    const onResponse = (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => ((text += piece), (tally.messages += 1)));
      response.on("error", () => (tally.broken += 1, onError()));
      response.on("end", () => {
        if (response.statusCode !== 200) return end(`${response.statusCode} instead of events`);
        if (!response.complete) return; // an error follows
        tally.streams += 1;
        const events = text.split("\n\n").slice(0, -1);
        const inOrder = events.slice(0, -1).every((event, index) => event === `data: ${index + 1}`);
        end(inOrder && events.at(-1) === "data: end" ? "200" : "wrong: events are missing, and the response ended cleanly");
      });
    };
    sender.send(id, { path: "/events", headers: { "x-request-id": id } }, { onResponse, onError });
  });
}
