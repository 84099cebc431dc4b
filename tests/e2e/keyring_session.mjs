// A private D-Bus session with GNOME Keyring: the keyring of a desktop, without a desktop.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, temporaryDirectory, until } from "./support.mjs";

/** A session bus that allows everything and starts nothing on demand. */
const busConfiguration = (socket) => `<busconfig>
  <type>session</type>
  <listen>unix:path=${socket}</listen>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>`;

/** Starts a session with an unlocked GNOME Keyring, with a locked one (`locked`), or without one (`keyring: false`). */
export async function startSession(t, { keyring = true, locked = false, attributes = [] } = {}) {
  const home = await temporaryDirectory(t);
  const runtime = join(home, "run");
  mkdirSync(runtime, { mode: 0o700 });
  const env = { HOME: home, XDG_DATA_HOME: join(home, "data"), XDG_RUNTIME_DIR: runtime };
  const config = join(home, "bus.conf");
  writeFileSync(config, busConfiguration(join(runtime, "bus")));
  const bus = spawn("dbus-daemon", [`--config-file=${config}`, "--nofork", "--nopidfile", "--print-address=1"],
    { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => bus.kill());
  const [address] = await once(bus.stdout.setEncoding("utf8"), "data");
  env.DBUS_SESSION_BUS_ADDRESS = address.trim();
  if (keyring) {
    const daemon = spawn("gnome-keyring-daemon", ["--foreground", "--components=secrets", ...(locked ? [] : ["--unlock"])],
      { env: { ...process.env, ...env }, stdio: ["pipe", "ignore", "ignore"] });
    t.after(() => daemon.kill());
    daemon.stdin.end("the keyring's own password");
  }
  const store = (secret, ...attributes) => run("secret-tool", ["store", "--label=cupbearer", ...attributes], { input: secret, env });
  if (keyring && locked) {
    const listed = () => run("secret-tool", ["lookup", "service", "other"], { env }); // it is running once it finds nothing and reports no error
    await until(async () => (await listed()).stderr === "", "the keyring did not start");
  } else if (keyring) {
    await until(async () => (await store("x", "service", "other")).code === 0, "the keyring did not start");
  }
  return {
    env,
    /** The secret that secret-tool finds, or null. */
    async lookup(...wanted) {
      const { code, stdout } = await run("secret-tool", ["lookup", ...wanted], { env });
      return code === 0 ? stdout : null;
    },
    async store(secret) {
      const { code, stderr } = await store(secret, ...attributes);
      assert.equal(code, 0, stderr);
    },
  };
}
