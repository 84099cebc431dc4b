// A certified authorization server (npm oidc-provider) that issues the access tokens of the
// end-to-end tests, at addresses of the shape /<environment id>/as/token.
//
// It is stricter than most: it rejects a wrongly encoded Basic header, two methods of client
// authentication in one request, and an unknown resource.

import { createServer } from "node:http";
import { once } from "node:events";
import { Provider } from "oidc-provider";
import { JWT_BEARER, TOKEN_EXCHANGE, registerCustomGrants } from "./custom_grants.mjs";
import { registerSecret, registerToken } from "./printed.mjs";

export const ENVIRONMENT_ID = "0b1c5e6a-7d0f-4f0e-9c52-3a1de0c0ffee";
/** The audience of every token. */
export const RESOURCE = "https://self-service-api.example.com";

/** The lifetime of access tokens, short enough for several refreshes in a test of a few seconds. */
export const TOKEN_LIFETIME_S = 4;

// Ids and secrets contain characters that an encoding by RFC 6749 2.3.1 may get wrong. RFC 6749 A.1 and
// A.2 allow printable ASCII only, and this server rejects anything else.
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
  secretJwt: {
    id: "admin-secret-jwt",
    secret: "s p a c e %41 + : & = / ? # ~, and long enough for HS512 with sixty-four bytes",
    auth: "client_secret_jwt",
    groups: ["dev-tls-admin"],
  },
  /** Its keys, from `cupbearer keygen`, are passed to the server at the start. */
  privateKeyJwt: {
    id: "admin-private-key-jwt",
    auth: "private_key_jwt",
    groups: ["dev-tls-admin"],
  },
  auditor: {
    id: "5d3cbb5e-2b1a-4a53-9a39-6b2f3c1d7e88",
    secret: "audit~._-0123456789",
    auth: "client_secret_basic",
    groups: ["dev-tls-audit"],
  },
  /** Presents tokens of another issuer, whose keys are passed to the server at the start. */
  federated: {
    id: "orders-job",
    auth: "none",
    groups: ["dev-tls-audit"],
    grants: [JWT_BEARER],
  },
  exchanger: {
    id: "orders-exchange",
    secret: "exchange:~._-0123456789%",
    auth: "client_secret_post",
    groups: ["dev-tls-audit"],
    grants: [TOKEN_EXCHANGE],
  },
};

/**
 * Starts the server on a free port.
 *
 * `options.jwks` are the public keys of the client `privateKeyJwt`; `options.algorithm` is the only algorithm that is
 * accepted for assertions, if it is set; `options.lifetimeS` is the lifetime of access tokens; `options.trusted` is the
 * issuer of the tokens that the clients `federated` and `exchanger` present. `rotate` replaces the secret of the client
 * `basic` at once: the old secret is rejected from then on.
 *
 * @param {{jwks?: object, algorithm?: string, lifetimeS?: number, trusted?: {issuer: string, jwks: object}}} options
 * @returns {Promise<{issuer: string, tokenUrl: string, jwksUrl: string, requests: string[],
 *   tokenRequests: {status: number, at: number}[], rotate: (secret: string) => void, close: () => Promise<void>}>}
 */
export async function startAuthorizationServer({ jwks, algorithm, lifetimeS = TOKEN_LIFETIME_S, trusted } = {}) {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const prefix = `/${ENVIRONMENT_ID}/as`;
  const issuer = `http://127.0.0.1:${server.address().port}${prefix}`;
  const provider = new Provider(issuer, configuration({ jwks, algorithm, lifetimeS, trusted }));
  if (trusted) registerCustomGrants(provider, trusted, { identifier: RESOURCE, info: resourceInfo(lifetimeS) });
  const handle = provider.callback();
  const tokenRequests = [];
  const requests = [];
  let replaced; // the secret of the client `basic`, once it has been rotated

  server.on("request", (request, response) => {
    if (!request.url.startsWith(`${prefix}/`)) {
      response.writeHead(404, { "content-type": "application/json" });
      response.end('{"code":"NOT_FOUND","message":"no such environment"}');
      return;
    }
    requests.push(`${request.method} ${request.url}`);
    request.originalUrl = request.url; // the provider derives the prefix of its own addresses from it
    request.url = request.url.slice(prefix.length);
    if (request.url === "/token") {
      response.on("finish", () => tokenRequests.push({ status: response.statusCode, at: Date.now() }));
      registerIssuedTokens(response);
      if (replaced) request.headers.authorization = asRegistered(request.headers.authorization, replaced);
    }
    handle(request, response);
  });

  return {
    issuer,
    tokenUrl: `${issuer}/token`,
    jwksUrl: `${issuer}/jwks`,
    tokenRequests,
    requests,
    rotate(secret) {
      registerSecret(secret, CLIENTS.basic.id);
      replaced = secret;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** Every token that is issued here must not appear in any output. */
function registerIssuedTokens(response) {
  const end = response.end.bind(response);
  response.end = (body, ...rest) => {
    const token = body && JSON.parse(body).access_token;
    if (token) registerToken(token);
    return end(body, ...rest);
  };
}

/** The provider's clients are fixed, so the new secret is replaced by the registered one, and the old one by an invalid one. */
function asRegistered(header, secret) {
  const { id, secret: registered } = CLIENTS.basic;
  return header === basic(id, secret) ? basic(id, registered) : basic(id, "replaced");
}

/** RFC 6749 2.3.1: both parts are percent-encoded, except unreserved characters. */
function basic(...parts) {
  const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `Basic ${Buffer.from(parts.map(encode).join(":")).toString("base64")}`;
}

function configuration({ jwks, algorithm, lifetimeS, trusted }) {
  const groups = new Map(Object.values(CLIENTS).map((client) => [client.id, client.groups]));
  const isUsed = (client) => (client.grants ? trusted : client.secret || jwks);
  return {
    clients: Object.values(CLIENTS).filter(isUsed).map((client) => ({
      client_id: client.id,
      ...(client.secret && { client_secret: client.secret }),
      ...(client.auth === "private_key_jwt" && { jwks }),
      token_endpoint_auth_method: client.auth,
      ...(client.auth.endsWith("_jwt") && algorithm && { token_endpoint_auth_signing_alg: algorithm }),
      grant_types: client.grants ?? ["client_credentials"],
      response_types: [],
      redirect_uris: [],
    })),
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"],
    enabledJWA: {
      clientAuthSigningAlgValues: ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256"],
    },
    scopes: ["tls"],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => resourceInfo(lifetimeS),
      },
    },
    ttl: { ClientCredentials: lifetimeS },
    extraTokenClaims: (_context, token) => ({ groups: groups.get(token.clientId) }),
  };
}

/** The API, for which access tokens are issued. */
function resourceInfo(lifetimeS) {
  return {
    scope: "tls",
    audience: RESOURCE,
    accessTokenFormat: "jwt",
    accessTokenTTL: lifetimeS,
    jwt: { sign: { alg: "RS256" } },
  };
}
