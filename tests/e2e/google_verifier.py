"""Verifies an assertion as Google's own library does (google-auth, PyPI), for recipes.test.mjs.

Its argument is JSON: the `assertion`, the service account file (`account`), the PEM `certificate` of its key, the `scope`
and the `audience`. Prints the claims, after it has compared them with an assertion that the library makes itself.
"""

import json
import sys

from google.auth import jwt
from google.oauth2 import service_account

argument = json.loads(sys.argv[1])
account = argument["account"]
certificates = {account["private_key_id"]: argument["certificate"]}
claims = jwt.decode(argument["assertion"], certs=certificates, audience=argument["audience"])

credentials = service_account.Credentials.from_service_account_info(account, scopes=[argument["scope"]])
theirs = jwt.decode(credentials._make_authorization_grant_assertion(), certs=certificates)
missing = theirs.keys() - claims.keys()
assert not missing, f"Google's own assertions have {missing} too"
for name in theirs.keys() - {"iat", "exp", "aud"}:
    assert claims[name] == theirs[name], name
assert claims["exp"] - claims["iat"] <= theirs["exp"] - theirs["iat"], "valid for more than an hour"
print(json.dumps(claims))
