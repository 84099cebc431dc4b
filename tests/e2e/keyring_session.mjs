// A private D-Bus session with GNOME Keyring: the keyring of a desktop, without a desktop.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { run, temporaryDirectory, until } from "./support.mjs";

const PASSWORD = "the keyring's own password";

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
    daemon.stdin.end(PASSWORD);
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
    /** Locks the keyring, as a person does in its settings. */
    async lock() {
      const [service, collection] = ["/org/freedesktop/secrets", "/org/freedesktop/secrets/collection/login"];
      const order = ["--session", "--print-reply", "--dest=org.freedesktop.secrets", service, "org.freedesktop.Secret.Service.Lock"];
      const { code, stderr } = await run("dbus-send", [...order, `array:objpath:${collection}`], { env });
      assert.equal(code, 0, stderr);
    },
    /** Unlocks it with its password, as logging in to the desktop does. */
    unlock: () => unlock(join(runtime, "keyring", "control")),
    /** Counts how often a program asks the person to unlock it, from now on. */
    async countPrompts() {
      const seen = { count: 0 };
      const rule = "type='method_call',interface='org.freedesktop.Secret.Prompt'";
      const monitor = spawn("dbus-monitor", ["--session", rule], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
      t.after(() => monitor.kill());
      let output = "";
      monitor.stdout.setEncoding("utf8").on("data", (text) => {
        output += text;
        seen.count = output.split("member=Prompt").length - 1;
      });
      await until(() => output.includes("NameAcquired"), "the bus is not observed");
      return seen;
    },
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

/** The request of the PAM module of GNOME Keyring: its length, the operation, and the password. */
async function unlock(control) {
  const number = (value) => { const bytes = Buffer.alloc(4); bytes.writeUInt32BE(value); return bytes; };
  const password = Buffer.from(PASSWORD);
  const request = Buffer.concat([number(12 + password.length), number(1), number(password.length), password]);
  const socket = connect(control);
  socket.write(Buffer.concat([Buffer.from([0]), request])); // the first byte carries the credentials
  const [response] = await once(socket, "data");
  socket.destroy();
  assert.equal(response.readUInt32BE(4), 0, "the keyring is not unlocked");
}
