// Sources of the client secret: the desktop's keyring (GNOME Keyring on a D-Bus session of the test's own, where
// secret-tool has stored the secret), a system without a keyring, and systemd's credentials.

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
/** The keyring's limit (5 s), and time for a process. */
const LIMIT_MS = 7_000;

const fromKeyring = ({ tokenUrl }) => `url = ${JSON.stringify(tokenUrl)}\nclient_secret = { keyring = "${ENTRY}" }`;

test("a secret that secret-tool has stored is used, and so is its replacement after a rejection", async (t) => {
  const session = await startSession(t, { attributes: ATTRIBUTES });
  await session.store(CLIENTS.basic.secret);
  const { authorizationServer, proxy } = await setUp(t, { token: fromKeyring, env: session.env });
  assert.equal((await curl("--fail", `${proxy.url}/api/v1/certificates`)).code, 0);

  await session.store("the next secret");
  authorizationServer.rotate("the next secret");
  const refreshed = authorizationServer.tokenRequests.length + 2; // rejected with the old secret, granted with the new one
  while (authorizationServer.tokenRequests.length < refreshed) {
    assert.equal((await curl("--fail", `${proxy.url}/api/v1/certificates`)).code, 0);
  }
  assert.deepEqual(authorizationServer.tokenRequests.slice(-2).map(({ status }) => status), [401, 200]);
});

test("for a missing entry the error shows the command that stores it", async (t) => {
  const session = await startSession(t, { attributes: ATTRIBUTES });
  const output = await check(t, session.env);
  assert.match(output, /the keyring's entry cupbearer\/e2e cannot be read: it has no such entry/);
  assert.match(output, /secret-tool store --label="cupbearer" service "cupbearer" username "e2e"/);
});

test("without a keyring the error proposes the other sources at once", async (t) => {
  const directory = await temporaryDirectory(t);
  const started = Date.now();
  const output = await check(t, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(directory, "none")}`, XDG_RUNTIME_DIR: directory });
  assert.match(output, /there is no keyring on this system/);
  assert.match(output, /\{ file = "…" \}, \{ command = \["…"\] \} or \{ env = "…" \}/);
  assert.ok(Date.now() - started < 2_000, `${Date.now() - started} ms`);
});

test("a session bus without a secret service counts as no keyring", async (t) => {
  const session = await startSession(t, { keyring: false });
  assert.match(await check(t, session.env), /there is no keyring on this system/);
});

test("a keyring that does not answer is abandoned after 5 s", async (t) => {
  const directory = await temporaryDirectory(t);
  const silent = createServer((socket) => socket.on("error", () => {})).listen(join(directory, "bus"));
  await once(silent, "listening");
  t.after(() => silent.close());
  const started = Date.now();
  const output = await check(t, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(directory, "bus")}` });
  assert.match(output, /it did not answer within 5 s/);
  assert.match(output, /\{ file = "…" \}/);
  assert.ok(Date.now() - started < LIMIT_MS, `${Date.now() - started} ms`);
});

test("a systemd credential is read from the directory that systemd names, and is an error if there is none", async (t) => {
  const directory = await temporaryDirectory(t);
  writeFileSync(join(directory, "client_secret"), CLIENTS.basic.secret, { mode: 0o400 });
  const token = ({ tokenUrl }) => `url = ${JSON.stringify(tokenUrl)}\nclient_secret = { file = "$CREDENTIALS_DIRECTORY/client_secret" }`;
  const { proxy, file } = await setUp(t, { token, env: { CREDENTIALS_DIRECTORY: directory } });
  assert.equal((await curl("--fail", `${proxy.url}/api/v1/certificates`)).code, 0, proxy.output.stderr);

  const { code, stderr } = await run(CUPBEARER, ["check", "--config", file]);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /token\.client_secret .*CREDENTIALS_DIRECTORY is not set.*LoadCredential=client_secret:PATH/);
});

/** The output of `cupbearer check` for a configuration whose secret is in the keyring; it exits with 3. */
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
