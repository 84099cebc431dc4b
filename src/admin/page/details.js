// Everything that is known about one request.

import { byId, element, fillFacts, marked, svg, toast } from "./element.js";
import { copy, curl, preferredShell, SHELLS } from "./export.js";
import { chosenStatus } from "./state.js";
import { answeredWords, BYTES_TITLE, CALLER_TITLE, callerAndUser, PROTOCOL_TITLE, protocolWords, shares } from "./table.js";
import { bytes, exact, milliseconds } from "./words.js";

export function closeDetails() {
  const panel = byId("details");
  const wasOpen = !panel.hidden;
  panel.hidden = true;
  panel.replaceChildren();
  return wasOpen;
}

/** The text with its code marked, as one element; nothing without a text. */
const withCode = (text) => text && element("span", {}, ...marked(text));

export function showDetails(request) {
  const panel = byId("details");
  const facts = element("dl");
  fillFacts(facts, [
    ["Request", `${request.method} ${request.path}${request.path_is_cut ? "…" : ""}`],
    ["Ended", exact(request.ended_at_ms), "The response ended at this time."],
    ["Status", request.status ?? "none", "This is the status of the response that the client got."],
    ["Answered by", answeredWords(request)],
    ["Reason", request.reason],
    ["What happened", request.error],
    ["Responsible", withCode(request.responsible)],
    ["What to do", withCode(request.remedy)],
    ["Caller", callerAndUser(request) || "unknown", CALLER_TITLE],
    ["Request id", request.request_id, "X-Request-Id has this value; the logs have it too."],
    ["Trace id", request.trace_id, "The caller named this trace in traceparent."],
    ["Token", request.token_generation ? `number ${request.token_generation}` : undefined, "The request was sent with this token."],
    ["Sent again", { true: "yes, with a newer token, after a 401", false: "no, although the API answered 401" }[request.replayed]],
    ["Body", `${bytes(request.bytes_in)} received, ${bytes(request.bytes_out)} sent`, BYTES_TITLE],
    ["Protocol", protocolWords(request), PROTOCOL_TITLE],
    ["Took", `${milliseconds(request.ms)}: ${shares(request)}`, "This is the time from the request's head to the end of the response."],
  ]);
  const close = element("button", { type: "button", onclick: closeDetails }, "Close");
  panel.replaceChildren(
    element("div", { class: "bar" }, element("h2", { id: "details-title" }, "Request details"), close),
    facts,
    element("h3", {}, "Where the time went"),
    ...waterfall(request),
    ...curlPart(request),
    ...rulePart(request),
  );
  panel.hidden = false;
  panel.focus({ preventScroll: true });
  panel.scrollIntoView({ block: "nearest" });
}

const ADMITTED = "cupbearer checked the request, and waited for a token if there was none.";
const OURS = "cupbearer itself needed this time.";
const BODY = "The response's body was sent to the client in this time.";
const CONNECT = "This includes connecting, unless a connection was already open, as it usually is.";

/** The parts of the time, one below the other: [what, from, to, class, sentence for hovering]. */
function parts(request) {
  const head = request.head_ms ?? request.ms;
  if (request.sent_ms === null || request.sent_ms === undefined) return [["cupbearer", 0, head, "ours", OURS], ["Body to the client", head, request.ms, "body", BODY]];
  const answered = Math.min(head, request.sent_ms + (request.api_ms ?? 0));
  return [
    ["Admit the request, wait for a token", 0, request.sent_ms, "ours", ADMITTED],
    ["Connect, send, wait for the API", request.sent_ms, answered, "api", CONNECT],
    ["cupbearer", answered, head, "ours", OURS],
    ["Body to the client", head, request.ms, "body", BODY],
  ];
}

function waterfall(request) {
  const [width, line] = [400, 18];
  const scale = width / Math.max(request.ms, 0.001);
  const rows = parts(request).filter(([, from, to], index) => index === 0 || to > from);
  const bars = rows.map(([name, from, to, kind, title], index) =>
    svg(
      "rect",
      { class: kind, x: (from * scale).toFixed(1), y: index * line + 3, width: Math.max(2, (to - from) * scale).toFixed(1), height: line - 6 },
      svg("title", {}, title ? `${name}. ${title}` : name),
    ),
  );
  const list = element("dl");
  fillFacts(list, rows.map(([name, from, to, , title]) => [name, milliseconds(to - from), title]));
  return [svg("svg", { class: "waterfall", viewBox: `0 0 ${width + 2} ${rows.length * line}`, "aria-hidden": "true" }, ...bars), list];
}

function curlPart(request) {
  const title = element("h3", {}, "Repeat this request");
  const why = whyNoCommand(request);
  if (why) return [title, element("p", { class: "note" }, `There is no command for it: ${why}.`)];
  const pre = element("pre", { id: "curl" });
  const choose = (shell) => {
    pre.textContent = curl(request, chosenStatus(), shell);
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.shell === shell));
    preferredShell(shell);
  };
  const buttons = Object.keys(SHELLS).map((shell) =>
    element("button", { type: "button", "data-shell": shell, onclick: () => choose(shell) }, SHELLS[shell]),
  );
  const button = element("button", { type: "button", id: "copy-curl", onclick: () => copy(pre.textContent, "Command copied") }, "Copy");
  choose(preferredShell());
  const note = "It goes through the proxy, which adds the token. Query, header fields and body were not recorded.";
  return [title, element("div", { class: "bar" }, ...buttons, button), pre, element("p", { class: "note" }, note)];
}

function whyNoCommand(request) {
  if (request.path_is_cut) return "the path was too long to be kept, or contained bytes or credentials that were not kept";
  if (request.method === "UNREAD") return "the request could not be read";
  // curl would ask another server for a tunnel, or request a path.
  return request.method === "CONNECT" || !request.path.startsWith("/") ? "its target is not a path" : undefined;
}

function rulePart(request) {
  if (!request.rule) return [];
  const copyRule = () => copy(request.rule, "Rule copied");
  return [
    element("h3", {}, `To allow it, add this to ${request.rule_key}`),
    element("pre", { id: "rule" }, request.rule),
    element("button", { type: "button", id: "copy-rule", onclick: copyRule }, "Copy the rule"),
  ];
}

/** Copies the command for a request without showing its details. */
export function copyCurl(request) {
  if (!request) toast("Select a request first: j and k");
  else if (whyNoCommand(request)) toast(`There is no command for it: ${whyNoCommand(request)}`);
  else copy(curl(request, chosenStatus(), preferredShell()), "Command copied");
}
