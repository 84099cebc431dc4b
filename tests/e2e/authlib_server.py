"""An authorization server (Authlib) with a federated client for identities.test.mjs: it proves who it is with the tokens
of another issuer, as a pod does with its projected service account token.

Its argument is JSON: the `issuer` of these tokens, its `jwks`, the `subject` that is the client, the `client_id`, the
`assertion_type` of its assertions, the `resource` and the `groups` of access tokens, their `lifetime`, and the file
`credentials` in which they are registered. Prints its port, then a line with the status of each response to a token
request, and with the assertion that is the grant.
"""

import json
import os
import sys
import time
from types import SimpleNamespace

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP on loopback

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, request
from joserfc import jwk, jwt
from joserfc.errors import JoseError
from werkzeug.serving import WSGIRequestHandler, make_server

OPTIONS = json.loads(sys.argv[1])
TRUSTED = jwk.KeySet.import_key_set(OPTIONS["jwks"])
OWN_KEY = jwk.RSAKey.generate_key(2048, {"kid": "access-tokens", "use": "sig", "alg": "RS256"})
FEDERATED = "federated_client_assertion"


class Client(ClientMixin):
    def get_client_id(self):
        return OPTIONS["client_id"]

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_endpoint_auth_method(self, method, endpoint):
        return method == FEDERATED

    def check_grant_type(self, grant_type):
        return grant_type in (ClientCredentialsGrant.GRANT_TYPE, JWTBearerGrant.GRANT_TYPE)


CLIENT = Client()


class FederatedClientAssertion(JWTBearerClientAssertion):
    """Assertions of the trusted issuer, which need no `jti` and whose `iss` is not the client."""

    CLIENT_AUTH_METHOD = FEDERATED

    def __call__(self, query_client, request):
        form = dict(request.form)
        if form.get("client_assertion_type") == OPTIONS["assertion_type"]:
            form["client_assertion_type"] = self.CLIENT_ASSERTION_TYPE  # the only one that Authlib knows
        else:
            form.pop("client_assertion_type", None)
        form = SimpleNamespace(form=form)
        client = super().__call__(lambda subject: CLIENT if subject == OPTIONS["subject"] else None, form)
        if client and request.form.get("client_id") != client.get_client_id():
            raise InvalidClientError(description="client_id is not the client of the assertion")
        return client

    def resolve_client_public_key(self, client):
        return TRUSTED

    def verify_claims(self, claims):
        aud = {"essential": True, "value": issuer}
        # Only a SPIFFE ID names its issuer itself.
        is_spiffe = OPTIONS["subject"].startswith("spiffe://")
        iss = {"essential": not is_spiffe, "value": OPTIONS["issuer"]}
        try:
            jwt.JWTClaimsRegistry(leeway=0, iss=iss, aud=aud, exp={"essential": True}).validate(claims)
        except JoseError as error:
            raise InvalidClientError(description=error.description) from error


class ClientCredentials(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = [FEDERATED]


class JWTBearer(JWTBearerGrant):
    LEEWAY = 0

    def get_audiences(self):
        return [issuer, f"{issuer}/token"]

    def resolve_issuer_client(self, iss):
        return CLIENT if iss == OPTIONS["issuer"] else None

    def resolve_client_public_key(self, client):
        return TRUSTED

    def authenticate_user(self, subject):
        return SimpleNamespace(get_user_id=lambda: subject) if subject == OPTIONS["subject"] else None

    def has_granted_permission(self, client, user):
        return True


class TokenGenerator(JWTBearerTokenGenerator):
    def get_jwks(self):
        return OWN_KEY

    def get_audiences(self, client, user, scope):
        return OPTIONS["resource"]

    def get_extra_claims(self, client, grant_type, user, scope):
        return {"groups": OPTIONS["groups"]}


def register(token, request):
    """Registers an issued token as a credential that no program may print."""
    with open(OPTIONS["credentials"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"token": token["access_token"]}) + "\n")


app = Flask(__name__)


@app.post("/token")
def token():
    response = server.create_token_response()
    line = {"status": response.status_code, "at": time.time() * 1000, "assertion": request.form.get("assertion")}
    print(json.dumps(line), flush=True)
    return response


@app.get("/.well-known/openid-configuration")
def metadata():
    return {"issuer": issuer, "token_endpoint": f"{issuer}/token", "jwks_uri": f"{issuer}/jwks"}


@app.get("/jwks")
def jwks():
    return {"keys": [OWN_KEY.as_dict(private=False)]}


class SilentHandler(WSGIRequestHandler):
    def log_request(self, code="-", size="-"):
        pass


listener = make_server("127.0.0.1", 0, app, threaded=True, request_handler=SilentHandler)
issuer = f"http://127.0.0.1:{listener.server_port}"
server = AuthorizationServer(app, lambda client_id: None, register)
server.register_client_auth_method(FEDERATED, FederatedClientAssertion())
server.register_grant(ClientCredentials)
server.register_grant(JWTBearer)
server.register_token_generator(
    "default", TokenGenerator(issuer=issuer, expires_generator=OPTIONS["lifetime"])
)
print(listener.server_port, flush=True)
listener.serve_forever()
