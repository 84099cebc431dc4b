// gRPC through the proxy: all four kinds of call, deadlines and cancellation, with the clients of Node and of Python
// and a server that verifies the token.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import grpc from "@grpc/grpc-js";
import { startTokens } from "./soak_servers.mjs";
import { configurationFor, writeSecret } from "./stand_ins.mjs";
import { run, startProxy, temporaryDirectory, until } from "./support.mjs";

const MESSAGES = 10_000;
const bytes = (value) => value;
const method = (name, requestStream, responseStream) => ({
  path: `/shop.Orders/${name}`, requestStream, responseStream,
  requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes,
});
const SERVICE = {
  unary: method("Unary", false, false),
  client: method("Client", true, false),
  server: method("Server", false, true),
  both: method("Both", true, true),
  wait: method("Wait", false, false),
  fail: method("Fail", false, false),
};

test("grpc-js: unary calls, streams of 10,000 messages, a status without a message, a deadline and a cancellation", async (t) => {
  const { proxy, canceled } = await setUp(t);
  const Client = grpc.makeGenericClientConstructor(SERVICE, "Orders");
  const client = new Client(new URL(proxy.url).host, grpc.credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  t.after(() => client.close());
  const call = (name, request, ...options) => new Promise((resolve) => client[name](request, ...options, (error, value) => resolve({ error, value })));
  assert.equal((await call("unary", Buffer.from("one"))).value.toString(), "one");

  const uploaded = new Promise((resolve) => {
    const sending = client.client((error, value) => resolve({ error, value }));
    for (let number = 0; number < MESSAGES; number += 1) sending.write(Buffer.from("x"));
    sending.end();
  });
  assert.equal((await uploaded).value?.toString(), String(MESSAGES));

  let received = 0;
  for await (const _ of client.server(Buffer.from(String(MESSAGES)))) received += 1;
  assert.equal(received, MESSAGES);

  const both = client.both();
  for (const text of ["a", "b", "c"]) {
    both.write(Buffer.from(text)); // each is answered before the next is sent
    const [answer] = await once(both, "data");
    assert.equal(answer.toString(), text);
  }
  both.end();
  both.resume();
  const [status] = await once(both, "status");
  assert.deepEqual([status.code, status.metadata.get("x-last")], [0, ["yes"]]);

  const failed = await call("fail", Buffer.from(""));
  assert.deepEqual([failed.error.code, failed.error.details], [grpc.status.FAILED_PRECONDITION, "not now"]);

  const late = await call("wait", Buffer.from("deadline"), { deadline: Date.now() + 300 });
  assert.equal(late.error.code, grpc.status.DEADLINE_EXCEEDED);
  await until(() => canceled.includes("deadline"), "the server sees the deadline");
  const abandoned = client.wait(Buffer.from("cancellation"), () => {});
  await until(() => canceled.waiting.includes("cancellation"), "the call at the server");
  abandoned.cancel();
  await until(() => canceled.includes("cancellation"), "the server sees the cancellation");
});

test("grpcio: the same calls", async (t) => {
  const { proxy, canceled } = await setUp(t);
  const { code, stdout, stderr } = await run(process.env.E2E_PYTHON, ["grpc_streams.py", new URL(proxy.url).port, String(MESSAGES)]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), {
    unary: "one", client: String(MESSAGES), server: MESSAGES, both: ["a", "b", "c"], last: "yes",
    fail: ["FAILED_PRECONDITION", "not now"], deadline: "DEADLINE_EXCEEDED", cancellation: "CANCELLED",
  });
  await until(() => canceled.includes("deadline") && canceled.includes("cancellation"), "the server sees both");
});

test("the rejection of a token in gRPC's own words reaches the client, since it is no 401", async (t) => {
  const { proxy, tokens } = await setUp(t);
  const Client = grpc.makeGenericClientConstructor(SERVICE, "Orders");
  const client = new Client(new URL(proxy.url).host, grpc.credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  t.after(() => client.close());
  const call = () => new Promise((resolve) => client.unary(Buffer.from("one"), (error, value) => resolve({ error, value })));
  assert.equal((await call()).value.toString(), "one");
  tokens.revokeAll();
  assert.equal((await call()).error.code, grpc.status.UNAUTHENTICATED);
});

/** A gRPC server without TLS that verifies the token, and a proxy in front of it. */
async function setUp(t) {
  const tokens = await startTokens(3600);
  t.after(() => tokens.close());
  const canceled = Object.assign([], { waiting: [] });
  const allows = (call) => tokens.isGood(/^Bearer (\S+)$/.exec(call.metadata.get("authorization")[0] ?? "")?.[1]);
  const rejection = { code: grpc.status.UNAUTHENTICATED, details: "no valid token" };
  const server = new grpc.Server();
  server.addService(SERVICE, {
    unary: (call, callback) => (allows(call) ? callback(null, call.request) : callback(rejection)),
    client: (call, callback) => {
      let count = 0;
      call.on("data", () => (count += 1)).on("end", () => (allows(call) ? callback(null, Buffer.from(String(count))) : callback(rejection)));
    },
    server: async (call) => {
      for (let left = allows(call) ? Number(call.request.toString()) : 0; left > 0; left -= 1) {
        if (!call.write(Buffer.from("y"))) await once(call, "drain");
      }
      call.end();
    },
    both: (call) => {
      call.on("data", (message) => allows(call) && call.write(message));
      const trailers = new grpc.Metadata();
      trailers.set("x-last", "yes");
      call.on("end", () => call.end(trailers));
    },
    wait: (call) => {
      canceled.waiting.push(call.request.toString());
      call.on("cancelled", () => canceled.push(call.request.toString()));
    },
    fail: (call, callback) => callback({ code: grpc.status.FAILED_PRECONDITION, details: "not now" }),
  });
  const port = await new Promise((resolve, reject) => server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))));
  t.after(() => server.forceShutdown());
  const directory = await temporaryDirectory(t);
  const [file, secret] = [join(directory, "cupbearer.toml"), join(directory, "secret")];
  writeSecret(secret);
  writeFileSync(file, configurationFor({ url: `http://127.0.0.1:${port}`, token: tokens.url, secret }));
  const proxy = await startProxy(["--config", file]);
  t.after(() => proxy.stop("SIGKILL"));
  return { proxy, tokens, canceled };
}
