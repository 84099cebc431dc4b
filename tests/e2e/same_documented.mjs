// The differences that docs/forwarding.md allows. Each field that may differ has a rule here, and the names of the
// rules are those in the two tables of that page. A difference without a rule is a defect.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { STATUS_CODES } from "node:http";
import { DIRECT_BEARER } from "./same_upstream.mjs";

const dropped = (direct, through) => through.length === 0;
const added = (direct, through) => direct.length === 0 && through.length === 1;
/** Only the row itself can say what the proxy does with the field. */
const asTheRowSays = () => false;

/** The fields of a request, as the upstream receives it. */
export const REQUEST_RULES = {
  Host: () => false, // the upstream's address in both cases
  Authorization: (direct, through) => direct[0] === DIRECT_BEARER && /^Bearer ey[\w.-]+$/.test(through.join()),
  Connection: (direct, through, { wants }) => through.join() === (wants.trailers ? "te" : wants.upgrade ? "upgrade" : ""),
  "Keep-Alive": dropped,
  "Proxy-*": dropped,
  TE: (direct, through, { wants }) => through.join() === (wants.trailers ? "trailers" : ""),
  "Transfer-Encoding": () => false, // rewritten with the same value
  "Content-Length": () => false,
  Upgrade: dropped,
  DPoP: dropped,
  Forwarded: dropped,
  "X-Forwarded-*": dropped,
  "X-Real-IP": dropped,
  "X-Cupbearer-Key": dropped,
  Expect: (direct, through) => through.length === 0,
  Origin: asTheRowSays,
  Referer: asTheRowSays,
  Cookie: (direct, through, { wants }) => wants.browser && through.length === 0,
  Via: (direct, through) => through.length === direct.length + 1 && /^(1\.[01]|2\.0) [\w.-]+-[\w]+$/.test(through.at(-1)),
  "X-Request-Id": added,
  "Accept-Encoding": (direct, through, { wants }) => wants.document && through.join() === "identity",
  Range: (direct, through, { wants }) => wants.document && through.length === 0,
  "If-*": (direct, through, { wants }) => wants.document && through.length === 0,
};

/** The fields of a response, as the client receives it. The proxy never forwards `dropped` ones. */
export const ANSWER_RULES = {
  Connection: (direct, through) => ["", "close", "keep-alive"].includes(through.join()), // the proxy's own
  "Keep-Alive": dropped,
  "Proxy-*": dropped,
  TE: dropped,
  "Transfer-Encoding": (direct, through) => ["", "chunked"].includes(through.join()),
  Upgrade: dropped,
  "Alt-Svc": dropped,
  "Strict-Transport-Security": dropped,
  "Clear-Site-Data": dropped,
  "Access-Control-*": dropped,
  "X-Request-Id": added,
  Date: (direct, through) => through.length === 1 && isNow(through[0]) && (direct.length === 0 || isNow(direct[0])),
  Location: asTheRowSays,
  "Set-Cookie": asTheRowSays,
};

/** Rules that are added where a version of HTTP is not that of the client: as in the table about HTTP/2 of the page. */
const crossing = (http2, { requests = {}, answers = {}, reason }) => {
  const applied = { requests: new Set(), answers: new Set() };
  return {
    http2,
    rules: { requests: { ...REQUEST_RULES, ...requests }, answers: { ...ANSWER_RULES, ...answers }, reason, applied },
    /** The rules that are this crossing's own and applied. */
    seen: () => ({
      requests: Object.keys(requests).filter((name) => applied.requests.has(name)).sort(),
      responses: [...applied.answers].filter((name) => name in answers || name === "the reason phrase").sort(),
    }),
  };
};

const absent = (direct, through) => through.length === 0;

/** What differs at the upstream where the request is sent as HTTP/2. */
const TO_HTTP2 = {
  Connection: absent,
  "Content-Length": (direct, through) => direct.length === 0 && through.join() === "0",
};

/** What differs there where the client sends it as HTTP/2. */
const FROM_HTTP2 = {
  Cookie: (direct, through, how) => REQUEST_RULES.Cookie(direct, through, how) || direct.join("; ") === through.join(),
};

