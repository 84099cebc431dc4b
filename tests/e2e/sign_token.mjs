// Prints a new token on each run, as a program that issues identities does: node sign_token.mjs KEY_FILE CLAIMS

import { readFileSync } from "node:fs";
import { sign } from "./identity_issuer.mjs";

const [keyFile, claims] = process.argv.slice(2);
console.log(await sign(JSON.parse(readFileSync(keyFile, "utf8")), JSON.parse(claims)));
