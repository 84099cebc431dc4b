// Takes the pictures of docs/images: `tests/run --picture`.
//
// Starts the demo in a pseudo-terminal, runs the two commands that it prints, and renders the terminal's text in
// Chromium. Then sends more requests and takes screenshots of the live page, light and dark.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { load } from "./page_scenes.mjs";
import { CUPBEARER, cleanEnvironment, curl, until } from "./support.mjs";

const [directory] = process.argv.slice(2);
const WIDTH = 1000;

/** How long there is traffic before a picture of the live page. */
const TRAFFIC_MS = 20_000;

const demo = spawn("script", ["--quiet", "--return", "--command", `stty cols 140; exec ${CUPBEARER} demo`, "/dev/null"], {
  env: { ...cleanEnvironment(), TERM: "xterm" },
  stdio: ["pipe", "pipe", "inherit"],
});
let screen = "";
demo.stdout.setEncoding("utf8").on("data", (text) => (screen += text));

try {
  const commands = await until(() => {
    const lines = plain(screen).match(/\bcurl .*\/api\/v1\/\S+(?=\r?\n)/g);
    return lines?.length >= 2 && /^ {2}token {2,}\S/m.test(plain(screen)) && lines;
  }, "the demo did not print its commands");
  const banner = screen;
  const answers = commands.map((command) => `$ ${command}\n${shorten(execFileSync("sh", ["-c", `${command} 2>/dev/null`], { encoding: "utf8" }))}`);
  const [, proxy] = /listens on +(http:\S+)/.exec(plain(banner));
  const [, admin] = /admin +(http:\S+)/.exec(plain(banner));
  for (const path of ["/api/v1/certificates", "/api/v1/hostnames", "/api/v1/nowhere", "/docs"]) await curl(`${proxy}${path}`);
  await curl("--request", "DELETE", `${proxy}/api/v1/certificates/nothing`);

  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_BIN, args: ["--no-sandbox", "--disable-gpu"] });
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 400 } });
  await page.setContent(terminal(`$ cupbearer demo\n${banner}\n${answers.join("\n\n")}`));
  await page.locator("main").screenshot({ path: join(directory, "demo.png") });
  const paths = ["certificates", "hostnames", "certificates", "hostnames", "certificates", "nowhere"];
  const traffic = load({ url: proxy }, 8, (number) => `/api/v1/${paths[number % paths.length]}`);
  for (const colorScheme of ["light", "dark"]) {
    const live = await browser.newPage({ viewport: { width: 1280, height: 860 }, colorScheme });
    await live.goto(admin);
    await live.waitForTimeout(TRAFFIC_MS); // so that the plots have something to show
    await live.screenshot({ path: join(directory, `live-${colorScheme}.png`) });
  }
  traffic.stop();
  await browser.close();
} finally {
  demo.stdin.write("\x03"); // Ctrl-C
  await once(demo, "exit");
}

/** Without escape sequences. */
function plain(text) {
  return text.replace(/\x1b\[[\d;]*m/g, "").replaceAll("\r", "");
}

/** The status line, the fields that identify the server, and the beginning of the body. */
function shorten(answer) {
  const [head, body] = plain(answer).split(/\n\n/);
  const kept = head.split("\n").filter((line) => /^(HTTP|content-type|www-authenticate)/i.test(line));
  const start = body.split("\n").slice(0, 3).join("\n");
  return `${kept.join("\n")}\n\n${start.length > 150 ? `${start.slice(0, 150)}…` : start}`;
}

/** A page that looks like a terminal that shows `text`. */
function terminal(text) {
  const html = plain(text)
    .replace(/[&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`)
    .replace(/^\$ .*$/gm, "<b>$&</b>")
    .replace(/^HTTP\/1\.1 2.*$/gm, '<i class="good">$&</i>')
    .replace(/^HTTP\/1\.1 [45].*$/gm, '<i class="bad">$&</i>');
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 0 }
    main { background: #16181d; color: #c8ccd4; padding: 18px 22px; font: 13px/1.45 "DejaVu Sans Mono", monospace }
    pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }
    b { color: #fff } i { font-style: normal } .good { color: #7ec699 } .bad { color: #f08d76 }
  </style><main><pre>${html}</pre></main>`;
}