/** The crossings, from the client's version of HTTP to the API's, with the `upstream.http2` of each. */
export const CROSSINGS = {
  "1 to 2": crossing("always", {
    requests: { ...TO_HTTP2, "Transfer-Encoding": absent },
    reason: ({ status }, { reason }) => reason === "" || usual(reason) === usual(STATUS_CODES[status]),
  }),
  "2 to 1": crossing("never", {
    requests: {
      ...FROM_HTTP2,
      "Transfer-Encoding": (direct, through) => direct.length === 0 && through.join() === "chunked",
    },
  }),
  "2 to 2": crossing("match", { requests: { ...TO_HTTP2, ...FROM_HTTP2 } }),
};

/** Servers do not agree about the usual words: `Non-Authoritative Information` has a hyphen in some. */
const usual = (reason = "") => reason.toLowerCase().replaceAll("-", " ");

/** What the page's table about HTTP/2 says of each crossing: the rows whose cell for it is not empty. */
export async function documentedCrossings() {
  const page = await readFile(new URL("../../docs/forwarding.md", import.meta.url), "utf8");
  const [, table] = page.split("| between client and API |");
  const [head, , ...rows] = table.split("\n\n")[0].split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  const crossings = Object.keys(CROSSINGS);
  assert.deepEqual(head.slice(0, crossings.length), crossings);
  return Object.fromEntries(crossings.map((crossing, index) => {
    const differing = rows.filter((cells) => cells[index + 2] !== "").map(([, what]) => what);
    const named = (of) => differing.filter((what) => what.endsWith(of)).map((what) => what.slice(0, -of.length).replaceAll("`", "")).sort();
    return [crossing, { requests: named(" of a request"), responses: named(" of a response") }];
  }));
}

/** The fields in the first column of a table in docs/forwarding.md. */
export async function documented(section) {
  const page = await readFile(new URL("../../docs/forwarding.md", import.meta.url), "utf8");
  const [, text] = page.split(`## ${section}\n`);
  const rows = text.split("\n## ")[0].split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| what") && !line.startsWith("| ---"));
  const names = rows.flatMap((row) => [...row.split("|")[1].matchAll(/`([A-Z][\w-]*\*?)(?:: [^`]*)?`/g)].map(([, name]) => name));
  return [...new Set(names)].sort();
}

/**
 * Compares the values of two lists of fields by name and order. Every difference must be allowed by a rule or expected by
 * the row. Every rule that applied is added to `applied`.
 *
 * @param {{rules: object, applied: Set<string>, wants: object, expected?: object}} how `expected`: the values through the
 *   proxy by name, if only the row can know them
 */
export function compareFields(direct, through, { rules, applied, wants = {}, expected = {} }) {
  const [one, other] = [byName(direct), byName(through)];
  const nominated = nominatedBy(one.get("connection") ?? []);
  for (const name of new Set([...one.keys(), ...other.keys()])) {
    const [values, passed] = [one.get(name) ?? [], other.get(name) ?? []];
    const rule = ruleFor(name, rules);
    if (name in expected) {
      assert.deepEqual(passed, expected[name], name);
      applied.add(rule);
      continue;
    }
    if (JSON.stringify(values) === JSON.stringify(passed) && rules[rule] !== dropped) continue;
    const allowed = nominated.includes(name) ? passed.length === 0 : rule !== undefined && rules[rule](values, passed, { wants });
    assert.ok(allowed, `${name}: ${JSON.stringify(values)} directly, ${JSON.stringify(passed)} through the proxy`);
    applied.add(rule);
  }
}

function byName(fields) {
  const names = new Map();
  for (const [name, value] of fields) names.set(name.toLowerCase(), [...(names.get(name.toLowerCase()) ?? []), value]);
  return names;
}

function ruleFor(name, rules) {
  const exact = Object.keys(rules).find((rule) => rule.toLowerCase() === name);
  return exact ?? Object.keys(rules).find((rule) => rule.endsWith("*") && name.startsWith(rule.slice(0, -1).toLowerCase()));
}

function nominatedBy(values) {
  return values.flatMap((value) => value.split(",")).map((name) => name.trim().toLowerCase()).filter((name) => !["keep-alive", "close"].includes(name));
}

function isNow(date) {
  return Math.abs(Date.parse(date) - Date.now()) < 600_000;
}
