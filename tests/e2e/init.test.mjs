// First use: `cupbearer init` on a terminal and without one, then doctor, run and curl, with the servers of the demo and
// a certified authorization server; and what init must never do.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CLIENTS, startAuthorizationServer } from "./authorization_server.mjs";
import { startApi } from "./api.mjs";
import { startSession } from "./keyring_session.mjs";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, run, start, startProxy, statusOf, temporaryDirectory } from "./support.mjs";
import { CTRL_C, CTRL_D, converse } from "./terminal.mjs";

const { id: ID, secret: SECRET } = CLIENTS.basic;
/** The longest that init, doctor, run and one curl may take together. */
const THREE_MINUTES_MS = 180_000;

test("the addresses of the demo are enough for init, doctor, run and a 200", async (t) => {
  const demo = await startDemo(t);
  const directory = await temporaryDirectory(t);
  const file = join(directory, "cupbearer.toml");
  const started = Date.now();
  const answers = [
    ["The API\\.[\\s\\S]*> ", "the docs page"], // a typical mistake
    ["is not an address[\\s\\S]*> ", `  "${demo.api}/docs#/certificates" `],
    ["= http://127\\.0\\.0\\.1:\\d+\r\n[\\s\\S]*> ", `Token Endpoint: ${demo.token}`],
    ["Client ID:[\\s\\S]*> ", demo.id],
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\[1\\] ", "1"],
    ["Client Secret \\(it is not shown", demo.id], // another one
    ["this is the client id[\\s\\S]*Client Secret \\(it is not shown", demo.secret],
    ["Where should the configuration be written[\\s\\S]*\\] ", file],
  ];
  const { code, screen } = await converse(["init", "--listen", "127.0.0.1:0"], answers, { env: demo.env, cwd: directory });
  assert.equal(code, 0, screen);
  assert.match(screen, /All is well\./);
  assert.ok(screen.includes(`cupbearer --config ${file}`) || /Now run:\r\n {2}cupbearer\r\n/.test(screen), screen);
  assert.ok(!screen.includes(demo.secret), "the secret is on the screen");

  const text = readFileSync(file, "utf8");
  assert.ok(!text.includes(demo.secret));
  assert.match(text, /^# .+\nurl = "http:\/\/127\.0\.0\.1:\d+"$/m, "each value has a description above it");
  assert.equal(statSync(join(directory, "cupbearer.client_secret")).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(directory).sort(), ["cupbearer.client_secret", "cupbearer.toml"]);

  assert.equal((await run(CUPBEARER, ["doctor", "--config", file])).code, 0);
  const proxy = await startProxy(["--config", file]);
  t.after(() => proxy.stop());
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200);
  const took = Date.now() - started;
  assert.ok(took < THREE_MINUTES_MS, `${took} ms`);
  t.diagnostic(`init, doctor, run and one curl took ${took} ms`);
});

test("without a terminal, flags are enough: the secret comes from standard input, a command or a file", async (t) => {
  const { flags, directory } = await servers(t);
  const held = join(directory, "held");
  writeFileSync(held, `${SECRET}\n`, { mode: 0o600 });
  for (const [index, { more, input }] of [
    { more: ["--secret-stdin"], input: `${SECRET}\n` },
    { more: ["--secret-command", `cat '${held}'`] },
    { more: ["--secret-file", held] },
  ].entries()) {
    const file = join(directory, String(index), "c.toml");
    const { code, stdout, stderr } = await run(CUPBEARER, [...flags, ...more, "--out", file], { input });
    assert.equal(code, 0, stdout + stderr);
    const proxy = await startProxy(["--config", file]);
    t.after(() => proxy.stop());
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, more[0]);
  }
});

