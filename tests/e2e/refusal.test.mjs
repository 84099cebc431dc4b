// Clients that send the complete request before they read see an early rejection: with 30 MB, 100 of 100 see the
// status.

import assert from "node:assert/strict";
import { test } from "node:test";
import { run, setUp } from "./support.mjs";

const BYTES = 30_000_000;
const TIMES = 100;
const FOREIGN = { origin: "https://evil.example" };

/** Rejected by the proxy's guard, and by the API before it has read the body. */
const REJECTIONS = [
  { by: "the proxy", path: "/", headers: FOREIGN, status: 403 },
  { by: "the API", path: "/nowhere", headers: {}, status: 404 },
];

for (const { by, path, headers, status } of REJECTIONS) {
  test(`Node's fetch reads an early rejection by ${by}`, async (t) => {
    const { proxy } = await setUp(t);
    const body = Buffer.alloc(BYTES);
    const seen = [];
    for (let time = 0; time < TIMES; time++) {
      const answer = await fetch(proxy.url + path, { method: "POST", headers, body }).catch((error) => error.cause ?? error);
      seen.push(answer.status ?? answer.code ?? String(answer));
      await answer.text?.();
    }
    assert.deepEqual(seen, Array(TIMES).fill(status));
  });

  test(`Python's http.client reads an early rejection by ${by}`, async (t) => {
    const { proxy } = await setUp(t);
    const { stdout, stderr } = await run("python3", [
      "-c",
      PYTHON,
      new URL(proxy.url).host,
      path,
      JSON.stringify(headers),
      String(BYTES),
      String(TIMES),
    ]);
    assert.deepEqual(stdout.trim().split("\n"), Array(TIMES).fill(String(status)), stderr);
  });
}

const PYTHON = `
import http.client, json, sys
host, path, headers, size, times = sys.argv[1:]
body = bytes(int(size))
for _ in range(int(times)):
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("POST", path, body, json.loads(headers))
        print(connection.getresponse().status)
    except OSError as error:
        print(type(error).__name__)
    connection.close()
`;
