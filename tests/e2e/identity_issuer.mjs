// An issuer of tokens for workloads, as a Kubernetes cluster or a SPIFFE server is, whose keys an authorization server
// trusts. Each token that it signs is registered as a credential that no program may print.

import { randomUUID } from "node:crypto";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import { registerToken } from "./printed.mjs";

const ALGORITHM = "ES256";

/**
 * An issuer with a new key.
 *
 * @param {string} issuer the `iss` of its tokens, unless their claims contain another one
 * @returns {Promise<{issuer: string, jwks: object, privateKey: object,
 *   sign: (claims: object, options?: {lifetimeS?: number}) => Promise<string>}>}
 */
export async function createIssuer(issuer) {
  const pair = await generateKeyPair(ALGORITHM, { extractable: true });
  const common = { kid: randomUUID(), alg: ALGORITHM };
  const [publicKey, privateKey] = [await exportJWK(pair.publicKey), await exportJWK(pair.privateKey)];
  registerToken(privateKey.d);
  const key = { ...privateKey, ...common };
  return {
    issuer,
    jwks: { keys: [{ ...publicKey, ...common, use: "sig" }] },
    privateKey: key,
    sign: (claims, options) => sign(key, { iss: issuer, ...claims }, options),
  };
}

/** Signs a JWT with these claims and a `jti` of its own. One with a negative lifetime has expired already. */
export async function sign(key, claims, { lifetimeS = 60 } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: Math.min(now, now + lifetimeS), exp: now + lifetimeS };
  const token = await new SignJWT({ jti: randomUUID(), ...times, ...claims })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT" })
    .sign(key);
  registerToken(token);
  return token;
}
