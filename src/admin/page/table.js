// The table of recent requests, the latest first: filter, pause, selection.

import { byId, element, setText } from "./element.js";
import { proxyState, state } from "./state.js";
import { ago, bytes, counted, exact, milliseconds } from "./words.js";

/** More rows than anyone reads; the filter searches all that are remembered. */
const ROWS = 100;

/** While paused, the number of the last request that is shown; otherwise `undefined`. */
let pausedAt;
let missedWhilePaused = 0;
let selectedKey;
let onOpen = () => {};
/** Requests that have arrived since the last frame was drawn. */
let waiting = [];

/** @param {{open: (request: object) => void}} listener what to do with a request that is opened */
export function createTable({ open }) {
  onOpen = open;
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("filter").addEventListener("input", showTable);
  byId("pause").addEventListener("click", togglePause);
}

export function togglePause() {
  if (pausedAt === undefined) pausedAt = proxyState(state.chosen).requests.at(-1)?.number ?? 0;
  else pausedAt = undefined;
  missedWhilePaused = 0;
  const button = byId("pause");
  button.setAttribute("aria-pressed", String(pausedAt !== undefined));
  setText(button, pausedAt === undefined ? "Pause" : "Resume");
  if (pausedAt === undefined) showTable();
  else showNote();
}

/** Begins anew with another proxy or another process, whose requests are numbered differently. */
export function resetTable() {
  selectedKey = undefined;
  if (pausedAt === undefined) showTable();
  else togglePause();
}

/** Draws the table again, after the filter has changed. */
export function showTable() {
  waiting = [];
  offerChoices();
  const latest = filtered().slice(-ROWS).reverse();
  byId("rows").replaceChildren(...latest.map(row));
  showNote();
}

/** Adds requests at the top with the next frame. */
export function addToTable(requests) {
  if (pausedAt !== undefined) {
    missedWhilePaused += requests.length;
    showNote();
    return;
  }
  if (!waiting.length) requestAnimationFrame(drawWaiting);
  waiting.push(...requests);
  // A hidden tab draws no frames.
  if (waiting.length > 2 * ROWS) waiting = waiting.slice(-ROWS);
}

/** The requests that the filter lets through, the latest last. */
export function filtered() {
  const requests = proxyState(state.chosen).requests;
  const isShown = filter();
  return requests.filter((request) => (pausedAt === undefined || request.number <= pausedAt) && isShown(request));
}

/** The times in words go on although nothing happens. */
export function refreshTimes() {
  for (const time of byId("rows").querySelectorAll("time")) setText(time, ago(Number(time.dataset.ms)));
}

/** Selects the next row (1) or the previous one (-1). */
export function moveSelection(step) {
  const rows = [...byId("rows").children];
  const index = rows.findIndex((one) => one.dataset.key === selectedKey);
  const next = rows[Math.min(rows.length - 1, Math.max(0, index < 0 ? 0 : index + step))];
  if (!next) return;
  select(next.dataset.key);
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("button").focus({ preventScroll: true });
}

/** The selected request, if there is one. */
export function selectedRequest() {
  return proxyState(state.chosen).requests.find((request) => String(request.number) === selectedKey);
}

export function select(key) {
  selectedKey = key;
  for (const one of byId("rows").children) one.setAttribute("aria-current", String(one.dataset.key === key));
}

function drawWaiting() {
  const isShown = filter();
  const added = waiting.filter(isShown).slice(-ROWS).reverse();
  waiting = [];
  offerChoices();
  const rows = byId("rows");
  rows.prepend(...added.map(row));
  while (rows.children.length > ROWS) rows.lastElementChild.remove();
  showNote();
}

function filter() {
  const [text, status, method, caller] = ["text", "status", "method", "caller"].map((name) => byId(`filter-${name}`).value);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (request) => {
    if (method && request.method !== method) return false;
    if (caller && callerOf(request) !== caller) return false;
    if (status && !hasStatus(request, status)) return false;
    const own = `${request.method} ${request.path} ${request.status ?? ""} ${request.reason ?? ""} ${request.error ?? ""} ${callerAndUser(request)} ${request.request_id} ${request.trace_id ?? ""}`.toLowerCase();
    return words.every((word) => own.includes(word));
  };
}

function hasStatus(request, wanted) {
  if (wanted === "ours") return request.answered_by === "cupbearer";
  if (wanted === "none") return !request.status;
  return String(request.status ?? "").startsWith(wanted);
}

