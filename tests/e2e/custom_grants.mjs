// The grants jwt-bearer (RFC 7523 section 2.1) and token exchange (RFC 8693) for oidc-provider, which has neither, but
// lets its users register grants (the section "Custom Grant Types" of its documentation).

import { createLocalJWKSet, jwtVerify } from "jose";
import { errors } from "oidc-provider";

export const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
export const JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";

/**
 * Registers both grants, for tokens of one issuer that name this server as their audience. A token may be used several
 * times before it expires. A client may exchange tokens for the audience `resource` only.
 *
 * @param {{issuer: string, jwks: object}} trusted whose tokens are accepted
 * @param {{identifier: string, info: object}} resource the API, for which access tokens are issued
 */
export function registerCustomGrants(provider, trusted, { identifier, info }) {
  const keys = createLocalJWKSet(trusted.jwks);

  const subjectOf = async (token) => {
    try {
      const expected = { issuer: trusted.issuer, audience: provider.issuer, requiredClaims: ["sub", "exp"] };
      return (await jwtVerify(token, keys, expected)).payload.sub; // without any clock tolerance
    } catch (cause) {
      throw new errors.InvalidGrant(`the token is not accepted: ${cause.code}`);
    }
  };

  const issue = async (ctx, accountId) => {
    const token = new provider.AccessToken({ accountId, client: ctx.oidc.client });
    token.resourceServer = new provider.ResourceServer(identifier, info);
    ctx.oidc.entity("AccessToken", token);
    return { access_token: await token.save(), expires_in: token.expiration, token_type: token.tokenType };
  };

  const required = (ctx, ...names) => {
    for (const name of names) {
      if (!ctx.oidc.params[name]) throw new errors.InvalidRequest(`${name} is missing`);
    }
  };

  const jwtBearer = async (ctx) => {
    required(ctx, "assertion");
    ctx.body = await issue(ctx, await subjectOf(ctx.oidc.params.assertion));
  };

  const tokenExchange = async (ctx) => {
    const { params } = ctx.oidc;
    required(ctx, "subject_token", "subject_token_type", "audience");
    if (params.subject_token_type !== JWT_TYPE) throw new errors.InvalidRequest("subject_token_type is not supported");
    if (params.audience !== identifier) throw new errors.InvalidTarget();
    if (Boolean(params.actor_token) !== Boolean(params.actor_token_type)) {
      throw new errors.InvalidRequest("actor_token and actor_token_type belong together");
    }
    if (params.actor_token) await subjectOf(params.actor_token);
    ctx.body = { ...(await issue(ctx, await subjectOf(params.subject_token))), issued_token_type: ACCESS_TOKEN_TYPE };
  };

  provider.registerGrantType(JWT_BEARER, jwtBearer, ["scope", "assertion"]);
  const exchanged = ["subject_token", "subject_token_type", "actor_token", "actor_token_type"];
  provider.registerGrantType(TOKEN_EXCHANGE, tokenExchange, ["audience", "resource", "scope", ...exchanged], ["audience", "resource"]);
}
