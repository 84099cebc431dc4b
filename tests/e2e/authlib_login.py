"""An authorization server (Authlib) to which a person signs in with a browser, for login.test.mjs: the code flow with PKCE,
refresh tokens that rotate, and revocation. It has no ID tokens, and no `iss` in its responses.

Its argument is JSON: the `client_id`, the `redirect_url`, the `resource` of access tokens, their `lifetime`, and the file
`credentials` in which everything secret is registered. Prints its port, then a line with the path, the grant and the status
of each response to the client.
"""

import json
import os
import secrets
import sys
from types import SimpleNamespace

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP on loopback

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, request
from joserfc import jwk
from werkzeug.serving import WSGIRequestHandler, make_server

OPTIONS = json.loads(sys.argv[1])
KEY = jwk.RSAKey.generate_key(2048, {"kid": "access-tokens", "use": "sig", "alg": "RS256"})
CODES = {}
REFRESH_TOKENS = {}


def register(secret):
    """Registers a credential that no program may print."""
    with open(OPTIONS["credentials"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"token": secret}) + "\n")


class Client(ClientMixin):
    def get_client_id(self):
        return OPTIONS["client_id"]

    def get_default_redirect_uri(self):
        return OPTIONS["redirect_url"]

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri == OPTIONS["redirect_url"]

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "none"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type in ("authorization_code", "refresh_token")


class Code(AuthorizationCodeMixin, SimpleNamespace):
    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


class CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]

    def save_authorization_code(self, code, request):
        register(code)
        sent = request.payload.data
        CODES[code] = Code(
            code=code,
            redirect_uri=request.payload.redirect_uri,
            scope=request.payload.scope,
            user=request.user,
            code_challenge=sent["code_challenge"],
            code_challenge_method=sent["code_challenge_method"],
        )

    def query_authorization_code(self, code, client):
        return CODES.get(code)

    def delete_authorization_code(self, authorization_code):
        del CODES[authorization_code.code]

    def authenticate_user(self, authorization_code):
        return authorization_code.user


class RefreshToken(SimpleNamespace):
    def check_client(self, client):
        return True

    def get_scope(self):
        return self.scope


class Refresh(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        return REFRESH_TOKENS.get(refresh_token)

    def authenticate_user(self, refresh_token):
        return refresh_token.user

    def revoke_old_credential(self, refresh_token):
        REFRESH_TOKENS.pop(refresh_token.token, None)


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ["none"]

    def query_token(self, token_string, token_type_hint):
        return REFRESH_TOKENS.get(token_string)

    def revoke_token(self, token, request):
        REFRESH_TOKENS.pop(token.token, None)


class TokenGenerator(JWTBearerTokenGenerator):
    def get_jwks(self):
        return KEY

    def get_audiences(self, client, user, scope):
        return OPTIONS["resource"]

    def get_extra_claims(self, client, grant_type, user, scope):
        return {"name": f"{user.name} of Authlib"}


def save_token(token, request):
    register(token["access_token"])
    if refresh := token.get("refresh_token"):
        register(refresh)
        REFRESH_TOKENS[refresh] = RefreshToken(token=refresh, scope=token.get("scope"), user=request.user)


def user(name):
    return SimpleNamespace(name=name, get_user_id=lambda: name)


app = Flask(__name__)


@app.get("/authorize")
def ask():
    server.get_consent_grant(end_user=None)  # rejects an invalid request
    return "<!doctype html><title>Authlib</title><form method=post><input name=login><button>Sign in</button></form>"


@app.post("/authorize")
def authorize():
    grant = server.get_consent_grant(end_user=None)
    return server.create_authorization_response(grant_user=user(request.form["login"]), grant=grant)


def noted(response):
    line = {"path": request.path, "grant": request.form.get("grant_type"), "status": response.status_code}
    print(json.dumps(line), flush=True)
    return response


@app.post("/token")
def token():
    if verifier := request.form.get("code_verifier"):
        register(verifier)
    return noted(server.create_token_response())


@app.post("/revoke")
def revoke():
    return noted(server.create_endpoint_response("revocation"))


@app.get("/.well-known/openid-configuration")
def metadata():
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revoke",
        "code_challenge_methods_supported": ["S256"],
    }


class SilentHandler(WSGIRequestHandler):
    def log_request(self, code="-", size="-"):
        pass


listener = make_server("127.0.0.1", 0, app, threaded=True, request_handler=SilentHandler)
issuer = f"http://127.0.0.1:{listener.server_port}"
server = AuthorizationServer(app, lambda client_id: Client() if client_id == OPTIONS["client_id"] else None, save_token)
server.register_grant(CodeGrant, [CodeChallenge(required=True)])
server.register_grant(Refresh)
server.register_endpoint(Revocation)
server.register_token_generator(
    "default",
    TokenGenerator(
        issuer=issuer,
        refresh_token_generator=lambda client, grant_type, user, scope: secrets.token_urlsafe(32),
        expires_generator=lambda client, grant_type: OPTIONS["lifetime"],
    ),
)
print(listener.server_port, flush=True)
listener.serve_forever()
