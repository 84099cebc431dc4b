// An MCP server with the streamable HTTP transport (npm @modelcontextprotocol/sdk) that demands an access token in each
// request, keeps its events so that a stream can be resumed, and accepts only its own name as `Host`.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { createMcpExpressApp } from "@modelcontextprotocol/sdk/server/express.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";
import { RESOURCE } from "./authorization_server.mjs";

/** How long a client waits before it resumes a stream, as the server tells it. */
const RETRY_MS = 100;

/**
 * Starts the server on a free port of 127.0.0.1.
 *
 * Its tool `add` returns the sum of two numbers. `report` sends a notification, waits for `finishReports()` and returns
 * a text. `requests` has the method, the session, the `Last-Event-ID`, the token and the status of each request;
 * `notify` sends a notification to all sessions; `cut` closes the connections of all open event streams. A GET of
 * `/stalled` gets the start of a plain text, and never the rest.
 *
 * @param {{issuer: string, jwksUrl: string}} authorizationServer
 */
export async function startMcpServer(authorizationServer) {
  const sessions = new Map();
  const requests = [];
  const streams = new Set();
  let [finishReports, finished] = [];
  finished = new Promise((resolve) => (finishReports = resolve));

  const app = createMcpExpressApp({ host: "127.0.0.1" });
  app.use((request, response, next) => {
    const { method, headers } = request;
    const entry = { method, session: headers["mcp-session-id"], lastEventId: headers["last-event-id"], token: headers.authorization };
    requests.push(entry);
    response.on("finish", () => (entry.status = response.statusCode));
    response.on("close", () => streams.delete(response));
    streams.add(response);
    next();
  });
  app.use("/mcp", requireBearerAuth({ verifier: verifierOf(authorizationServer) }));
  app.all("/mcp", async (request, response) => {
    const id = request.headers["mcp-session-id"];
    if (id && !sessions.has(id)) return response.status(404).json({ error: "no such session" });
    const transport = id ? sessions.get(id).transport : await newSession(sessions, finished);
    await transport.handleRequest(request, response, request.body);
  });
  app.get("/stalled", (_request, response) => void response.type("text/plain").write("the start"));
  const listener = app.listen(0, "127.0.0.1");
  await once(listener, "listening");

  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    sessions,
    requests,
    finishReports,
    notify: (data) => Promise.all([...sessions.values()].map(({ server }) => server.sendLoggingMessage({ level: "info", data }))),
    /** The open event streams that a GET has begun. */
    openStreams: () => [...streams].filter((response) => response.req.method === "GET" && response.headersSent).length,
    cut() {
      for (const response of streams) response.socket.destroy();
    },
    async close() {
      listener.close();
      listener.closeAllConnections();
      await once(listener, "close");
    },
  };
}

function verifierOf({ issuer, jwksUrl }) {
  const keys = createRemoteJWKSet(new URL(jwksUrl));
  return {
    async verifyAccessToken(token) {
      try {
        const { payload } = await jwtVerify(token, keys, { issuer, audience: RESOURCE });
        return { token, clientId: payload.client_id, scopes: [], expiresAt: payload.exp };
      } catch (cause) {
        throw new InvalidTokenError(`not accepted: ${cause.code}`);
      }
    },
  };
}

async function newSession(sessions, finished) {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: eventStore(),
    retryInterval: RETRY_MS,
    onsessioninitialized: (id) => void sessions.set(id, { transport, server }),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  const server = new McpServer({ name: "orders", version: "1.0.0" }, { capabilities: { logging: {} } });
  server.registerTool("add", { inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => text(`${a + b}`));
  server.registerTool("report", { inputSchema: {} }, async (_arguments, { sendNotification }) => {
    await sendNotification({ method: "notifications/message", params: { level: "info", data: "the report has begun" } });
    await finished;
    return text("the report");
  });
  await server.connect(transport);
  return transport;
}

const text = (content) => ({ content: [{ type: "text", text: content }] });

/** Keeps all events in order. Those without a message only tell the client where a stream begins. */
function eventStore() {
  const events = [];
  return {
    async storeEvent(streamId, message) {
      events.push({ streamId, message });
      return `${events.length}`;
    },
    getStreamIdForEventId: async (id) => events[id - 1]?.streamId,
    async replayEventsAfter(id, { send }) {
      const { streamId } = events[id - 1];
      for (const [index, event] of events.entries()) {
        if (index >= id && event.streamId === streamId && event.message.jsonrpc) await send(`${index + 1}`, event.message);
      }
      return streamId;
    },
  };
}
