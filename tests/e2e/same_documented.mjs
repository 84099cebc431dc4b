// What docs/forwarding.md says may differ, and nothing else: each field that may is a rule here, the names of all
// rules together are those of the page's two tables, and a difference without a rule is a defect.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { DIRECT_BEARER } from "./same_upstream.mjs";

const dropped = (direct, through) => through.length === 0;
const added = (direct, through) => direct.length === 0 && through.length === 1;
/** Only the row itself can say what becomes of it. */
const asTheRowSays = () => false;

/** Of a request, as the upstream sees it. */
export const REQUEST_RULES = {
  Host: () => false, // the upstream's own either way
  Authorization: (direct, through) => direct[0] === DIRECT_BEARER && /^Bearer ey[\w.-]+$/.test(through.join()),
  Connection: (direct, through, { wants }) => through.join() === (wants.trailers ? "te" : wants.upgrade ? "upgrade" : ""),
  "Keep-Alive": dropped,
  "Proxy-*": dropped,
  TE: (direct, through, { wants }) => through.join() === (wants.trailers ? "trailers" : ""),
  "Transfer-Encoding": () => false, // written anew, and the same
  "Content-Length": () => false,
  Upgrade: dropped,
  DPoP: dropped,
  Forwarded: dropped,
  "X-Forwarded-*": dropped,
  "X-Real-IP": dropped,
  Expect: (direct, through) => through.length === 0,
  Origin: asTheRowSays,
  Referer: asTheRowSays,
  Cookie: (direct, through, { wants }) => wants.browser && through.length === 0,
  Via: (direct, through) => through.length === direct.length + 1 && /^1\.[01] [\w.-]+-[\w]+$/.test(through.at(-1)),
  "X-Request-Id": added,
  "Accept-Encoding": (direct, through, { wants }) => wants.document && through.join() === "identity",
  Range: (direct, through, { wants }) => wants.document && through.length === 0,
  "If-*": (direct, through, { wants }) => wants.document && through.length === 0,
};

/** Of an answer, as the client sees it. `dropped` ones never pass, even where both sides have them. */
export const ANSWER_RULES = {
  Connection: (direct, through) => ["", "close", "keep-alive"].includes(through.join()), // ours
  "Keep-Alive": dropped,
  "Proxy-*": dropped,
  TE: dropped,
  "Transfer-Encoding": (direct, through) => ["", "chunked"].includes(through.join()),
  Upgrade: dropped,
  "Alt-Svc": dropped,
  "Strict-Transport-Security": dropped,
  "Clear-Site-Data": dropped,
  "Access-Control-*": dropped,
  "Proxy-Status": dropped,
  "X-Request-Id": added,
  Date: (direct, through) => through.length === 1 && isNow(through[0]) && (direct.length === 0 || isNow(direct[0])),
  Location: asTheRowSays,
  "Set-Cookie": asTheRowSays,
};

/** The fields that a table of docs/forwarding.md names in its first column. */
export async function documented(section) {
  const page = await readFile(new URL("../../docs/forwarding.md", import.meta.url), "utf8");
  const [, text] = page.split(`## ${section}\n`);
  const rows = text.split("\n## ")[0].split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| what") && !line.startsWith("| ---"));
  const names = rows.flatMap((row) => [...row.split("|")[1].matchAll(/`([A-Z][\w-]*\*?)(?:: [^`]*)?`/g)].map(([, name]) => name));
  return [...new Set(names)].sort();
}

/**
 * Compares two lists of fields by name: values and their order. Every difference must be allowed by a rule or be
 * what the row expects, and every rule that applied is noted.
 *
 * @param {{rules: object, applied: Set<string>, wants: object, expected?: object}} how `expected`: name to the values
 *   through the proxy, where only the row can know them
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
