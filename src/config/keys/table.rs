//! The table of every key. A key that stands here works; one of a later issue is not here yet.

use std::time::Duration;

use super::Fallback::{Default, Required, Unset};
use super::ValueKind::{
    Addresses, Choice, Count, Map, Mode, Proxy, Secret, Size, Switch, Text, Texts, Users,
};
use super::{Fallback, Key, Scope, ValueKind};

const fn key(path: &'static str, kind: ValueKind, fallback: Fallback, doc: &'static str) -> Key {
    Key {
        path,
        kind,
        fallback,
        scope: Scope::Proxy,
        doc,
    }
}

const fn process(
    path: &'static str,
    kind: ValueKind,
    fallback: Fallback,
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind,
        fallback,
        scope: Scope::Process,
        doc,
    }
}

/// A time that may be nothing at all.
const TIME_OR_ZERO: ValueKind = ValueKind::Duration(Duration::ZERO);

/// A time that must be some: with zero nothing would ever succeed.
const TIME: ValueKind = ValueKind::Duration(Duration::from_millis(1));

/// hyper refuses a header buffer below 8 KiB; above 16 MiB one request could take the machine.
const HEAD: ValueKind = Size(8 << 10, 16 << 20);

/// Held in memory for each request in flight, until the answer's head.
const KEPT: ValueKind = Size(0, 16 << 20);

/// Only Linux tells who is at the other end of a TCP connection; elsewhere the banner says what is off.
const LOCAL_USERS: &str = if cfg!(target_os = "linux") {
    "\"same\""
} else {
    "\"any\""
};

