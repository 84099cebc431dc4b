// A broken environment, created in a namespace: a full disk for the log, and no name resolution. cupbearer serves
// completely or says why not, and never hangs, not even when it stops.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, readFileSync, realpathSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { testInNamespace } from "./namespace.mjs";
import { ask, configurationFor, startCombinedServer, writeSecret } from "./stand_ins.mjs";
import { start, startProxy, temporaryDirectory, until } from "./support.mjs";

testInNamespace("with a log on a full disk every request is answered, lost lines are counted, and logging continues when there is space", async (scene) => {
  const { url } = await startCombinedServer(scene);
  const directory = await temporaryDirectory(scene);
  const [file, secret, disk] = ["cupbearer.toml", "secret", "disk"].map((part) => join(directory, part));
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
  scene.after(() => execFileSync("umount", ["--lazy", disk]));
  writeSecret(secret);
  writeFileSync(file, configurationFor({ url, secret, port: 6749, more: '[log]\naccess = "all"\nlevel = "info"' }));
  const log = join(disk, "log");
  writeFileSync(log, "");
  const under = ["sh", "-c", `exec "$0" "$@" 2>>${log}`];
  const proxy = await start(["--config", file], () => readFileSync(log, "utf8").includes("listens on"), { under, env: { CUPBEARER_LOG__LEVEL: "info" } });
  scene.after(() => proxy.stop());

  let slowest = 0;
  for (let number = 0; number < 1000; number += 1) {
    const { status, ms } = await ask("http://127.0.0.1:6749/");
    assert.equal(status, 200);
    slowest = Math.max(slowest, ms);
  }
  assert.ok(slowest < 1000, `${slowest} ms`);
  const metrics = await (await fetch("http://127.0.0.1:6750/metrics")).text();
  const lost = Number(/^cupbearer_log_lines_dropped_total (\d+)/m.exec(metrics)[1]);
  scene.figure("1,000 requests with a log of 64 KiB: lines lost, slowest answer", `${lost}, ${slowest.toFixed(0)} ms`);
  assert.ok(lost > 0 && statSync(log).size <= 65536, `${lost}, ${statSync(log).size}`);

  truncateSync(log);
  await ask("http://127.0.0.1:6749/again");
  await until(() => readFileSync(log, "utf8").includes("/again"), "logging continues");
  assert.equal(await proxy.stop(), 0);
});

for (const [name, content] of [["no name server", "garbage\n"], ["a silent name server", "nameserver 127.0.0.1\n"]]) {
  testInNamespace(`with ${name} the proxy is live at once, reports the cause as not ready, and responds and stops in time`, async (scene) => {
    const directory = await temporaryDirectory(scene);
    const [file, secret, resolv] = ["cupbearer.toml", "secret", "resolv.conf"].map((part) => join(directory, part));
    const silent = createSocket("udp4").bind(53, "127.0.0.1");
    await once(silent, "listening");
    if (!content.startsWith("nameserver")) silent.close();
    else scene.after(() => silent.close());
    writeFileSync(resolv, content);
    execFileSync("mount", ["--bind", resolv, realpathSync("/etc/resolv.conf")]);
    writeSecret(secret);
    writeFileSync(file, configurationFor({ url: "https://api.test", token: "https://as.test/token", secret, port: 6749 }));
    const began = Date.now();
    const proxy = await startProxy(["--config", file]);
    scene.after(() => proxy.stop("SIGKILL"));
    scene.figure(`${name}: listens after, ms`, Date.now() - began);
    assert.ok(Date.now() - began < 5000);

    const live = await ask("http://127.0.0.1:6750/live");
    assert.equal(live.status, 200);
    const ready = await fetch("http://127.0.0.1:6750/ready");
    assert.equal(ready.status, 503, await ready.clone().text());
    const { status, reason, ms } = await ask("http://127.0.0.1:6749/");
    assert.deepEqual([status, reason], [503, "token_unavailable"]);
    assert.ok(ms < 11_000, `${ms}`);
    await until(async () => /as\.test/.test(await (await fetch("http://127.0.0.1:6750/ready")).text()), "the cause");

    await sleep(1500); // so that another lookup is in progress
    const signalled = Date.now();
    assert.equal(await proxy.stop(), 0);
    scene.figure(`${name}: responds after, stops after, ms`, `${ms.toFixed(0)}, ${Date.now() - signalled}`);
    assert.ok(Date.now() - signalled < 3000, `${Date.now() - signalled} ms`);
  });
}