/** The configured caller, or else the local user. */
export const callerOf = (request) => request.caller ?? request.user ?? "";

/** Both, if both are known. */
export function callerAndUser(request) {
  return request.caller && request.user ? `${request.caller} (${request.user})` : callerOf(request);
}

export const CALLER_TITLE = "This is the configured caller, and the local user, as far as they are known.";
export const BYTES_TITLE = "These are the bytes of the body that came from the client, and of the one that went to it.";
export const PROTOCOL_TITLE = "This is the protocol between the client and cupbearer, and the one between cupbearer and the API.";

/** Fills the choices of the filter with what has occurred. */
function offerChoices() {
  const requests = proxyState(state.chosen).requests;
  for (const [name, value] of [["method", (request) => request.method], ["caller", callerOf]]) {
    const choice = byId(`filter-${name}`);
    const known = new Set([...choice.options].map((option) => option.value));
    const found = new Set(requests.map(value).filter((one) => one && !known.has(one)));
    for (const one of [...found].slice(0, 50)) choice.append(element("option", { value: one }, one));
  }
}

function showNote() {
  const { omitted } = proxyState(state.chosen);
  const parts = [];
  if (pausedAt !== undefined) parts.push(`Paused: ${counted(missedWhilePaused, "newer request")} not shown yet.`);
  if (omitted) parts.push(`Sampled: there were too many to show, so ${counted(omitted, "request")} are missing here; the figures above count all of them.`);
  if (!byId("rows").children.length) parts.push(proxyState(state.chosen).requests.length ? "No request matches the filter." : "No requests yet.");
  setText(byId("table-note"), parts.join(" "));
}

function row(request) {
  const time = element("time", { title: exact(request.ended_at_ms), "data-ms": request.ended_at_ms }, ago(request.ended_at_ms));
  const open = element("button", { type: "button", title: "Show everything about this request" }, request.path + (request.path_is_cut ? "…" : ""));
  const key = String(request.number);
  open.addEventListener("click", () => {
    select(key);
    onOpen(request);
  });
  const cell = (properties, ...children) => element("td", properties, ...children);
  return element(
    "tr",
    { "data-key": key, "aria-current": String(key === selectedKey) },
    cell({}, time),
    cell({ class: `status s${String(request.status ?? 0)[0]}`, title: answeredWords(request) }, request.status ? String(request.status) : "none"),
    cell({}, request.method),
    cell({ class: "path" }, open),
    cell({ class: "wide", title: request.error }, reasonWords(request)),
    cell({ class: "wide", title: CALLER_TITLE }, callerAndUser(request)),
    cell({ title: shares(request) }, milliseconds(request.ms), element("span", { class: "wide note" }, apiShare(request))),
    cell({ class: "wide", title: BYTES_TITLE }, `${bytes(request.bytes_in)}, ${bytes(request.bytes_out)}`),
    cell({ class: "wide", title: PROTOCOL_TITLE }, protocolWords(request)),
  );
}

/** The share of the API, in short. */
const apiShare = ({ api_ms: time }) => (time === null || time === undefined ? "" : ` (API ${milliseconds(time)})`);

/** Whose time it was. */
export function shares(request) {
  const isKnown = (time) => time !== null && time !== undefined;
  if (!isKnown(request.api_ms)) {
    const isOurs = request.answered_by === "cupbearer" && !isKnown(request.sent_ms);
    return isOurs ? "all of it in cupbearer, which did not send the request to the API." : "how this time is divided is not known, since there was no response from the API.";
  }
  const body = Math.max(0, request.ms - request.head_ms);
  const ours = Math.max(0, request.head_ms - request.api_ms);
  return `cupbearer ${milliseconds(ours)}, the API ${milliseconds(request.api_ms)}, the body ${milliseconds(body)}`;
}

export function answeredWords(request) {
  return { api: "The API answered.", cupbearer: "cupbearer answered.", nobody: "The client disconnected before there was a response." }[request.answered_by] ?? "";
}

/** The protocol on both sides. */
export function protocolWords(request) {
  const upstream = state.status?.proxies.find((proxy) => proxy.name === state.chosen)?.upstream ?? "";
  const api = upstream.startsWith("https:") ? "HTTP/1.1 over TLS" : "HTTP/1.1";
  return request.answered_by === "api" ? `${request.http}, ${api}` : request.http;
}

function reasonWords(request) {
  if (request.reason) return request.reason;
  return request.answered_by === "nobody" ? "client disconnected" : "";
}
