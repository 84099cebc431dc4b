// Where the client secret may be: in the desktop's keyring (GNOME Keyring on a D-Bus session of the test's own,
// where the system's own tool has stored it), and what is said where there is none; among systemd's credentials.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { startApi } from "./api.mjs";
import { startSession } from "./keyring_session.mjs";
import { CUPBEARER, curl, run, setUp, temporaryDirectory, writeConfiguration } from "./support.mjs";

const ENTRY = "cupbearer/e2e";
const ATTRIBUTES = ["service", "cupbearer", "username", "e2e"];
/** What the keyring is given (5 s), and a process beside it. */
const LIMIT_MS = 7_000;

const fromKeyring = ({ tokenUrl }) => `url = ${JSON.stringify(tokenUrl)}\nclient_secret = { keyring = "${ENTRY}" }`;

test("a secret that secret-tool has stored is found, and its replacement after a refusal", async (t) => {
  const session = await startSession(t, { attributes: ATTRIBUTES });
  await session.store(CLIENTS.basic.secret);
  const { authorizationServer, proxy } = await setUp(t, { token: fromKeyring, env: session.env });
  assert.equal((await curl("--fail", `${proxy.url}/api/v1/certificates`)).code, 0);

  await session.store("the next secret");
  authorizationServer.rotate("the next secret");
  const refreshed = authorizationServer.tokenRequests.length + 2; // refused with the old one, granted with the new one
  while (authorizationServer.tokenRequests.length < refreshed) {
    assert.equal((await curl("--fail", `${proxy.url}/api/v1/certificates`)).code, 0);
  }
  assert.deepEqual(authorizationServer.tokenRequests.slice(-2).map(({ status }) => status), [401, 200]);
});

test("an entry that is not there is told with the command that stores it", async (t) => {
  const session = await startSession(t, { attributes: ATTRIBUTES });
  const said = await check(t, session.env);
  assert.match(said, /the keyring's entry cupbearer\/e2e cannot be read: it has no such entry/);
  assert.match(said, /secret-tool store --label="cupbearer" service "cupbearer" username "e2e"/);
});

test("where there is no keyring the other sources are proposed, at once", async (t) => {
  const directory = await temporaryDirectory(t);
  const started = Date.now();
  const said = await check(t, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(directory, "none")}`, XDG_RUNTIME_DIR: directory });
  assert.match(said, /there is no keyring on this system/);
  assert.match(said, /\{ file = "…" \}, \{ command = \["…"\] \} or \{ env = "…" \}/);
  assert.ok(Date.now() - started < 2_000, `${Date.now() - started} ms`);
});

test("a session bus on which nobody keeps secrets is no keyring", async (t) => {
  const session = await startSession(t, { keyring: false });
  assert.match(await check(t, session.env), /there is no keyring on this system/);
});

test("a keyring that says nothing is given 5 s", async (t) => {
  const directory = await temporaryDirectory(t);
  const silent = createServer((socket) => socket.on("error", () => {})).listen(join(directory, "bus"));
  await once(silent, "listening");
  t.after(() => silent.close());
  const started = Date.now();
  const said = await check(t, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(directory, "bus")}` });
  assert.match(said, /it gave no answer within 5 s/);
  assert.match(said, /\{ file = "…" \}/);
  assert.ok(Date.now() - started < LIMIT_MS, `${Date.now() - started} ms`);
});

test("a credential of systemd's is found in the directory that it names, and nowhere without one", async (t) => {
  const directory = await temporaryDirectory(t);
  writeFileSync(join(directory, "client_secret"), CLIENTS.basic.secret, { mode: 0o400 });
  const token = ({ tokenUrl }) => `url = ${JSON.stringify(tokenUrl)}\nclient_secret = { file = "$CREDENTIALS_DIRECTORY/client_secret" }`;
  const { proxy, file } = await setUp(t, { token, env: { CREDENTIALS_DIRECTORY: directory } });
  assert.equal((await curl("--fail", `${proxy.url}/api/v1/certificates`)).code, 0, proxy.output.stderr);

  const { code, stderr } = await run(CUPBEARER, ["check", "--config", file]);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /token\.client_secret .*CREDENTIALS_DIRECTORY is not set.*LoadCredential=client_secret:PATH/);
});

/** What `cupbearer check` says of a configuration whose secret is in the keyring; it exits with 3. */
async function check(t, env) {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const file = await writeConfiguration(await temporaryDirectory(t), { authorizationServer, api, client: "basic", token: fromKeyring });
  const { code, stdout, stderr } = await run(CUPBEARER, ["check", "--config", file], { env });
  assert.equal(code, 3, stderr);
  return stdout + stderr;
}
