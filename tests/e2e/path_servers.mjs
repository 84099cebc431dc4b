// Four servers that each interpret paths in their own way and have a handler at /admin/secret, and a fifth one that
// applies every interpretation at once. The response shows which handler ran.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import express from "express";
import { freePort } from "./nginx.mjs";
import { accepts, temporaryDirectory, until } from "./support.mjs";

/** Part of the response of every handler below /admin. */
export const REACHED = "reached-the-admin-handler";

const PYTHON = process.env.E2E_PYTHON ?? "python3";
const NGINX = process.env.NGINX_BIN ?? "/usr/sbin/nginx";

/** By name: functions that start the server for a test and return its port. All other paths are echoed. */
export const SERVERS = {
  nginx: async (t) => {
    const [port, directory] = [await freePort(), await temporaryDirectory(t)];
    const template = await readFile(new URL("nginx_rails.conf", import.meta.url), "utf8");
    const configuration = join(directory, "nginx.conf");
    await writeFile(configuration, template.replaceAll("@PORT@", port));
    const running = spawned(t, NGINX, ["-p", directory, "-c", configuration, "-e", "stderr"]);
    await running.until(() => accepts(port));
    return port;
  },
  FastAPI: async (t) => {
    const running = spawned(t, PYTHON, [new URL("fastapi_upstream.py", import.meta.url).pathname]);
    return running.until(() => Number(running.output.trim())); // it listens before it prints its port
  },
  express: (t) => {
    const app = express();
    app.all("/admin/secret", (_, response) => response.send(REACHED));
    app.use("/admin", (_, response) => response.send(REACHED));
    app.use((request, response) => response.send(request.originalUrl));
    return listening(t, createServer(app));
  },
  "node:http": (t) =>
    listening(
      t,
      createServer((request, response) => {
        const { pathname } = new URL(request.url, "http://localhost");
        response.end(isDenied(pathname) ? REACHED : request.url);
      }),
    ),
  "a server with every interpretation": (t) =>
    listening(
      t,
      createServer((request, response) => {
        const reached = interpretations(request.url).some(isDenied);
        response.end(reached ? REACHED : request.url);
      }),
    ),
};

/** Whether a path is /admin or below. */
export const isDenied = (path) => /^\/admin(\/|$)/.test(path);

/**
 * The interpretations of a path by servers that decode it up to three times, remove parameters, ignore case, normalise
 * names, or look them up on NTFS.
 */
export function interpretations(target) {
  const path = target.replace(/^https?:\/\/[^/]*/, "").replace(/[?#].*$/s, "");
  let decoded = path;
  const all = [];
  for (let times = 0; times <= 3; times += 1) {
    for (const form of [decoded, decoded.replace(/[?#].*$/s, ""), decoded.replace(/\0.*$/s, "")]) {
      const folded = form.normalize("NFKC").replaceAll("\\", "/").toUpperCase().toLowerCase();
      const plain = folded.replace(/[\u0000-\u001f\u007f-\u00a0\u00ad\u0300-\u036f\u200b-\u200f\u2060\ufeff]/g, "");
      const found = plain.replace(/:[^/]*\$[^/]*/g, "").replace(/(?<=\/)admin~1(?=\/|$)/g, "admin");
      for (const one of [plain, plain.replace(/;[^/]*/g, ""), found]) {
        all.push(resolved(one), resolved(one.replace(/(?<=[^./])[. ]+(?=\/|$)/g, "").replace(/\/ +/g, "/")));
      }
    }
    decoded = decodedOnce(decoded);
  }
  return all;
}

/** Decodes leniently: overlong forms and %uXXXX count, and invalid escapes stay as they are. */
function decodedOnce(path) {
  return path
    .replace(/%u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)))
    .replace(/%c([01])%([89ab][0-9a-f])/gi, (_, high, low) =>
      String.fromCharCode((Number(high) << 6) | (parseInt(low, 16) & 0x3f)))
    .replace(/%e0%80%([89ab][0-9a-f])/gi, (_, low) => String.fromCharCode(parseInt(low, 16) & 0x3f))
    .replace(/(%[0-9a-f]{2})+/gi, (run) => {
      try {
        return decodeURIComponent(run);
      } catch {
        return Buffer.from(run.replaceAll("%", ""), "hex").toString("latin1");
      }
    });
}

function resolved(path) {
  const segments = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "." && segment !== "") segments.push(segment);
  }
  return `/${segments.join("/")}`;
}

async function listening(t, server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return server.address().port;
}

/** A program that is stopped when the test ends. `until` waits for `condition`, and fails if the program exits. */
function spawned(t, program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const running = {
    output: "",
    async until(condition) {
      const value = await until(() => child.exitCode !== null || condition(), `${program} did not listen`);
      if (child.exitCode !== null) throw new Error(`${program} did not start:\n${errors}`);
      return value;
    },
  };
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (running.output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  const exit = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  return running;
}
