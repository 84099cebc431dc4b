// What the tests of the live page share: proxies in known states, and a browser that looks at their pages.

import { createServer, request } from "node:http";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openBrowser } from "./browser.mjs";
import { curl, run, setUp, startProxy, temporaryDirectory, until } from "./support.mjs";

/** The address of a proxy's admin listener, from its banner. */
export const adminOf = (proxy) => /admin +(http:\/\/[\w.]+:\d+)/.exec(proxy.output.stderr)[1];

/**
 * Opens the live page of a proxy, and records what it does that it must not do.
 *
 * @returns {Promise<{page: import("playwright-core").Page, foreign: string[], violations: string[]}>} requests to other
 *   origins, and violations of the Content-Security-Policy, script errors and dialogs
 */
export async function openLivePage(t, proxy, { context, ...options } = {}) {
  const browser = context ?? (await openBrowser(t));
  const page = await browser.newPage(options);
  const admin = adminOf(proxy);
  const [foreign, violations] = [[], []];
  page.on("request", (one) => new URL(one.url()).origin === admin || one.url().startsWith("blob:") || foreign.push(one.url()));
  page.on("pageerror", (error) => violations.push(String(error)));
  page.on("dialog", (dialog) => violations.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("console", (message) => /Content.Security.Policy|Trusted/i.test(message.text()) && violations.push(message.text()));
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(event.violatedDirective));
  });
  await page.goto(`${admin}/`);
  return { page, foreign, violations, admin };
}

/** Waits until the page has connected and shows no `Connecting…`. */
export async function settled(page) {
  await page.waitForFunction(() => document.getElementById("state").dataset.severity !== "unknown");
}

/** The row of the table whose path is this one. */
export const rowOf = (page, path) => page.locator("#rows tr").filter({ has: page.getByText(path, { exact: true }) });

