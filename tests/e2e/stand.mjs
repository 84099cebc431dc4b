// A proxy between a stand-in token endpoint and a stand-in upstream without packages, for tests of load and of
// the process's life, and one plain request to it.

import { writeFile } from "node:fs/promises";
import { createServer, request as send } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { startTokens } from "./soak_world.mjs";
import { startProxy, temporaryDirectory } from "./support.mjs";

/**
 * Everything, torn down when the test ends.
 *
 * @param {(request, response) => void} handle the upstream
 * @param {{config?: string, lifetimeS?: number}} options `config` is TOML that goes to the end of the file
 */
export async function setUpStand(t, handle, { config = "", lifetimeS = 3600, ...options } = {}) {
  const tokens = await startTokens(lifetimeS);
  const upstream = createServer(handle).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  t.after(() => Promise.all([tokens.close(), upstream.close(), upstream.closeAllConnections()]));
  const directory = await temporaryDirectory(t);
  const [file, secret] = [join(directory, "cupbearer.toml"), join(directory, "secret")];
  await writeFile(secret, "s3cret", { mode: 0o600 });
  await writeFile(file, `listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[upstream]
url = "http://127.0.0.1:${upstream.address().port}"
[token]
url = "${tokens.url}"
client_id = "id"
client_secret = { file = ${JSON.stringify(secret)} }
${config}
`);
  const begin = async (...args) => {
    const proxy = await startProxy(["--config", file, ...args], { env: { CUPBEARER_LOG__LEVEL: "error" }, ...options });
    t.after(() => proxy.stop("SIGKILL"));
    return proxy;
  };
  return { directory, file, secret, tokens, begin, proxy: await begin() };
}

/**
 * One GET: status, reason, time, and where it failed the error's code; status 0 without an answer.
 *
 * @param {string} url
 * @param {import("node:http").RequestOptions} options
 */
export function ask(url, options = { agent: false }) {
  const start = performance.now();
  return new Promise((resolve) => {
    const end = (status, more) => resolve({ status, ms: performance.now() - start, ...more });
    const failed = (error) => end(0, { code: error.code, reused: asked.reusedSocket });
    const asked = send(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => (text += piece)).on("error", failed);
      response.on("end", () => end(response.statusCode, { reason: /"reason":"(\w+)"/.exec(text)?.[1], closes: response.headers.connection === "close" }));
    });
    asked.setTimeout(30_000, () => asked.destroy());
    asked.on("error", failed).end();
  });
}

/** `rate` requests a second for `forMs`, come what may; `at` is when each was sent, from the start. */
export async function offer(one, rate, forMs) {
  const start = performance.now();
  const sent = [];
  for (let now = 0; now < forMs; now = performance.now() - start) {
    while (sent.length < (rate * now) / 1000) {
      const [at, number] = [now, sent.length];
      sent.push(one(number).then((answer) => ({ at, number, ...answer })));
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return Promise.all(sent);
}
