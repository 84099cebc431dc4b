// A certified authorization server (npm oidc-provider) to which a person signs in with a browser: interactions, PKCE,
// rotation of refresh tokens with detection of reuse, revocation, and `iss` in each response (RFC 9207).

import { createServer } from "node:http";
import { once } from "node:events";
import { Provider } from "oidc-provider";
import { RESOURCE } from "./authorization_server.mjs";
import { registerToken } from "./printed.mjs";

export const CLIENT_ID = "native-app-of-ada";

/** The lines of a configuration whose person signs in at `server` with a browser, which returns to `redirectUrl`. */
export const browserSignIn = (server, redirectUrl) => [
  'token.grant = "authorization_code"',
  `token.issuer = "${server.issuer}"`,
  `token.client_id = "${CLIENT_ID}"`,
  'token.auth = "none"',
  'token.scope = "openid profile tls"',
  `token.redirect_url = "${redirectUrl}"`,
];
const DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code";

/**
 * Starts the server on a free port.
 *
 * `beforeToken` and `afterToken` are awaited before and after a request for tokens is granted.
 * `lifetimeS` is the lifetime of access tokens; `metadata` replaces members of the metadata; without `refreshes`, no
 * refresh token is issued; without `device`, there is no device flow. `requests` are what was asked of the token endpoint and of the revocation endpoint. With
 * `holds`, the browser is not sent back, and `held` is where it would have gone.
 *
 * @param {import("node:test").TestContext} t
 * @param {{redirectUrl: string, lifetimeS?: number, metadata?: object, refreshes?: boolean, device?: boolean}} options
 */
export async function startLoginServer(t, { redirectUrl, lifetimeS = 4, metadata, refreshes = true, device = true }) {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const state = { issuer, requests: [], failing: undefined, failingWith: undefined };
  const provider = new Provider(issuer, configuration({ redirectUrl, lifetimeS, refreshes, device }));
  provider.use(async (context, next) => {
    if (context.path === "/token" && state.failing) {
      context.status = state.failing;
      context.body = state.failingWith ?? {};
      state.requests.push({ path: context.path, status: context.status });
      return;
    }
    if (context.path === "/token") await state.beforeToken?.();
    await next();
    if (context.path === "/token") await state.afterToken?.();
    if (context.path.startsWith("/.well-known/") && metadata) Object.assign(context.body, metadata);
    if (context.path === "/token" || context.path === "/token/revocation") note(context, state);
    const code = /[?&]code=([^&]+)/.exec(context.response.get("location") ?? "")?.[1];
    if (code) registerToken(code);
    if (code && state.holds) {
      state.held = context.response.get("location");
      context.response.remove("location");
      context.status = 200;
      context.body = "held";
    }
  });
  server.on("request", provider.callback());
  /** Ends every session: from now on no refresh token is accepted. */
  state.endSessions = async () => {
    for (const token of state.requests.map((one) => one.refreshToken).filter(Boolean)) {
      const found = await provider.RefreshToken.find(token);
      await found?.destroy();
    }
  };
  return state;
}

/** Each credential must not appear in any output. */
function note(context, state) {
  const { params, body } = context.oidc ?? {};
  const sent = params ?? body ?? {};
  for (const secret of [sent.code, sent.code_verifier, sent.device_code, sent.refresh_token, sent.token]) if (secret) registerToken(secret);
  const granted = context.body ?? {};
  for (const token of [granted.access_token, granted.refresh_token, granted.id_token]) if (token) registerToken(token);
  state.requests.push({ path: context.path, grant: sent.grant_type, status: context.status, error: granted.error, refreshToken: granted.refresh_token, token: sent.token, at: Date.now() });
}

function configuration({ redirectUrl, lifetimeS, refreshes, device }) {
  const resource = { scope: "tls", audience: RESOURCE, accessTokenFormat: "jwt", accessTokenTTL: lifetimeS, jwt: { sign: { alg: "RS256" } } };
  return {
    clients: [{
      client_id: CLIENT_ID,
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token", ...(device ? [DEVICE_CODE] : [])],
      response_types: ["code"],
      redirect_uris: [redirectUrl],
    }],
    claims: { openid: ["sub"], profile: ["name"] },
    conformIdTokenClaims: false,
    scopes: ["openid", "profile", "tls"],
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, name: `${id} of the tests` }) }),
    issueRefreshToken: () => refreshes,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: device },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => resource,
      },
    },
    ttl: { AccessToken: lifetimeS, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 3600, IdToken: 3600, AuthorizationCode: 60 },
  };
}

/** Signs in on the pages of the server, as a person does. */
export async function signIn(page, login) {
  await page.locator("input[name=login]").fill(login);
  await page.locator("input[name=password]").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

/** Enters the code of another device on the page of the server, and compares what it shows. */
export async function enterCode(page, address, code) {
  await page.goto(address, { waitUntil: "domcontentloaded" });
  await page.locator("input[name=user_code]").fill(code);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText(code).waitFor();
}
