// The client secret is replaced under load: the old secret is rejected at once, and no request is lost.

import assert from "node:assert/strict";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CLIENTS, TOKEN_LIFETIME_S } from "./authorization_server.mjs";
import { setUp, temporaryDirectory, until } from "./support.mjs";

const WORKERS = 16;

const replacements = {
  "by renaming a file": (directory) => {
    const file = join(directory, "client_secret");
    writeFileSync(file, CLIENTS.basic.secret, { mode: 0o600 });
    return {
      file,
      replace(secret) {
        writeFileSync(`${file}.new`, secret, { mode: 0o600 });
        renameSync(`${file}.new`, file);
      },
    };
  },
  "by swapping a Kubernetes volume": (directory) => {
    const version = (name, secret) => {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, "client_secret"), secret);
    };
    version("..1", CLIENTS.basic.secret);
    symlinkSync("..1", join(directory, "..data"));
    symlinkSync("..data/client_secret", join(directory, "client_secret"));
    return {
      file: join(directory, "client_secret"),
      replace(secret) {
        version("..2", secret);
        symlinkSync("..2", join(directory, "..data_tmp"));
        renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
      },
    };
  },
};

for (const [name, replacement] of Object.entries(replacements)) {
  test(`replacing the secret ${name} under load loses no request`, async (t) => {
    const { file, replace } = replacement(await temporaryDirectory(t));
    const token = ({ tokenUrl }) => `url = ${JSON.stringify(tokenUrl)}\nclient_secret = { file = ${JSON.stringify(file)} }`;
    const { authorizationServer, api, proxy } = await setUp(t, { token });
    assert.ok(!proxy.output.stderr.includes("can be read by every user"), "neither form causes a warning");

    const load = startLoad(proxy);
    await until(() => authorizationServer.tokenRequests.length >= 2, "a first refresh");
    // In one turn of the event loop, so that the server cannot respond in between.
    replace("the next secret");
    authorizationServer.rotate("the next secret");
    const at = Date.now();
    await until(() => Date.now() - at > 3 * TOKEN_LIFETIME_S * 1000, "three lifetimes");
    const { answered, failures } = await load.stop();

    assert.deepEqual(failures, []);
    // On a busy machine, a token may expire while a request with it waits in the API, which costs a second attempt.
    const late = api.seen.filter(({ status }) => status === 401).length;
    assert.equal(api.seen.length - late, answered);
    const after = authorizationServer.tokenRequests.filter((request) => request.at >= at);
    const rejected = after.filter(({ status }) => status !== 200).length;
    assert.ok(rejected <= 1, `${rejected} token requests with the old secret`);
    assert.equal(after.find(({ status }) => status === 200).at - at < 5_000, true, "tried within 5 s");
    t.diagnostic(`${answered} requests, 0 lost, ${late} sent again after a 401; ${after.length} token requests after the change, ${rejected} rejected`);
  });
}

function startLoad(proxy) {
  let running = true;
  let answered = 0;
  const failures = [];
  const workers = Array.from({ length: WORKERS }, async () => {
    while (running) {
      const response = await fetch(`${proxy.url}/api/v1/certificates`);
      await response.arrayBuffer();
      answered += 1;
      if (response.status !== 200) failures.push(response.status);
    }
  });
  return {
    async stop() {
      running = false;
      await Promise.all(workers);
      return { answered, failures };
    },
  };
}
