// Searches the output and the admin responses of all programs of a run for credentials: for each secret in every
// encoding, and for each piece of twelve characters of a token or private key; and for text that Rust formats for
// programmers instead of users (`Debug`). Exits with 1 if it finds any.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CREDENTIALS, DIRECTORY, TRACED } from "./printed.mjs";

/** The length in characters of a piece that counts as a leak. */
const PIECE = 12;

/** What `Debug` makes of the values that errors contain most often, and of any struct or nested variant. */
const DEBUG = /\b(?:Some|Ok|Err)\(|\bOs \{ code|\b[A-Z]\w* \{ [a-z_]+: |\b[A-Z][a-z]+\w*\([A-Z][a-z]+\w*[({)]/;
/** Lines of the most verbose levels are for programmers. */
const VERBOSE = /\bTRACE\b|\bDEBUG\b/;

const credentials = readFileSync(CREDENTIALS, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const words = new Set(credentials.filter(({ secret }) => secret).flatMap(encodingsOf));
const pieces = new Set(credentials.filter(({ token }) => token).flatMap(piecesOf));

const files = readdirSync(DIRECTORY).filter((name) => name.endsWith(".log"));
let characters = 0;
let traced = 0;
let adminLogs = 0;
let hits = 0;
for (const file of files) {
  const text = readFileSync(join(DIRECTORY, file), "utf8");
  characters += text.length;
  traced += text.split("\n", 1)[0].endsWith(TRACED);
  adminLogs += file.endsWith(".admin.log");
  for (const found of [...hitsIn(text), ...debugTextIn(text)]) {
    hits += 1;
    console.error(`FAILED  ${found} is printed by ${text.split("\n", 1)[0]}; see ${join(DIRECTORY, file)}`);
  }
}
console.log(
  `${files.length - adminLogs} programs (${traced} of them at level trace) and ${adminLogs} admin listeners, ${(characters / 1e6).toFixed(1)} MB; ` +
    `${words.size} encodings and ${pieces.size} pieces of ${credentials.length} credentials: ${hits} hits`,
);
// Having nothing to search, or nothing to search for, is a failure.
process.exitCode = hits || !traced || !words.size || !pieces.size ? 1 : 0;

/** A secret as plain text and in every encoding in which it is sent. */
function encodingsOf({ secret, id }) {
  const encodings = [(text) => text, percent, encodeURIComponent, (text) => new URLSearchParams({ "": text }).toString().slice(1)];
  const plain = encodings.map((encode) => encode(secret));
  const pairs = id ? encodings.map((encode) => `${encode(id)}:${encode(secret)}`) : [];
  const encoded = [...plain, ...pairs].flatMap((text) =>
    ["base64", "base64url"].map((encoding) => Buffer.from(text).toString(encoding).replace(/=+$/, "")),
  );
  return [...plain, ...encoded];
}

/** RFC 6749 2.3.1: percent-encodes everything except unreserved characters. */
function percent(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The pieces of a JWT's payload and signature. The header is the same in all of them and is not secret. */
function piecesOf({ token }) {
  const parts = token.split(".");
  return (parts.length === 3 ? parts.slice(1) : parts).flatMap((part) =>
    part.length < PIECE ? [part] : Array.from({ length: part.length - PIECE + 1 }, (_, start) => part.slice(start, start + PIECE)),
  );
}

function* debugTextIn(text) {
  const line = text.split("\n").slice(1).find((line) => DEBUG.test(line) && !VERBOSE.test(line));
  if (line) yield `Debug text, ${JSON.stringify(line)},`;
}

function* hitsIn(text) {
  for (const word of words) {
    if (text.includes(word)) yield `the secret ${JSON.stringify(word)}`;
  }
  for (const [run] of text.matchAll(/[A-Za-z0-9_+/-]{12,}/g)) {
    for (let start = 0; start + PIECE <= run.length; start += 1) {
      const piece = run.slice(start, start + PIECE);
      if (pieces.has(piece)) {
        yield `the piece ${piece} of a token or key`;
        return;
      }
    }
  }
}
