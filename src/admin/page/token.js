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
  byId("ring").title = "This is how long the current access token can still be used.";
  setText(ring.number, left ? duration(left) : "no");
  setText(ring.words, left ? "left" : "valid token");
  const next = Math.max(0, token.next_attempt_in_s - sinceStatus());
  const person = token.sign_in;
  const signedIn = person && (person.is_signed_in ? (person.who ?? "someone (the token has no name)") : "nobody");
  const renewal = ["Next token request", next ? `in ${duration(next)}` : "now", "This is when cupbearer asks for a new token."];
  const isAwaited = person && !person.is_signed_in && !left;
  byId("sign-in").hidden = !person && !token.awaited_sign_in;
  fillFacts(byId("token-facts"), [
    ["State", isAwaited ? "waiting for somebody to sign in" : (STATES[token.state] ?? token.state), "This says whether requests can be sent with the token now."],
    person ? ["Signed in", signedIn, "Requests are sent with the token of this person."] : renewal,
    ["Tokens so far", token.generation, "This is the number of the current token; it grows by one with each new token."],
    ["Tokens come from", token.from, "This is the token endpoint, or whatever else provides the tokens."],
    ["Failed in a row", token.failures_in_a_row || undefined, "So many token requests have failed since the last success."],
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
  return element("li", { class: error ? "failed" : "granted", title: error ?? "The token endpoint issued a token." }, time, words);
}

const isOnCard = (note, proxy) => proxy.problems.some(({ detail }) => detail && note.includes(detail));

function showProxy(proxy) {
  const { totals } = proxy;
  const failed = totals.client_errors + totals.server_errors;
  fillFacts(byId("proxy-facts"), [
    ["Listens on", proxy.listens_on.join(", "), "Give this address to programs instead of the address of the API."],
    ["Forwards to", proxy.upstream, "This is the address of the API."],
    ["Running for", duration(proxy.uptime_s + sinceStatus()), "This is how long ago this proxy was started."],
    ["Since the start", counted(totals.requests, "request"), "So many requests have ended since the start."],
    ["Errors", `${failed.toLocaleString("en")} (${totals.client_errors} × 4xx, ${totals.server_errors} × 5xx), and ${counted(totals.unanswered, "client")} disconnected without a response`, "So many requests have ended with an error since the start, whoever caused it."],
    ["Bytes", `${bytes(totals.bytes_in)} received, ${bytes(totals.bytes_out)} sent`, "So many bytes were read from clients and written to them, heads included."],
    ["Open now", `${counted(proxy.requests_in_flight, "request")} in flight, ${counted(proxy.client_connections, "client connection")}, ${counted(proxy.upstream_connections, "connection")} to the API`, "This is what is open at this moment."],
    ["Notes", proxy.notes.filter((note) => !isOnCard(note, proxy)).join("; "), "This is worth knowing, but nothing is wrong."],
  ]);
}
