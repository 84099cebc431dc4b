// First use: `cupbearer init` on a terminal and without one, then doctor, run and curl, with the servers of the demo
// and a certified authorization server; and what init must never do.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startAuthlibServer } from "./authlib_server.mjs";
import { CLIENTS, RESOURCE, startAuthorizationServer } from "./authorization_server.mjs";
import { JWT_TYPE } from "./custom_grants.mjs";
import { createIssuer } from "./identity_issuer.mjs";
import { startApi } from "./api.mjs";
import { startSession } from "./keyring_session.mjs";
import { registerSecret } from "./printed.mjs";
import { CUPBEARER, run, start, startProxy, statusOf, temporaryDirectory, until } from "./support.mjs";
import { CTRL_C, CTRL_D, converse } from "./terminal.mjs";

const { id: ID, secret: SECRET } = CLIENTS.basic;
/** The longest that init, doctor, run and one curl may take together. */
const THREE_MINUTES_MS = 180_000;
const TOKEN_TOOL = fileURLToPath(new URL("token_tool.mjs", import.meta.url));
/** The first question: as a machine. */
const WHOM = ["How should requests be authorized[\\s\\S]*\\[1\\] ", ""];
const SPIFFE_ID = "spiffe://example.org/orders";
const SPIFFE_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

