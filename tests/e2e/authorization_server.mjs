// A certified authorization server (npm oidc-provider) that issues the access tokens of the
// end-to-end tests, at addresses of the shape /<environment id>/as/token.
//
// It is strict where others are lax: a wrongly encoded Basic header, two ways of client
// authentication in one request or an unknown resource are refused.

import { createServer } from "node:http";
import { once } from "node:events";
import { Provider } from "oidc-provider";

export const ENVIRONMENT_ID = "0b1c5e6a-7d0f-4f0e-9c52-3a1de0c0ffee";
/** The audience that every token is made out to. */
export const RESOURCE = "https://self-service-api.example.com";

/** Access tokens live this long, so that a test of a few seconds sees several refreshes. */
export const TOKEN_LIFETIME_S = 4;

// Ids and secrets hold what a percent-encoding of RFC 6749 2.3.1 can get wrong. RFC 6749 A.1 and
// A.2 allow printable ASCII only, and this server refuses anything else.
export const CLIENTS = {
  basic: {
    id: "admin:basic 100%+1",
    secret: "s p a c e %41 + : & = / ? # ~",
    auth: "client_secret_basic",
    groups: ["dev-tls-admin"],
  },
  post: {
    id: "admin+post&id=1",
    secret: "%2B+ %20:colon;semi\"quote'&client_id=x",
    auth: "client_secret_post",
    groups: ["dev-tls-admin"],
  },
  auditor: {
    id: "5d3cbb5e-2b1a-4a53-9a39-6b2f3c1d7e88",
    secret: "audit~._-0123456789",
    auth: "client_secret_basic",
    groups: ["dev-tls-audit"],
  },
};

/**
 * Starts the server on a free port.
 *
 * @returns {Promise<{issuer: string, tokenUrl: string, jwksUrl: string,
 *   tokenRequests: {status: number}[], close: () => Promise<void>}>}
 */
export async function startAuthorizationServer() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const prefix = `/${ENVIRONMENT_ID}/as`;
  const issuer = `http://127.0.0.1:${server.address().port}${prefix}`;
  const provider = new Provider(issuer, configuration());
  const handle = provider.callback();
  const tokenRequests = [];

  server.on("request", (request, response) => {
    if (!request.url.startsWith(`${prefix}/`)) {
      response.writeHead(404, { "content-type": "application/json" });
      response.end('{"code":"NOT_FOUND","message":"no such environment"}');
      return;
    }
    request.originalUrl = request.url; // from it the provider learns the prefix of its own addresses
    request.url = request.url.slice(prefix.length);
    if (request.url === "/token") {
      response.on("finish", () => tokenRequests.push({ status: response.statusCode }));
    }
    handle(request, response);
  });

  return {
    issuer,
    tokenUrl: `${issuer}/token`,
    jwksUrl: `${issuer}/jwks`,
    tokenRequests,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function configuration() {
  const groups = new Map(Object.values(CLIENTS).map((client) => [client.id, client.groups]));
  return {
    clients: Object.values(CLIENTS).map((client) => ({
      client_id: client.id,
      client_secret: client.secret,
      token_endpoint_auth_method: client.auth,
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
    })),
    scopes: ["tls"],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "tls",
          audience: RESOURCE,
          accessTokenFormat: "jwt",
          accessTokenTTL: TOKEN_LIFETIME_S,
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
    ttl: { ClientCredentials: TOKEN_LIFETIME_S },
    extraTokenClaims: (_context, token) => ({ groups: groups.get(token.clientId) }),
  };
}
