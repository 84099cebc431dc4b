//! Values that are rejected, and what each problem says to write instead.

use super::*;

/// A configuration, and what its problem must contain.
const REFUSED: &[(&str, &str)] = &[
    (
        "upstrem.url = \"x\"",
        "upstrem: unknown key: did you mean [upstream]?",
    ),
    ("token.listen = \"\"", "belongs above the first [table]"),
    ("token.retry_body = \"\"", "belongs below [upstream]"),
    ("upstream.ulr = \"x\"", "did you mean upstream.url?"),
    (
        "tls.cert_file = \"c\"",
        "tls.cert_file: is set without tls.key_file: set tls.key_file too",
    ),
    (
        "tls.key_file = \"k\"",
        "tls.key_file: is set without tls.cert_file: set tls.cert_file too",
    ),
    (
        "listen = \"unix:/run/x.sock\"\ntls.cert_file = \"c\"\ntls.key_file = \"k\"",
        "tls.cert_file: has no effect, because listen is a unix socket: remove it",
    ),
    (
        "tls.client_ca_file = \"c\"",
        "tls.client_ca_file: has no effect without tls.cert_file: set tls.cert_file and tls.key_file too",
    ),
    (
        "tls.require_client = true",
        "tls.require_client: needs tls.client_ca_file: set tls.client_ca_file too, or remove it",
    ),
    (
        "guard.callers.ci.san = \"spiffe://a/b\"",
        "guard.callers.ci.san: needs tls.client_ca_file: set tls.client_ca_file too",
    ),
    (
        "guard.callers.ci.san = \"*.example.com\"",
        "guard.callers.ci.san: \"*.example.com\" is a wildcard, which names nobody: write the whole name",
    ),
    (
        "guard.callers.ci.san = \"a.b\"\nguard.callers.cj.san = \"A.b\"",
        "guard.callers.cj.san: is also the san of guard.callers.ci: give each caller its own name",
    ),
    (
        "upstream.san = \"10.0.0.1\"",
        "upstream.san: is neither a DNS name nor a SPIFFE ID: write \"api.internal\"",
    ),
    (
        "upstream.san = \"spiffe://a/b\"",
        "upstream.san: is a SPIFFE ID, which only an authority of network.ca_file can issue: set",
    ),
    ("client_id = \"x\"", "did you mean token.client_id?"),
    ("guard.readonly = true", "did you mean guard.read_only?"),
    (
        "guard.read_only = \"yes\"",
        "is a TOML string, not true or false",
    ),
    (
        "guard.allow = [\"/api/**\"]",
        "guard.allow: \"/api/**\" is not a method and a path: write \"GET /api/v1/**\"",
    ),
    ("guard.allow = []", "guard.allow: allows nothing at all"),
    (
        "guard.deny = [\"GET /a\\nb\"]",
        "\"/a\\nb\" contains a line break or another control character: remove it",
    ),
    (
        "guard.deny = [\"GET /a\\u0085b\"]",
        "contains a line break or another control character: remove it",
    ),
    (
        "guard.callers.ci.key = { file = \"\" }",
        "guard.callers.ci.key: file is empty: write guard.callers.ci.key = {",
    ),
    ("guard.callers.ci.key = { env = \"\" }", "env is empty"),
    (
        "guard.callers.ci.key = { keyring = \"\" }",
        "keyring is empty",
    ),
    (
        "guard.callers.ci.key = { file = 1 }",
        "file is not a string",
    ),
    (
        "guard.callers.ci.key = { command = [\"\", \"x\"] }",
        "the command's program is empty: write the program",
    ),
    ("guard.allow = [\"GET http://a/b\"]", "write \"GET /b\""),
    ("guard.allow = [\"GET a//b\"]", "write a path, such as"),
    (
        "guard.deny = [\"GTE /x\"]",
        "guard.deny: \"GTE\" is not a method that a rule can name",
    ),
    (
        "guard.caller.ci.uid = 1",
        "guard.caller: unknown key: did you mean [guard.callers]?",
    ),
    (
        "guard.callers.ci.kee = { file = \"x\" }",
        "guard.callers.ci.kee: unknown key: did you mean guard.callers.ci.key?",
    ),
    (
        "guard.callers.ci = \"hunter2\"",
        "guard.callers.ci: is a table of keys, not a value: write [guard.callers.ci]",
    ),
    (
        "guard.callers.ci.key = \"hunter2\"",
        "guard.callers.ci.key: is a secret, which must not be in the file itself: write guard.callers.ci.key = { file = \
         \"/run/secrets/ci.key\" }, or set CUPBEARER_GUARD__CALLERS__CI__KEY__FILE",
    ),
    (
        "guard.callers.ci = {}",
        "guard.callers.ci: has neither a key nor a san nor a uid, so nobody can be this caller: write guard.callers.ci.key = ",
    ),
    (
        "guard.callers.CI.uid = 1",
        "\"CI\" is not a valid name for a caller",
    ),
    (
        "guard.callers.ci.uid = -1",
        "guard.callers.ci.uid: -1 is out of range: write 0 to 4294967294",
    ),
    (
        "guard.callers.a.uid = 1\nguard.callers.b.uid = 1",
        "guard.callers.b.uid: is also the uid of guard.callers.a",
    ),
    (
        "guard.callers.ci = { uid = 1, deny = [\"/x\"] }",
        "guard.callers.ci.deny: \"/x\" is not a method and a path",
    ),
    (
        "listen = \"0.0.0.0:6749\"\nguard.callers.ci.uid = 1",
        "and no caller has a key",
    ),
    ("upstream = 1", "upstream: is a table of keys"),
    ("name = \"a b\"", "\"a b\" is not a valid name"),
    ("name = \"\"", "name: is empty"),
    (
        "name = 1",
        "is a TOML integer, not a string: write it as in name = \"cupbearer\"",
    ),
    (
        "drain = 30",
        "\"30\" has no unit: write \"30s\" or \"30000ms\"",
    ),
    ("drain = \"soon\"", "\"soon\" is not a duration"),
    ("limits.header_bytes = 64", "write \"64KiB\""),
    ("upstream.retry_body = 64", "write \"64B\" or \"64KiB\""),
    ("drain = 1.5", "\"1.5\" has no unit: write \"1500ms\""),
    ("drain = \"11M\"", "write \"11m\""),
    (
        "limits.keep_alive = 0",
        "\"0\" has no unit: write a number and ms, s, m or h",
    ),
    (
        "network.proxy = \"http://a..b:3128\"",
        "contains no valid name of a host",
    ),
    (
        "admin.listen = \"localhost:6749\"",
        "admin.listen: \"localhost:6749\" has an address in common with listen: write another port, such as \
         \"localhost:6750\"",
    ),
    (
        "admin.listen = [\"localhost:6751\", \"127.0.0.1:6751\"]",
        "has an address in common with \"localhost:6751\": remove one of them",
    ),
    (
        "limits.header_bytes = \"1KiB\"",
        "write \"8KiB\" to \"16384KiB\"",
    ),
    (
        "limits.header_timeout = \"0s\"",
        "is too short: write at least \"1ms\"",
    ),
    ("upstream.connect_timeout = \"0ms\"", "is too short"),
    (
        "limits.connections = 0",
        "0 is out of range: write 1 to 1000000",
    ),
    (
        "limits.in_flight = \"5\"",
        "is a TOML string, not a whole number",
    ),
    ("runtime.threads = -1", "-1 is out of range"),
    (
        "token.auth = \"basic\"",
        "write \"client_secret_basic\" or \"client_secret_post\" or \"client_secret_jwt\" or",
    ),
    (
        "token.auth = \"private_key_jwt\"",
        "token.private_key: is missing: write token.private_key = { file",
    ),
    (
        "token.auth = \"tls_client_auth\"",
        "token.client_cert_file: is missing",
    ),
    (
        "token.client_cert_file = \"c.pem\"",
        "token.client_key_file: is missing",
    ),
    (
        "token.auth = \"client_secret_jwt\"\ntoken.algorithm = \"RS256\"",
        "token.algorithm: RS256 cannot be used with client_secret_jwt: write HS256, HS384 or HS512",
    ),
    (
        "token.auth = \"private_key_jwt\"\ntoken.algorithm = \"HS256\"",
        "token.algorithm: HS256 cannot be used with private_key_jwt: write RS256",
    ),
    (
        "token.issuer = \"https://as.example.com\"",
        "token.url: names a token endpoint, and so does token.issuer (",
    ),
    ("log.level = \"inof\"", "\"inof\" is not a log level"),
    (
        "log.access = \"some\"",
        "write \"auto\" or \"all\" or \"none\"",
    ),
    ("token.scope = \"a  b\"", "is not a valid scope"),
    (
        "token.params = { client_secret = \"hunter2\" }",
        "client_secret is set by the token request itself",
    ),
    (
        "token.params = { device_code = \"x\" }",
        "device_code is set by the token request itself",
    ),
    (
        "token.params = { response_type = \"x\" }",
        "response_type is set by the token request itself",
    ),
    (
        "token.grant = \"authorization_code\"\ntoken.params = { response_mode = \"form_post\" }",
        "response_mode would change where the code of a sign-in arrives: remove it",
    ),
    (
        "listen = \"localhost\"",
        "\"localhost\" has no port: write \"localhost:6749\"",
    ),
    ("listen = \"8080\"", "has no host: write \"localhost:8080\""),
    (
        "listen = \":8080\"",
        "has no host: write \"localhost:8080\"",
    ),
    ("listen = \"::1\"", "write \"[::1]:6749\""),
    ("listen = \"localhost:66666\"", "has an invalid port"),
    (
        "listen = \"box.example.com:80\"",
        "is neither localhost nor an IP address",
    ),
    ("listen = \"unix:run/x\"", "not the absolute path"),
    ("listen = \"unix:\"", "not the absolute path"),
    ("listen_mode = 600", "a string"),
    ("listen_mode = \"600 \"", "usable mode"),
    ("guard.local_users = \"all\"", "write \"same\""),
    ("listen_mode = \"0060\"", "usable mode"),
    ("listen_mode = \"1600\"", "usable mode"),
    ("guard.local_users = []", "id -u"),
    ("guard.local_users = [-1]", "id -u"),
    ("guard.local_users = [\"root\"]", "id -u"),
    ("guard.local_users = 0", "user ids"),
    ("guard.local_users = \"[0\"", "write \"same\""),
    (
        "listen = \"0.0.0.0:6749\"",
        "no caller has a key: write listen = \"localhost:6749\"; or",
    ),
    (
        "guard.hosts = [\"Box.Example.com:80\"]",
        "write \"box.example.com\"",
    ),
    ("guard.hosts = [\"*.example.com\"]", "is not a host name"),
    ("guard.hosts = [\"fd00::1\"]", "write \"[fd00::1]\""),
    ("guard.hosts = [\"[FD00::1]:80\"]", "write \"[fd00::1]\""),
    (
        "guard.hosts = [\"http://x@A.example:80/\"]",
        "write \"a.example\"",
    ),
    ("guard.origins = [\"*\"]", "list each origin"),
    ("guard.origins = [\"null\"]", "list each origin"),
    (
        "guard.origins = [\"https://a.example/\"]",
        "write \"https://a.example\"",
    ),
    (
        "guard.origins = [\"HTTPS://A.example:443\"]",
        "write \"https://a.example\"",
    ),
    (
        "guard.origins = [\"https://*.a.example\"]",
        "is not a web origin: write scheme, host and port",
    ),
    (
        "guard.origins = [\"https://a..example\"]",
        "is not a web origin",
    ),
    (
        "guard.origins = [\"wss://a.example\"]",
        "write \"https://a.example\"",
    ),
    (
        "guard.origins = [\"a.example\"]",
        "write scheme, host and port",
    ),
    (
        "upstream.headers = { Authorization = \"x\" }",
        "Authorization is set by the proxy itself",
    ),
    (
        "upstream.headers = { Via = \"1.1 me\" }",
        "Via is set by the proxy itself",
    ),
    (
        "upstream.headers = { x-request-id = \"1\" }",
        "x-request-id is set by the proxy itself",
    ),
    (
        "upstream.headers = { Proxy-Anything = \"x\" }",
        "Proxy-Anything is set by the proxy itself",
    ),
    (
        "upstream.headers = { \"a b\" = \"x\" }",
        "\"a b\" is not a valid header name",
    ),
    (
        "upstream.headers = { a = \"hunter2\\n\" }",
        "the value of a is not a valid header value",
    ),
    (
        "upstream.headers = { a = \"x\", A = \"y\" }",
        "is set twice",
    ),
    ("upstream.headers = { a = 1 }", "not a table of strings"),
    (
        "token.client_secret = \"hunter2\"",
        "is a secret, which must not be in the file itself: write token.client_secret = {",
    ),
    (
        "token.client_secret = { value = \"hunter2\" }",
        "must have exactly one of",
    ),
    (
        "token.client_secret = { file = \"a\", env = \"b\" }",
        "must have exactly one of",
    ),
    (
        "token.client_secret = { command = \"op read\" }",
        "the command is not a list of strings",
    ),
    ("token.client_secret = {}", "must have exactly one of"),
    (
        "token.pingone.region = \"eu\"",
        "token.url: names a token endpoint, and so does token.pingone.region (",
    ),
    ("name = \"a\"\nname = \"b\"", "is not TOML: duplicate key"),
    (
        "drain = 99999999999999999999",
        "drain: is a number that is too large",
    ),
];

#[test]
fn invalid_values_are_rejected_with_what_to_write_instead() {
    for (text, expected) in REFUSED {
        let said = complaints(text);
        assert!(
            said.contains(expected),
            "{text}\n  said: {said}\n  not:  {expected}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}
