// The clients of the soak test: requests that know the correct response, and streams that check every byte.

import { Agent, request as send } from "node:http";
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

/** Single requests over persistent connections: mostly small reads, some writes, some bodies of up to 1 MiB. */
export class Requests {
  agent = new Agent({ keepAlive: true, maxSockets: 256 });
  inFlight = new Set();

  constructor(url, log) {
    Object.assign(this, { url, log });
  }

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
      const request = send(this.url + path, { method, agent: this.agent, headers: { "x-request-id": id, ...length } });
      const timer = setTimeout(() => (resolve("wrong: it hangs"), request.destroy()), HANG_MS);
      const end = (outcome) => (clearTimeout(timer), resolve(outcome));
      request.on("error", () => end("transport error"));
      request.on("response", (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", () => end("transport error"));
        response.on("end", () => end(response.complete ? this.classify(id, response, Buffer.concat(chunks), body, wanted) : "transport error"));
      });
      request.end(body);
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
  const all = Array.from({ length: count }, () => [keep(tunnel), keep(eventStream)]).flat();
  return { tally, ended: Promise.all(all) };
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
function eventStream(url, log, tally) {
  const id = log.next();
  return new Promise((resolve) => {
    const request = send(new URL("/events", url), { agent: false, headers: { "x-request-id": id } });
    const end = (outcome) => (log.ended(id, outcome), resolve());
    request.on("error", () => end("transport error"));
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => ((text += piece), (tally.messages += 1)));
      response.on("error", () => (tally.broken += 1, end("transport error")));
      response.on("end", () => {
        if (response.statusCode !== 200) return end(`${response.statusCode} instead of events`);
        tally.streams += 1;
        const events = text.split("\n\n").slice(0, -1);
        const inOrder = events.slice(0, -1).every((event, index) => event === `data: ${index + 1}`);
        end(inOrder && events.at(-1) === "data: end" ? "200" : "wrong: events are missing, and the response ended cleanly");
      });
    });
    request.end();
  });
}