/// Every key, in the order in which people read them.
pub static KEYS: [Key; 57] = [
    key(
        "name",
        Text,
        Default("\"cupbearer\""),
        "How this proxy calls itself in Via, logs and metrics: letters, digits, \".\", \"_\", \"-\".",
    ),
    key(
        "listen",
        Text,
        Default("\"localhost:6749\""),
        "Where callers connect. \"localhost\" is every loopback family of this machine; or \"127.0.0.1:0\" (any free port), \"0.0.0.0:6749\", \"unix:/run/cupbearer/api.sock\".",
    ),
    key(
        "listen_mode",
        Mode,
        Default("\"0600\""),
        "Who may connect to a unix socket, as a file's permissions in octal: \"0600\" this user, \"0660\" its group too.",
    ),
    process(
        "drain",
        TIME_OR_ZERO,
        Default("\"10s\""),
        "Grace for requests in flight once asked to stop.",
    ),
    process(
        "drain_delay",
        TIME_OR_ZERO,
        Default("\"0s\""),
        "How long to go on accepting before that, no longer ready.",
    ),
    key(
        "upstream.url",
        Text,
        Required("\"https://api.example.com\""),
        "The API: scheme, host and port only; https, or http to loopback.",
    ),
    key(
        "upstream.allow_plaintext",
        Switch,
        Default("false"),
        "Allow http to an API that is not on loopback: everyone on the way can read the token.",
    ),
    key(
        "upstream.headers",
        Map,
        Default("{}"),
        "Fixed request headers, such as { X-XSRF-Header = \"PingAccess\" }.",
    ),
    key(
        "upstream.rewrite",
        Switch,
        Default("true"),
        "Have Location, Set-Cookie and OpenAPI documents that name the API name the address that the caller used.",
    ),
    key(
        "upstream.openapi",
        Texts,
        Default("[\"/**/openapi.json\", \"/**/swagger.json\", \"/**/api-docs\"]"),
        "Where the API's OpenAPI documents are: \"*\" is one segment of a path, \"**\" any number of them.",
    ),
    key(
        "upstream.cookies",
        Switch,
        Default("false"),
        "Whether a browser's cookies go on to the API: those of localhost are shared by all its ports.",
    ),
    key(
        "upstream.via",
        Switch,
        Default("true"),
        "Whether Via names this proxy to the API, by which loops are seen; nginx does not compress for requests with it.",
    ),
    key(
        "upstream.connect_timeout",
        TIME,
        Default("\"10s\""),
        "Name resolution, TCP, corporate proxy and TLS together.",
    ),
    key(
        "upstream.head_timeout",
        TIME,
        Default("\"2m\""),
        "From the last byte of the request to the head of the answer.",
    ),
    key(
        "upstream.stall_timeout",
        TIME,
        Default("\"5m\""),
        "No byte either way of one exchange; event streams and upgrades are exempt.",
    ),
    key(
        "upstream.pool_idle",
        TIME,
        Default("\"50s\""),
        "How long an unused connection is kept; below the API's own limit.",
    ),
    key(
        "upstream.retry_body",
        KEPT,
        Default("\"64KiB\""),
        "How much of a request body is kept, so that the request can be sent once more after a 401.",
    ),
    key(
        "upstream.client_cert_file",
        Text,
        Unset("\"/etc/cupbearer/client.pem\""),
        "Mutual TLS: our certificate (PEM), then intermediate ones. Needs client_key_file.",
    ),
    key(
        "upstream.client_key_file",
        Text,
        Unset("\"/etc/cupbearer/client.key\""),
        "Mutual TLS: the certificate's private key (PEM, without a passphrase).",
    ),
    key(
        "network.proxy",
        Proxy,
        Default("\"system\""),
        "For the API and the token endpoint, https only, never loopback: \"system\" (HTTPS_PROXY and NO_PROXY, else macOS's and Windows' settings), \"none\", or \"http://USER:PASSWORD@HOST:PORT\".",
    ),
    key(
        "network.ca_file",
        Text,
        Unset("\"/etc/ssl/corporate.pem\""),
        "Certificate authorities (PEM) trusted beside the system's, for the API and the token endpoint.",
    ),
    key(
        "token.pingone.region",
        Text,
        Unset("\"eu\""),
        "PingOne: com, ca, eu, com.au, sg or asia (also NA, CA, EU, AU, SG, AP). Needs environment_id.",
    ),
    key(
        "token.pingone.environment_id",
        Text,
        Unset("\"00000000-0000-0000-0000-000000000000\""),
        "PingOne: the environment's id. Needs region.",
    ),
    key(
        "token.pingone.domain",
        Text,
        Unset("\"auth.example.com\""),
        "PingOne: a custom domain, instead of region and environment_id.",
    ),
    key(
        "token.url",
        Text,
        Unset("\"https://as.example.com/oauth2/token\""),
        "Any other token endpoint (RFC 6749), instead of token.pingone.",
    ),
    key(
        "token.issuer",
        Text,
        Unset("\"https://as.example.com\""),
        "Or an issuer whose metadata names the token endpoint (OpenID discovery, RFC 8414).",
    ),
    key(
        "token.allow_plaintext",
        Switch,
        Default("false"),
        "Allow http to a token endpoint that is not on loopback: everyone on the way can read the secret.",
    ),
    key(
        "token.client_id",
        Text,
        Required("\"00000000-0000-0000-0000-000000000000\""),
        "Who this proxy is at the token endpoint.",
    ),
    key(
        "token.client_secret",
        Secret,
        Unset("{ file = \"/run/secrets/client_secret\" }"),
        "Where the secret is: { file = \"…\" }, { env = \"…\" }, { command = [\"op\", \"read\", \"…\"] } or { keyring = \"cupbearer/NAME\" }. Never the secret itself. Required by the client_secret methods.",
    ),
    key(
        "token.auth",
        Choice(&[
            "client_secret_basic",
            "client_secret_post",
            "client_secret_jwt",
            "private_key_jwt",
            "tls_client_auth",
        ]),
        Default("\"client_secret_basic\""),
        "How this proxy proves who it is, as set at the authorization server: client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt or tls_client_auth. Never probed.",
    ),
    key(
        "token.private_key",
        Secret,
        Unset("{ file = \"/run/secrets/private_key.pem\" }"),
        "private_key_jwt: where the key is, PEM (PKCS#8, PKCS#1, SEC1) or JWK; `cupbearer keygen` makes one.",
    ),
    key(
        "token.key_id",
        Text,
        Unset("\"2026-01\""),
        "private_key_jwt: the key's name at the authorization server; left out, the JWK's own or the key's thumbprint (RFC 7638).",
    ),
    key(
        "token.algorithm",
        Choice(&[
            "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256",
        ]),
        Unset("\"RS256\""),
        "How an assertion is signed: HS256, HS384 or HS512 with the secret, RS256, RS384, RS512 or ES256 with the private key; left out, HS256 or what fits the key.",
    ),
    key(
        "token.audience",
        Text,
        Unset("\"https://as.example.com\""),
        "Whom an assertion is made out to; left out, the issuer, or token.url.",
    ),
    key(
        "token.client_cert_file",
        Text,
        Unset("\"/run/secrets/tls.crt\""),
        "The certificate (PEM, with its chain) to present at the token endpoint (RFC 8705). Needs client_key_file.",
    ),
    key(
        "token.client_key_file",
        Text,
        Unset("\"/run/secrets/tls.key\""),
        "Its private key (PEM). Both are read anew for each token request.",
    ),
    key(
        "token.scope",
        Text,
        Unset("\"tls:admin\""),
        "Scopes to ask for, with a space between; left out, the server chooses.",
    ),
    key(
        "token.params",
        Map,
        Default("{}"),
        "More form parameters, such as { audience = \"https://api.example.com\" }.",
    ),
    key(
        "token.default_lifetime",
        TIME,
        Default("\"5m\""),
        "How long a token is good where the answer does not say.",
    ),
    key(
        "token.wait",
        TIME_OR_ZERO,
        Default("\"10s\""),
        "How long a request waits for the first token or a newer one.",
    ),
    key(
        "guard.hosts",
        Texts,
        Default("[]"),
        "Names beside the loopback ones that Host may carry: lower case, without port.",
    ),
    key(
        "guard.origins",
        Texts,
        Default("[]"),
        "Web origins whose pages may call, exactly as browsers send them: \"https://tool.example.com\".",
    ),
    key(
        "guard.local_users",
        Users,
        Default(LOCAL_USERS),
        "Who may connect over loopback or a unix socket: \"same\" (this user and root), \"any\", or user ids such as [0, 1000]. Says nothing about the network.",
    ),
    key(
        "guard.network",
        Choice(&["keyed", "open"]),
        Default("\"keyed\""),
        "A listener beyond loopback admits only callers with a key; \"open\" says that the network is trusted.",
    ),
    key(
        "guard.read_only",
        Switch,
        Default("false"),
        "For everyone: only GET, HEAD and OPTIONS, and no upgrades.",
    ),
    key(
        "guard.allow",
        Texts,
        Unset("[\"GET /api/v1/**\", \"DELETE /api/v1/certificates/*\"]"),
        "For everyone: what is in none of these rules is refused. A method (HEAD goes with GET) or \"*\", and a path: \"*\" is one segment, \"**\" any number of them; case counts.",
    ),
    key(
        "guard.deny",
        Texts,
        Default("[]"),
        "For everyone: what is in one of these rules is refused, whatever is allowed; case does not count.",
    ),
    process(
        "admin.listen",
        Addresses,
        Default("\"localhost:6750\""),
        "Where health, metrics and status are asked for: as listen, or a list, or \"off\". Beyond loopback only /live, /startup, /ready and /metrics exist.",
    ),
    key(
        "limits.connections",
        Count(1, 1_000_000),
        Default("4096"),
        "Client connections held at a time.",
    ),
    key(
        "limits.in_flight",
        Count(1, 1_000_000),
        Default("1024"),
        "Requests held at a time.",
    ),
    key(
        "limits.header_bytes",
        HEAD,
        Default("\"64KiB\""),
        "The head of one request: 8KiB to 16MiB.",
    ),
    key(
        "limits.header_timeout",
        TIME,
        Default("\"10s\""),
        "From a request's first byte, or the connection's start, to the end of its head.",
    ),
    key(
        "limits.keep_alive",
        TIME,
        Default("\"75s\""),
        "How long a connection may stay without a request.",
    ),
    process(
        "log.format",
        Choice(&["auto", "text", "json"]),
        Default("\"auto\""),
        "auto (text on a terminal, else json), text or json.",
    ),
    process(
        "log.level",
        Text,
        Default("\"info\""),
        "error, warn, info, debug, trace or off; or directives such as \"info,hyper=debug\".",
    ),
    process(
        "log.access",
        Choice(&["auto", "all", "none"]),
        Default("\"auto\""),
        "auto (every request on a terminal, else writes and failures), all or none.",
    ),
    process(
        "runtime.threads",
        Count(1, 1024),
        Default("1"),
        "How many threads carry requests.",
    ),
];