/** A token endpoint that answers as `answer` says, and can change its mind. */
export async function startTokenEndpoint(t, answer) {
  const endpoint = { answer };
  const server = createServer((request, response) => {
    request.resume();
    const { status, body } = endpoint.answer();
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close() ?? server.closeAllConnections());
  endpoint.lines = () => [
    `url = "http://127.0.0.1:${server.address().port}/token"`,
    'client_secret = { env = "PAGE_TEST_SECRET" }',
  ].join("\n");
  return endpoint;
}

/** Starts two proxies in one process: `orders`, whose URL is returned, and `certificates`. */
export async function startTwo(t) {
  const [one, two] = [await setUp(t), await setUp(t)];
  const file = async ({ file }, name, more) => {
    await writeFile(file, `name = "${name}"\n${await readFile(file, "utf8")}${more}`);
    return file;
  };
  for (const { proxy } of [one, two]) await proxy.stop();
  const files = [await file(one, "orders", '[admin]\nlisten = "127.0.0.1:0"\n'), await file(two, "certificates", "")];
  const proxy = await startProxy(files.flatMap((path) => ["--config", path]));
  t.after(() => proxy.stop());
  return proxy;
}

/** What each scene's proxy needs besides its token endpoint. */
export const SECRET_ENV = { PAGE_TEST_SECRET: "a secret of the page's tests" };

/** A GET to the proxy, whatever comes of it. */
export const visit = (proxy, path = "/api/v1/certificates", ...more) => curl("--output", "/dev/null", "--globoff", "--path-as-is", `${proxy.url}${path}`, ...more);

/** The states that a person must tell apart, each with the code of the card that names it; `nothing` has none. */
export const SCENES = {
  nothing: {
    code: undefined,
    async start(t) {
      const scene = await setUp(t, { config: ACCESS });
      await visit(scene.proxy);
      return scene;
    },
  },
  "token endpoint down": {
    code: "token_unavailable",
    async start(t) {
      const endpoint = await startTokenEndpoint(t, () => ({ status: 503, body: { error: "temporarily_unavailable" } }));
      return setUp(t, { config: ACCESS, token: endpoint.lines, env: SECRET_ENV });
    },
  },
  "secret refused": {
    code: "token_refused",
    start: (t) => setUp(t, { config: ACCESS, secret: "a secret that nobody knows" }),
  },
  "role missing": {
    code: "role_missing",
    async start(t) {
      const scene = await setUp(t, { config: ACCESS, client: "auditor" });
      for (let count = 0; count < 3; count += 1) await visit(scene.proxy, "/api/v1/certificates/first", "--request", "DELETE");
      return scene;
    },
  },
  "API down": {
    code: "upstream_refused",
    async start(t) {
      const scene = await setUp(t, { config: ACCESS });
      await until(async () => (await curl(`${adminOf(scene.proxy)}/ready`)).stdout.startsWith("ready"), "there is no token");
      await scene.api.close();
      await visit(scene.proxy);
      return { ...scene, api: undefined };
    },
  },
  "API failing": {
    code: "api_failing",
    async start(t) {
      const scene = await setUp(t, { config: ACCESS });
      await until(async () => (await curl(`${adminOf(scene.proxy)}/ready`)).stdout.startsWith("ready"), "there is no token");
      await scene.api.close();
      const failing = createServer((request, response) => response.writeHead(503).end("maintenance"));
      failing.listen(new URL(scene.api.url).port, "127.0.0.1");
      await once(failing, "listening");
      t.after(() => failing.close() ?? failing.closeAllConnections());
      for (let count = 0; count < 3; count += 1) await visit(scene.proxy);
      return { ...scene, api: undefined };
    },
  },
  "caller unknown": {
    code: "caller_unknown",
    async start(t) {
      const config = `${ACCESS}[guard.callers.ci]\nkey = { env = "PAGE_TEST_KEY" }\n`;
      const scene = await setUp(t, { config, env: { PAGE_TEST_KEY: "a-key-of-a-page-test-with-forty-characters" } });
      await visit(scene.proxy, "/api/v1/certificates", "--user", "x:another-key-with-more-than-forty-characters");
      return scene;
    },
  },
  "configuration refused": {
    code: "configuration_refused",
    async start(t) {
      const scene = await setUp(t, { config: ACCESS });
      await writeFile(scene.file, "this is not TOML");
      return scene;
    },
  },
};

/** States that only some installations can be in. */
export const RARER_SCENES = {
  "sign-in needed": {
    code: "login_required",
    async start(t) {
      const file = join(await temporaryDirectory(t), "cupbearer.toml");
      const api = 'listen = "127.0.0.1:0"\nupstream.url = "http://127.0.0.1:1"\n';
      await writeFile(file, `${api}token.grant = "paste"\ntoken.login_url = "http://127.0.0.1:1/copy"\n${ACCESS}`);
      const proxy = await startProxy(["--config", file]);
      t.after(() => proxy.stop());
      return { proxy };
    },
  },
  "certificate near its end": {
    code: "certificate_expires",
    async start(t) {
      const directory = await temporaryDirectory(t);
      const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(directory, name));
      const newKey = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3"];
      await run("openssl", [...newKey, "-subj", "/CN=client", "-keyout", key, "-out", cert]);
      return setUp(t, { config: `${ACCESS}[tls]\ncert_file = "${cert}"\nkey_file = "${key}"\n` });
    },
  },
};

export const ACCESS = '[log]\naccess = "all"\nformat = "json"\n';

/** Sends requests at about this rate over a few connections until `stop` is called; returns how many were sent. */
export function load(proxy, perSecond, path = (number) => `/load/${number}`) {
  let [isStopped, sent] = [false, 0];
  const { hostname, port } = new URL(proxy.url);
  const begun = Date.now();
  const timer = setInterval(() => {
    for (const due = ((Date.now() - begun) * perSecond) / 1000; sent < due && !isStopped; sent += 1) {
      const one = request({ hostname, port, path: path(sent) }, (response) => response.resume());
      one.on("error", () => {}).end();
    }
  }, 20);
  return {
    stop() {
      isStopped = true;
      clearInterval(timer);
      return sent;
    },
  };
}
