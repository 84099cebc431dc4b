// Stands in for a command line that is logged in already, and prints a token of the authorization server in the form of
// `az`, `gcloud` or `vault`: node token_tool.mjs OPTIONS NAME ARGUMENTS. `OPTIONS` is JSON with the token endpoint, the
// client and a directory. The directory records the runs, and `mode` in it decides what goes wrong.

import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [options, name, ...words] = process.argv.slice(2);
const { tokenUrl, authorization, directory } = JSON.parse(options);
const at = (file) => join(directory, file);
const mode = existsSync(at("mode")) ? readFileSync(at("mode"), "utf8") : "";

appendFileSync(at("runs"), `${JSON.stringify({ name, words, cwd: process.cwd(), variables: Object.keys(process.env) })}\n`);

/** What each program prints for exactly these arguments. */
const forms = {
  "az account get-access-token --resource api://orders --output json": ({ token, expires }) => ({
    accessToken: token,
    // Local time without a zone.
    expiresOn: new Date(expires * 1000).toISOString().replace("T", " ").replace("Z", "000"),
    expires_on: expires,
    subscription: "00000000-0000-0000-0000-000000000001",
    tenant: "00000000-0000-0000-0000-000000000002",
    tokenType: "Bearer",
  }),
  "gcloud config config-helper --format json": ({ token, expires }) => ({
    configuration: { active_configuration: "default", properties: { core: { account: "job@example.com" } } },
    credential: { access_token: token, id_token: "x.y.z", token_expiry: new Date(expires * 1000).toISOString().replace(".000Z", "Z") },
    sentinels: { config_sentinel: "/home/job/.config/gcloud/config_sentinel" },
  }),
  "vault read -field token identity/oidc/token/orders": ({ token }) => token,
};

const form = forms[[name, ...words].join(" ")];
if (!form) {
  console.error(`${name}: unexpected arguments: ${words.join(" ")}`);
  process.exit(2);
}
if (mode === "logged out") {
  console.error("WARNING: the cache is empty");
  console.error("\u001b[31mERROR: Please run 'az login' to setup account.\u001b[0m");
  process.exit(1);
}
const token = mode === "cached" && existsSync(at("cache")) ? JSON.parse(readFileSync(at("cache"), "utf8")) : await requestToken();
writeFileSync(at("cache"), JSON.stringify(token), { mode: 0o600 });
if (mode === "talkative") {
  console.log(`Your token is ${token.token}`);
  console.error(`got ${token.token}`);
  process.exit(0);
}
const printed = form(token);
console.log(typeof printed === "string" ? printed : JSON.stringify(printed, null, 2));

async function requestToken() {
  const body = "grant_type=client_credentials&resource=https%3A%2F%2Fself-service-api.example.com";
  const headers = { authorization, "content-type": "application/x-www-form-urlencoded" };
  const response = await fetch(tokenUrl, { method: "POST", headers, body });
  const { access_token, expires_in } = await response.json();
  return { token: access_token, expires: Math.floor(Date.now() / 1000) + expires_in };
}
