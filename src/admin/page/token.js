// The state of the token: a ring that empties until the token can no longer be used, and the last token requests.

import { byId, element, fillFacts, setText, svg } from "./element.js";
import { chosenStatus, sinceStatus } from "./state.js";
import { bytes, counted, duration } from "./words.js";

const RADIUS = 44;
const AROUND = 2 * Math.PI * RADIUS;

const STATES = {
  starting: "waiting for the first token",
  fresh: "valid",
  stale: "valid, being renewed",
  expired: "no longer valid",
};

let ring;
let shownAttempts = "";

/** Shows the time that is left. Called every second. */
export function showToken() {
  const proxy = chosenStatus();
  if (!proxy) return;
  const { token } = proxy;
  ring ??= createRing();
  const left = Math.max(0, token.usable_for_s - sinceStatus());
  const share = token.lifetime_s ? Math.min(1, left / token.lifetime_s) : 0;
  ring.arc.setAttribute("stroke-dashoffset", String(AROUND * (1 - share)));
  byId("ring").dataset.state = token.state;
  byId("ring").title = "How long the current access token can still be used";
  setText(ring.number, left ? duration(left) : "no");
  setText(ring.words, left ? "left" : "valid token");
  const next = Math.max(0, token.next_attempt_in_s - sinceStatus());
  const person = token.sign_in;
  const signedIn = person && (person.is_signed_in ? (person.who ?? "someone (the token has no name)") : "nobody");
  const renewal = ["Next token request", next ? `in ${duration(next)}` : "now", "When cupbearer asks the token endpoint for a new token"];
  const isAwaited = person && !person.is_signed_in && !left;
  byId("sign-in").hidden = !person;
  fillFacts(byId("token-facts"), [
    ["State", isAwaited ? "waiting for somebody to sign in" : (STATES[token.state] ?? token.state), "Whether requests can be sent with the token now"],
    person ? ["Signed in", signedIn, "The person whose token requests are sent with"] : renewal,
    ["Tokens so far", token.generation, "The number of the current token: it grows by one with each new token"],
    ["Tokens come from", token.from, "The token endpoint, or whatever else provides the tokens"],
    ["Failed in a row", token.failures_in_a_row || undefined, "Token requests that failed since the last success"],
  ]);
  showAttempts(token.attempts);
  showProxy(proxy);
}

function createRing() {
  const circle = (name) => svg("circle", { class: name, cx: 50, cy: 50, r: RADIUS });
  const arc = circle("left");
  arc.setAttribute("stroke-dasharray", String(AROUND));
  const [number, words] = [element("strong"), element("span")];
  byId("ring").append(svg("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, circle("all"), arc), element("p", {}, number, words));
  return { arc, number, words };
}

function showAttempts(attempts) {
  const key = JSON.stringify(attempts);
  if (key !== shownAttempts) {
    const latest = attempts.slice(-12).reverse();
    byId("attempts").replaceChildren(...latest.map(attempt));
  }
  shownAttempts = key;
  for (const time of byId("attempts").querySelectorAll("time")) {
    setText(time, `${duration((Date.now() - Date.parse(time.dateTime)) / 1000)} ago`);
  }
}

function attempt({ at, outcome, error }) {
  const time = element("time", { datetime: at, title: at });
  const words = error ? ` ${outcome}: ${error.length > 80 ? `${error.slice(0, 80)}…` : error}` : " new token";
  return element("li", { class: error ? "failed" : "granted", title: error ?? "The token endpoint issued a token" }, time, words);
}

const isOnCard = (note, proxy) => proxy.problems.some(({ detail }) => detail && note.includes(detail));

function showProxy(proxy) {
  const { totals } = proxy;
  const failed = totals.client_errors + totals.server_errors;
  fillFacts(byId("proxy-facts"), [
    ["Listens on", proxy.listens_on.join(", "), "The address to give to programs instead of the API's"],
    ["Forwards to", proxy.upstream, "The API"],
    ["Running for", duration(proxy.uptime_s + sinceStatus())],
    ["Since the start", counted(totals.requests, "request"), "All requests that have ended since the start"],
    ["Errors", `${failed.toLocaleString("en")} (${totals.client_errors} × 4xx, ${totals.server_errors} × 5xx), and ${counted(totals.unanswered, "client")} disconnected without a response`, "Requests since the start that ended with an error, whoever caused it"],
    ["Bytes", `${bytes(totals.bytes_in)} received, ${bytes(totals.bytes_out)} sent`, "Read from clients and written to them, heads included"],
    ["Open now", `${counted(proxy.requests_in_flight, "request")} in flight, ${counted(proxy.client_connections, "client connection")}, ${counted(proxy.upstream_connections, "connection")} to the API`, "What is open at this moment"],
    ["Notes", proxy.notes.filter((note) => !isOnCard(note, proxy)).join("; ")],
  ]);
}