test("without a terminal, all missing or invalid flags are reported at once, with exit code 2", async () => {
  const missing = await run(CUPBEARER, ["init"]);
  assert.equal(missing.code, 2);
  for (const flag of ["--upstream", "--token-endpoint", "--client-id", "--secret-file"]) {
    assert.ok(missing.stderr.includes(flag), `${flag}: ${missing.stderr}`);
  }
  const wrong = await run(CUPBEARER, ["init", "--upstream", "docs", "--listen", "nowhere"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--upstream: .*: .*\n.*--listen: .*: /);
  const before = await run(CUPBEARER, ["--config", "x", "init"]);
  assert.equal(before.code, 2);
  assert.match(before.stderr, /flags before the command/);
});

test("if the authorization server refuses the secret, the exit code says so and the file is kept", async (t) => {
  const { flags, directory } = await servers(t);
  const file = join(directory, "c.toml");
  const { code, stdout, stderr } = await run(CUPBEARER, [...flags, "--secret-stdin", "--out", file], { input: "another secret" });
  assert.equal(code, 4, stdout + stderr);
  assert.match(stderr, new RegExp(`cupbearer doctor --config ${file}`));
  assert.ok(existsSync(file));
});

test("on a terminal, a refused secret is typed again, and all other answers are defaults", async (t) => {
  const { flags, directory } = await servers(t);
  const file = join(directory, "c.toml");
  const again = [
    ["The API\\.[\\s\\S]*\\] ", ""],
    ["Token Endpoint[\\s\\S]*\\] ", ""],
    ["Client ID:[\\s\\S]*\\] ", ""],
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\] ", ""],
    ["Client Secret \\(not shown; press Enter to keep", SECRET],
  ];
  const { code, screen } = await converse([...flags, "--out", file], [
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\] ", ""],
    ["Client Secret \\(it is not shown", "a mistyped secret"],
    ["Answer again.*\r\n.*\\[yes\\] ", ""],
    ...again,
  ]);
  assert.equal(code, 0, screen);
  assert.ok(!screen.includes(SECRET) && !screen.includes("a mistyped secret"), screen);
});

test("unreachable addresses are reported before anything else is asked, and can be pasted again", async (t) => {
  const { flags, directory, tokenUrl } = await servers(t);
  const elsewhere = tokenUrl.replace(/\/[0-9a-f-]{36}\//, "/00000000-0000-0000-0000-000000000000/");
  const line = [...flags.filter((flag) => flag !== "--token-endpoint" && flag !== tokenUrl), "--out", join(directory, "c.toml")];
  const { screen } = await converse(line, [
    ["Token Endpoint[\\s\\S]*> ", tokenUrl.replace(/:\d+/, ":1")],
    ["Continue with these addresses anyway\\?[\\s\\S]*\\[no\\] ", ""],
    ["The API\\.[\\s\\S]*\\] ", ""],
    ["Token Endpoint[\\s\\S]*\\] ", elsewhere],
    ["Continue with these addresses anyway\\?[\\s\\S]*\\[no\\] ", ""],
    ["The API\\.[\\s\\S]*\\] ", ""],
    ["Token Endpoint[\\s\\S]*\\] ", tokenUrl],
    ["Both can be reached[\\s\\S]*Authentication Method[\\s\\S]*\\] ", CTRL_D],
  ]);
  assert.match(screen, /token endpoint: connection .* could not connect to/);
  assert.match(screen, /failed.* issuer's metadata/);
  assert.match(screen, /nothing has been written/);
  assert.deepEqual(readdirSync(directory), []);
});

test("nothing is overwritten without a yes or --force, and an interrupted run leaves no files behind", async (t) => {
  const { flags, directory } = await servers(t);
  const held = join(directory, "held");
  writeFileSync(held, SECRET, { mode: 0o600 });
  const file = join(directory, "c.toml");
  writeFileSync(file, "kept");
  const line = [...flags, "--secret-file", held, "--auth", "client_secret_basic", "--scope", "", "--out", file];

  const refused = await run(CUPBEARER, line);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /exists and is not overwritten: .*--out FILE.*--force/);

  for (const [answer, then] of [["no", CTRL_D], ["no", CTRL_C]]) {
    const { screen } = await converse(line, [["Overwrite it\\?[\\s\\S]*\\[no\\] ", answer], ["Where should the configuration[\\s\\S]*\\] ", then]]);
    assert.equal(readFileSync(file, "utf8"), "kept", screen);
  }
  const left = await converse([...flags, "--out", join(directory, "new.toml")], [
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\] ", ""],
    ["Client Secret \\(it is not shown", CTRL_C],
  ]);
  assert.equal(left.code, 1, left.screen);
  assert.match(left.screen, /nothing has been written/);
  assert.deepEqual(readdirSync(directory).sort(), ["c.toml", "held"]);

  const { code, screen } = await converse(line, [["Overwrite it\\?[\\s\\S]*\\[no\\] ", "yes"]]);
  assert.equal(code, 0, screen);
  assert.match(readFileSync(file, "utf8"), /client_id = /);
});