test("the addresses of the demo are enough for init, doctor, run and a 200", async (t) => {
  const demo = await startDemo(t);
  const directory = await temporaryDirectory(t);
  const file = join(directory, "cupbearer.toml");
  const started = Date.now();
  const answers = [
    WHOM,
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

test("flags are enough for every identity: check accepts what is written, and the API responds with 200", async (t) => {
  const scene = await identities(t);
  for (const [name, { flags, renewed, api = scene.api }] of Object.entries(await scene.kinds())) {
    const file = join(scene.directory, name, "cupbearer.toml");
    await renewed?.();
    const line = ["init", "--listen", "127.0.0.1:0", "--upstream", api.url, ...flags, "--out", file];
    const { code, stdout, stderr } = await run(CUPBEARER, line);
    assert.equal(code, 0, `${name}: ${stdout}${stderr}`);
    const checked = await run(CUPBEARER, ["check", "--config", file]);
    assert.equal(checked.code, 0, `${name}: ${checked.stderr}`);
    assert.doesNotMatch(checked.stderr, /warning/, name);
    await renewed?.();
    const proxy = await startProxy(["--config", file]);
    t.after(() => proxy.stop());
    assert.equal(await statusOf(`${proxy.url}/api/v1/certificates`), 200, `${name}: ${proxy.output.stderr}`);
  }
});

test("flags of identities that do not fit together are refused at once, with exit code 2", async (t) => {
  const file = join(await temporaryDirectory(t), "c.toml");
  const base = ["init", "--upstream", "https://api.example.com", "--out", file];
  for (const [words, problem] of [
    ["--token-file a --client-id b", /'--token-file <FILE>' cannot be used with '--client-id <ID>'/],
    ["--token-endpoint https://as.example.com/token --client-id b --auth none", /--auth none is only for --grant authorization_code, device_code, jwt_bearer or token_exchange/],
    ["--token-file a --token-header Cookie", /--token-header: Cookie has a meaning of its own and cannot carry the token/],
    ["--token-endpoint https://as.example.com/token --auth none --assertion-file a --param scope=b", /--param: scope is set by the token request itself/],
  ]) {
    const { code, stderr } = await run(CUPBEARER, [...base, ...words.split(" ")]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, problem);
    assert.ok(!existsSync(file));
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

test("odd answers are explained and asked for again, and check accepts what is written", async (t) => {
  const { flags, directory, apiUrl, tokenUrl, env } = await servers(t);
  const file = join(directory, "my files", "it's.toml");
  const questions = [
    [WHOM[0], ["0", "3", "somebody"], "not one of the choices", "1"],
    ["The API\\.[\\s\\S]*> ", ["", "docs", "ftp://x/", "https://", "javascript:alert(1)", "https://user:pw@x.com"], "is not an address", `${apiUrl}/docs`],
    ["Token Endpoint[\\s\\S]*> ", ["", "?", "https://auth.pingone.eu/as/token", "http://as.example.com/token"], ": ", tokenUrl],
    ["Client ID:[\\s\\S]*> ", ["", "   ", "\u00f6"], "is not a client id", ID],
    ["Authentication Method[\\s\\S]*\\] ", ["0", "6", "basic", "none", "-1"], "not one of the choices", "client_secret_basic"],
    ["Scopes[\\s\\S]*\\] ", ["a  b", "\"a\"", "\u00e4"], "is not a valid scope", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\] ", ["9", "yes"], "not one of the choices", "1"],
    ["Client Secret[\\s\\S]*it is not shown while you paste or type it\\): ", ["", ID, ` ${SECRET}`], "secret (is empty|begins or ends)|this is the client id", SECRET],
    ["Where should the configuration be written[\\s\\S]*\\] ", [directory, `${directory}/`, join(directory, "x.client_secret")], "is a directory|not the name of a file|is where a secret would be stored", file],
  ];
  const script = questions.flatMap(([question, odd, complaint, answer]) => {
    // The secret's prompt is awaited whole: complaints contain colons, and what is typed before the prompt is echoed.
    const asked = question.slice(question.lastIndexOf("]*") + 2);
    const again = odd.slice(1).map((text) => [`(${complaint})[\\s\\S]*${asked}`, text]);
    return [[question, odd[0]], ...again, [`(${complaint})[\\s\\S]*${asked}`, answer]];
  });
  const { code, screen } = await converse(["init", ...listenOf(flags)], script, { env, cwd: directory });
  assert.equal(code, 0, screen);
  assert.ok(!screen.includes(SECRET), "the secret is on the screen");
  const checked = await run(CUPBEARER, ["check", "--config", file]);
  assert.equal(checked.code, 0, checked.stderr);
  const line = / {2}(cupbearer --config .*)\r\n/.exec(screen)[1];
  const said = await run("sh", ["-c", line.replace(/^cupbearer/, '"$0" health'), CUPBEARER]);
  assert.ok(!/unexpected|No such file|cannot be read/.test(said.stderr), `${line}: ${said.stderr}`);
  assert.equal((await run("sh", ["-c", line.replace(/^cupbearer/, '"$0" check'), CUPBEARER])).code, 0, line);
});

test("Ctrl-C at any question, or while the addresses are tried, leaves no file and no terminal without echo", async (t) => {
  const { flags, directory, apiUrl, tokenUrl, env } = await servers(t);
  const asked = join(await temporaryDirectory(t), "asked");
  const silent = createServer(() => writeFileSync(asked, "")).listen(0, "127.0.0.1"); // accepts, and says nothing
  await once(silent, "listening");
  t.after(() => silent.close());
  const kept = join(directory, "kept.toml");
  writeFileSync(kept, "kept");
  const answers = [
    WHOM,
    ["The API\\.[\\s\\S]*> ", apiUrl],
    ["Token Endpoint[\\s\\S]*> ", tokenUrl],
    ["Client ID:[\\s\\S]*> ", ID],
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\] ", "1"],
    ["Client Secret \\(it is not shown", SECRET],
    ["Where should the configuration be written[\\s\\S]*\\] ", kept],
    ["Overwrite it\\?[\\s\\S]*\\[no\\] ", "no"],
  ];
  const ends = answers.map(([question], index) => [...answers.slice(0, index), [question, CTRL_C]]);
  const hung = `http://127.0.0.1:${silent.address().port}/token`;
  ends.push([...answers.slice(0, 2), [answers[2][0], hung], ["Trying both addresses", CTRL_C, asked]]);
  ends.push([...answers.slice(0, 2), [answers[2][0], "http://127.0.0.1:1/token"], ["anyway\\?[\\s\\S]*\\[no\\] ", CTRL_C]]);
  const asPerson = [
    [WHOM[0], "2"],
    ["The API\\.[\\s\\S]*> ", apiUrl],
    ["leave it empty[\\s\\S]*\\] ", ""],
    ["where you copy a token[\\s\\S]*\\] ", ""],
    ["Where should the configuration be written[\\s\\S]*\\] ", kept],
  ];
  ends.push(...asPerson.map(([question], index) => [...asPerson.slice(0, index), [question, CTRL_C]]));
  const withBrowser = [
    ...asPerson.slice(0, 2),
    [asPerson[2][0], "native"],
    ["Where will you sign in[\\s\\S]*\\] ", ""],
    ["Token Endpoint[\\s\\S]*> ", tokenUrl],
    ["Authorization Endpoint[\\s\\S]*> ", tokenUrl],
    ["Scopes[\\s\\S]*\\] ", ""],
  ];
  ends.push(...withBrowser.map(([question], index) => [...withBrowser.slice(0, index), [question, CTRL_C]]).slice(3));
  const before = filesBelow(directory);
  for (const script of ends) {
    const { code, screen } = await converse(["init", ...listenOf(flags)], script, { env, cwd: directory });
    assert.ok(code === 1 || code === 130, `${script.at(-1)[0]}: ${code}: ${screen}`); // 130: ended by SIGINT
    assert.ok(!screen.includes(SECRET), "the secret is on the screen");
    assert.deepEqual(filesBelow(directory), before, script.at(-1)[0]);
    assert.equal(readFileSync(kept, "utf8"), "kept");
  }
});

test("a signal while init tries the configuration ends the commands that it has started", async (t) => {
  const { directory, apiUrl } = await servers(t);
  const started = join(directory, "started");
  const script = join(directory, "tool");
  writeFileSync(script, `#!/bin/sh\necho $$ > ${started}.new; mv ${started}.new ${started}\nsleep 300\n`, { mode: 0o755 });
  const flags = ["init", "--upstream", apiUrl, "--token-command", script, "--read-only", "--force", "--out", join(directory, "c.toml")];
  const hasEnded = () => {
    const pid = Number(readFileSync(started, "utf8"));
    assert.ok(pid > 1);
    try { process.kill(pid, 0); } catch { return true; }
    return false;
  };
  const { code, screen } = await converse(flags, [["Trying the configuration", CTRL_C, started]], { cwd: directory });
  assert.equal(code, 130, screen);
  await until(hasEnded, "the command goes on after Ctrl-C");
  rmSync(started);
  const asked = await start(flags, () => existsSync(started));
  assert.equal(await asked.stop(), 143);
  await until(hasEnded, "the command goes on after SIGTERM");
});

test("beside the demo, init names who has the port and prints a line with another one, which works", async (t) => {
  const demo = await startDemo(t);
  const directory = await temporaryDirectory(t);
  const file = join(directory, "c.toml");
  const secret = join(directory, "secret");
  writeFileSync(secret, demo.secret, { mode: 0o600 });
  const flags = ["init", "--upstream", `${demo.api}/docs`, "--token-endpoint", demo.token, "--client-id", demo.id,
    "--secret-file", secret, "--out", file];

  // The command that the demo proposes needs no other port.
  const [, hint] = await until(() => / {4}cupbearer init (--listen localhost:\d+)\n/.exec(demo.current()), "the demo proposes nothing");
  const own = await run(CUPBEARER, [...flags, ...hint.split(" ")], { env: demo.env });
  assert.equal(own.code, 0, own.stdout + own.stderr);

  flags.push("--force");
  const env = { ...demo.env, CUPBEARER_ADMIN__LISTEN: demo.admin };
  flags.push("--listen", `localhost:${demo.port}`);
  const same = await run(CUPBEARER, flags, { env });
  assert.equal(same.code, 0, same.stdout + same.stderr);
  assert.match(same.stderr, /A proxy with this configuration is already running: .*\n.*\nTo run another one beside it:\n {2}cupbearer .* --listen localhost:\d+/);
  const taken = await run(CUPBEARER, [...flags, "--read-only"], { env });
  assert.equal(taken.code, 1, taken.stdout + taken.stderr);
  assert.match(taken.stderr, /is used by another cupbearer \(process \d+\), which forwards to the same API, but as another client or with another guard\./);
  const [, line, port] = / {2}cupbearer (.* --listen localhost:(\d+) --admin localhost:\d+)\n/.exec(taken.stderr);
  assert.match(taken.stderr, new RegExp(`to http://localhost:${port};`));
  const listens = ({ stdout, stderr }) => /listens on\s+http:\/\/localhost/.test(stdout + stderr);
  const proxy = await start(line.split(" "), listens);
  t.after(() => proxy.stop());
  assert.equal(await statusOf(`http://localhost:${port}/api/v1/certificates`), 200);

  const log = demo.current();
  assert.ok(!/who-holds-this-port|host_refused/.test(log), `the demo's log has a trace of the doctor: ${log}`);
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

test("a keyring entry that init has replaced is put back if the configuration cannot be written, and Ctrl-C waits for both", async (t) => {
  const { flags, directory } = await servers(t);
  const attributes = ["service", "cupbearer", "username", ID];
  const session = await startSession(t, { attributes });
  const renames = "?rename,?renameat,?renameat2";
  const init = (out, injected, ...more) => converse([...flags, "--out", out], [
    ["Authentication Method[\\s\\S]*\\] ", ""],
    ["Scopes[\\s\\S]*\\] ", ""],
    ["Where should the Client Secret be stored[\\s\\S]*\\[1\\] ", "2"],
    ["The keyring already has .*\\. Replace it\\?[\\s\\S]*\\[no\\] ", "yes"],
    ["Client Secret \\(it is not shown", SECRET],
    ...more,
  ], { env: session.env, under: ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${renames}`, "-e", `inject=${renames}:${injected}`] });
  const file = join(directory, "c.toml");
  await session.store("the secret before");
  const failed = await init(file, "error=EIO");
  assert.equal(failed.code, 1, failed.screen);
  assert.match(failed.screen, /c\.toml cannot be written/);
  assert.equal(await session.lookup(...attributes), "the secret before");
  assert.equal(existsSync(file), false);

  // Ctrl-C comes between the two: the entry is there, and the configuration is not.
  const isStored = join(directory, "is-stored");
  const ended = init(file, "delay_enter=5000000", ["", CTRL_C, isStored]);
  await until(async () => (await session.lookup(...attributes)) === SECRET, "the entry is not replaced");
  assert.equal(existsSync(file), false);
  writeFileSync(isStored, "");
  const interrupted = await ended;
  assert.equal(interrupted.code, 130, interrupted.screen);
  assert.equal(await session.lookup(...attributes), SECRET);
  assert.ok(existsSync(file));
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
  const env = withoutKeyring(directory);
  return { flags, directory, apiUrl: api.url, tokenUrl: authorizationServer.tokenUrl, env };
}

/** The flags that set the listener. */
const listenOf = (flags) => flags.slice(flags.indexOf("--listen"), flags.indexOf("--listen") + 2);

/** An environment whose files are all below `directory`, without the keyring of the user who runs the tests. */
function withoutKeyring(directory) {
  const home = { HOME: directory, TMPDIR: directory, XDG_CONFIG_HOME: directory, XDG_RUNTIME_DIR: directory };
  return { ...home, DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(directory, "none")}` };
}

/** The files and folders of a directory, without what gsettings keeps there, which the doctor asks about proxies. */
const filesBelow = (directory) => readdirSync(directory, { recursive: true }).filter((name) => !name.startsWith("dconf")).sort();

/** The demo, and the values in its configuration, which a user would paste. */
async function startDemo(t) {
  const home = await temporaryDirectory(t);
  const demo = await start(["demo", "--listen", "localhost:0", "--set", "admin.listen=127.0.0.1:0"], ({ stdout, stderr }) => /^ +(\/\S+\.toml)$/m.exec(stdout + stderr), {
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
  const current = () => demo.output.stdout + demo.output.stderr;
  const [, admin] = /admin\s+http:\/\/(\S+?)\//.exec(current());
  const [, port] = /listens on\s+http:\/\/\S+?:(\d+)/.exec(current());
  return { api, token, id: value("client_id"), secret, env: withoutKeyring(home), port, admin, current };
}

/** An authorization server that trusts another issuer, an API, and the flags of `init` for each kind of identity. */
async function identities(t) {
  const workloads = await createIssuer("https://workloads.example.com");
  const authorizationServer = await startAuthorizationServer({ jwks: workloads.jwks, trusted: workloads });
  t.after(() => authorizationServer.close());
  const apiOf = async (server, options) => {
    const api = await startApi(server, options);
    t.after(() => api.close());
    return api;
  };
  const api = await apiOf(authorizationServer);
  const directory = await temporaryDirectory(t);
  const write = (name, text, mode = 0o600) => {
    writeFileSync(join(directory, name), text, { mode });
    return join(directory, name);
  };
  registerSecret(SECRET, ID);
  const encode = (text) => new URLSearchParams({ "": text }).toString().slice(1);
  const authorization = `Basic ${Buffer.from(`${encode(ID)}:${encode(SECRET)}`).toString("base64")}`;
  const body = `grant_type=client_credentials&resource=${encodeURIComponent(RESOURCE)}`;
  const headers = { authorization, "content-type": "application/x-www-form-urlencoded" };
  const obtain = async () => (await fetch(authorizationServer.tokenUrl, { method: "POST", headers, body })).json();
  const writeToken = async () => write("token", (await obtain()).access_token);
  const metadata = createHttpServer(async (request, response) => {
    if (request.headers.metadata !== "true" || request.url !== "/token?resource=x") return response.writeHead(400).end();
    const { access_token, expires_in } = await obtain();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ access_token, expires_in }));
  }).listen(0, "127.0.0.1");
  await once(metadata, "listening");
  t.after(() => (metadata.close(), metadata.closeAllConnections()));

  const { issuer, tokenUrl } = authorizationServer;
  const sign = (claims) => workloads.sign({ sub: "orders", aud: issuer, ...claims });
  const server = ["--token-endpoint", tokenUrl];
  const client = ({ id }) => ["--client-id", id];
  const { exchanger, federated, privateKeyJwt } = CLIENTS;
  registerSecret(exchanger.secret, exchanger.id);
  const assertion = write("assertion", await sign());
  const key = write("key.json", JSON.stringify(workloads.privateKey));
  const exchange = [
    ...server, ...client(exchanger), "--auth", exchanger.auth, "--secret-file", write("exchanger", exchanger.secret),
    "--subject-token-file", assertion, "--subject-token-type", JWT_TYPE, "--param", `audience=${RESOURCE}`,
  ];
  const options = JSON.stringify({ tokenUrl, authorization, directory });
  const az = write("az", `#!/bin/sh\nexec '${process.execPath}' '${TOKEN_TOOL}' '${options}' az "$@"\n`, 0o700);
  const spiffe = await startAuthlibServer(t, { trusted: workloads, subject: SPIFFE_ID, clientId: "orders-job", assertionType: SPIFFE_TYPE });
  const svid = join(directory, "svid");
  const own = { iss: privateKeyJwt.id, sub: privateKeyJwt.id };
  const renewedFile = join(directory, "client_assertion");
  const kinds = async () => ({
    "a file with tokens": {
      flags: ["--token-file", join(directory, "token")],
      renewed: writeToken,
    },
    "a command": { flags: ["--token-command", `'${az}' account get-access-token --resource api://orders --output json`] },
    "a metadata server": {
      flags: ["--token-http", `http://127.0.0.1:${metadata.address().port}/token?resource=x`, "--token-http-header", "Metadata: true"],
    },
    "a private key": { flags: [...server, ...client(privateKeyJwt), "--private-key-file", key] },
    "a client assertion": {
      flags: [...server, ...client(privateKeyJwt), "--client-assertion-file", renewedFile],
      renewed: async () => write("client_assertion", await sign(own)), // oidc-provider accepts each only once
    },
    "a client assertion with a type of its own": {
      flags: [
        "--token-endpoint", spiffe.tokenUrl, "--client-id", "orders-job",
        "--client-assertion-file", svid, "--client-assertion-type", SPIFFE_TYPE,
      ],
      renewed: async () => write("svid", await workloads.sign({ iss: undefined, sub: SPIFFE_ID, aud: [spiffe.issuer] })),
      api: await apiOf(spiffe),
    },
    "an API that expects the token in another field": {
      flags: ["--token-file", join(directory, "token"), "--token-header", "X-Api-Key", "--token-prefix=", "--keep-authorization"],
      renewed: writeToken,
      api: await apiOf(authorizationServer, { field: "x-api-key" }),
    },
    "an assertion": { flags: [...server, ...client(federated), "--auth", "none", "--assertion-file", assertion] },
    "an assertion that is signed here": {
      flags: [
        ...server, ...client(federated), "--auth", "none", "--grant", "jwt_bearer", "--private-key-file", key,
        "--claim", `iss=${workloads.issuer}`, "--claim", "sub=orders", "--claim", `aud=${issuer}`,
      ],
    },
    "an exchanged token": { flags: exchange },
    "an exchanged token with an actor": {
      flags: [...exchange, "--actor-token-file", write("actor", await sign({ sub: "gateway" })), "--actor-token-type", JWT_TYPE],
    },
  });
  return { api, directory, kinds };
}