test("a working keyring is offered and stores the secret, which the proxy then reads from it", async (t) => {
  const { flags, directory } = await servers(t);
  const session = await startSession(t);
  const file = join(directory, "c.toml");
  const attributes = ["service", "cupbearer", "username", ID];
  const questions = [
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["2  in this system's keyring[\\s\\S]*\\[1\\] ", "2"],
  ];
  const { code, screen } = await converse([...flags, "--out", file],
    [...questions, ["Client Secret \\(it is not shown", SECRET]], { env: session.env });
  assert.equal(code, 0, screen);
  assert.equal(await session.lookup(...attributes), SECRET);
  assert.ok(!existsSync(join(directory, "c.client_secret")));
  assert.match(readFileSync(file, "utf8"), /client_secret = \{ keyring = "cupbearer\//);

  const proxy = await startProxy(["--config", file], { env: session.env });
  t.after(() => proxy.stop());
  assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200);

  // An existing entry is not replaced without asking.
  const second = await converse([...flags, "--out", join(directory, "d.toml")],
    [...questions, ["The keyring already has .*\\. Replace it\\?[\\s\\S]*\\[no\\] ", ""]], { env: session.env });
  assert.equal(second.code, 0, second.screen);
  assert.equal(await session.lookup(...attributes), SECRET);
});

test("an entry of the keyring that one round has only read is replaced in the next one only after a yes", async (t) => {
  const { flags, directory } = await servers(t);
  const attributes = ["service", "cupbearer", "username", ID];
  const session = await startSession(t, { attributes });
  await session.store("another secret");
  const replace = (answer) => ["The keyring already has .*\\. Replace it\\?[\\s\\S]*\\[no\\] ", answer];
  const again = [
    ["Answer again.*\r\n.*\\[yes\\] ", ""],
    ["The API\\.[\\s\\S]*\\] ", ""],
    ["Token Endpoint[\\s\\S]*\\] ", ""],
    ["Client ID:[\\s\\S]*\\] ", ""],
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\[2\\] ", ""],
  ];
  const first = [
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\[1\\] ", "2"],
    replace("no"),
  ];
  const kept = await converse([...flags, "--out", join(directory, "c.toml")],
    [...first, ...again, replace("no"), ["Answer again.*\r\n.*\\[yes\\] ", "no"]], { env: session.env });
  assert.equal(kept.code, 4, kept.screen);
  assert.equal(await session.lookup(...attributes), "another secret");

  const { code, screen } = await converse([...flags, "--out", join(directory, "d.toml")],
    [...first, ...again, replace("yes"), ["Client Secret \\(it is not shown", SECRET]], { env: session.env });
  assert.equal(code, 0, screen);
  assert.equal(await session.lookup(...attributes), SECRET);
});

for (const [name, options] of [["none exists", { keyring: false }], ["it cannot be unlocked", { locked: true }]]) {
  test(`a keyring is not offered if ${name}, and the question appears without delay`, async (t) => {
    const { flags, directory } = await servers(t);
    const session = await startSession(t, options);
    const started = Date.now();
    const { code, screen } = await converse([...flags, "--out", join(directory, "c.toml")], [
      ["Authentication Method[\\s\\S]*\\] ", ""],
      ["Scopes[\\s\\S]*\\] ", ""],
      ["Where should the Client Secret be stored[\\s\\S]*\\] ", "2"],
      ["Which command prints the secret\\?[\\s\\S]*> ", "printf x"],
      ["Answer again[\\s\\S]*\\] ", "no"],
    ], { env: session.env });
    assert.equal(code, 4, screen);
    assert.ok(!screen.includes("keyring"), screen);
    assert.ok(Date.now() - started < 20_000, `${Date.now() - started} ms`);
  });
}

test("help, usage errors and log lines are coloured only on a terminal, and not with NO_COLOR", async (t) => {
  const { flags, directory } = await servers(t);
  const held = join(directory, "held");
  writeFileSync(held, SECRET, { mode: 0o600 });
  const file = join(directory, "c.toml");
  assert.equal((await run(CUPBEARER, [...flags, "--secret-file", held, "--out", file])).code, 0);
  const colour = /\x1b\[[0-9;]*m/;
  const served = [["listens on[\\s\\S]*INFO[\\s\\S]*\n", CTRL_C]];
  for (const [args, script] of [[["--help"], []], [["--no-such-flag"], []], [["--config", file], served]]) {
    const shown = await converse(args, script);
    assert.match(shown.screen, colour, args.join(" "));
    const plain = await converse(args, script, { env: { NO_COLOR: "1" } });
    assert.doesNotMatch(plain.screen, colour, args.join(" "));
  }
  for (const args of [["--help"], ["--no-such-flag"], ["doctor", "--config", file]]) {
    const { stdout, stderr } = await run(CUPBEARER, args);
    assert.doesNotMatch(stdout + stderr, colour, args.join(" "));
  }
});

/** An authorization server, an API, and the arguments of `init` with their addresses. */
async function servers(t) {
  const authorizationServer = await startAuthorizationServer();
  t.after(() => authorizationServer.close());
  const api = await startApi(authorizationServer);
  t.after(() => api.close());
  const directory = await temporaryDirectory(t);
  for (const secret of [SECRET, "a mistyped secret", "another secret"]) registerSecret(secret, ID);
  const flags = ["init", "--upstream", `${api.url}/docs`, "--token-endpoint", authorizationServer.tokenUrl,
    "--client-id", ID, "--listen", "127.0.0.1:0"];
  return { flags, directory, tokenUrl: authorizationServer.tokenUrl };
}

/** The demo, and the values in its configuration, which a user would paste. */
async function startDemo(t) {
  const home = await temporaryDirectory(t);
  const demo = await start(["demo", "--listen", "localhost:0"], ({ stdout, stderr }) => /^ +(\/\S+\.toml)$/m.exec(stdout + stderr), {
    env: { TMPDIR: home },
  });
  t.after(() => demo.stop());
  assert.doesNotMatch(demo.output.stdout + demo.output.stderr, /localhost:0\b/, "the demo must show the port that it listens on, not the one that was asked for");
  const text = readFileSync(demo.found[1], "utf8");
  const value = (name) => new RegExp(`${name} = (?:\\{ file = )?"([^"]+)"`).exec(text)[1];
  const [api, token] = [...text.matchAll(/^url = "([^"]+)"$/gm)].map(([, url]) => url);
  const secret = readFileSync(value("client_secret"), "utf8").trim();
  registerSecret(secret, value("client_id"));
  // Without the keyring of the user who runs the tests.
  const env = { HOME: home, DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(home, "none")}`, XDG_RUNTIME_DIR: home };
  return { api, token, id: value("client_id"), secret, env };
}
