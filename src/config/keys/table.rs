//! The table of keys. To add one, define its constant here and read it in `config/build`.

use std::time::Duration;

use super::key::Fallback::{Default, Required, Unset};
use super::key::{Key, KeyInfo, SecretKey};
use super::kinds::{
    addresses, any_text, choice, count, duration, map, mode, proxy, secret, size, store, switch,
    text, texts, token_source, users,
};
use crate::config::guard::LocalUsers;
use crate::config::login_store::LoginStore;
use crate::config::token::{Algorithm, ClientAuth, GrantName};
use crate::config::token_source::SourceTable;
use crate::config::types::{AccessLog, ApiHttp2, LogFormat};

/// A duration that may be zero.
const ANY: Duration = Duration::ZERO;

/// The least duration where nothing would ever succeed within zero.
const SOME: Duration = Duration::from_millis(1);

/// hyper rejects a header buffer below 8 KiB; above 16 MiB one request could take the machine's memory.
const HEADER_BYTES: (u64, u64) = (8 << 10, 16 << 20);

/// This much is held in memory for each request in flight, until the response head.
const RETRY_BYTES: (u64, u64) = (0, 16 << 20);

/// No document is longer than 8 MiB, and few contain as much as 1 MiB.
const DOCUMENT_BYTES: (u64, u64) = (1 << 20, 1 << 30);

/// The largest number is not a user's: it means "unchanged" (-1).
const UIDS: (u32, u32) = (0, u32::MAX - 1);

/// Only Linux reports which user is at the other end of a TCP connection; on other systems the banner says that the
/// check is off.
const LOCAL_USERS: &str = if cfg!(target_os = "linux") {
    "\"same\""
} else {
    "\"any\""
};

/// Defines the constants, and lists them in the order in which people read them.
macro_rules! keys {
    ($(#[$meta:meta])* $list:ident: $(const $name:ident: $type:ty = $key:expr;)*) => {
        $(pub(crate) const $name: $type = $key;)*

        $(#[$meta])*
        pub static $list: [KeyInfo; [$($name.info.path),*].len()] = [$($name.info),*];
    };
}

keys! {
/// Every key but those of a named caller.
KEYS:

const NAME: Key<String> = text("name", Default("\"cupbearer\""),
    "The name of this proxy in Via, logs and metrics: letters, digits, \".\", \"_\", \"-\".");

const LISTEN: Key<String> = text("listen", Default("\"localhost:6749\""),
    "Where callers connect. \"localhost\" means the loopback address of every address family of this machine. Other possibilities are \"127.0.0.1:0\" (any free port) and \"0.0.0.0:6749\"; on Unix also \"unix:/run/cupbearer/api.sock\".");

const LISTEN_MODE: Key<u32> = mode("listen_mode", Default("\"0600\""),
    "Who may connect to a unix socket, as octal file permissions: \"0600\" for this user, \"0660\" for its group too.");

const DRAIN: Key<Duration> = duration("drain", ANY, Default("\"10s\""),
    "How long requests in flight may take to finish once drain_delay has passed.").for_process();

const DRAIN_DELAY: Key<Duration> = duration("drain_delay", ANY, Default("\"0s\""),
    "How long the proxy keeps accepting connections after it has been asked to stop, before drain begins. Meanwhile it reports that it is not ready.").for_process();

const UPSTREAM_URL: Key<String> = text("upstream.url", Required("\"https://api.example.com\""),
    "The API: scheme, host and port only; https, or http to loopback.");

const UPSTREAM_ALLOW_PLAINTEXT: Key<bool> = switch("upstream.allow_plaintext", Default("false"),
    "Allow http to an API that is not on loopback. Everyone on the network path can then read the token.");

const UPSTREAM_HEADERS: Key<Vec<(String, String)>> = map("upstream.headers", Default("{}"),
    "Header fields to set on every request, such as { X-XSRF-Header = \"PingAccess\" }.");

const UPSTREAM_REWRITE: Key<bool> = switch("upstream.rewrite", Default("true"),
    "Replace the API's address with the one that the caller used, in Location, Set-Cookie and OpenAPI documents.");

const UPSTREAM_OPENAPI: Key<Vec<String>> = texts("upstream.openapi",
    Default("[\"/**/openapi.json\", \"/**/swagger.json\", \"/**/api-docs\"]"),
    "Paths of the API's OpenAPI documents: \"*\" matches one path segment, \"**\" any number of them.");

const UPSTREAM_OPENAPI_SECURITY: Key<bool> = choice("upstream.openapi_security", &[("remove", true), ("keep", false)], Default("\"remove\""),
    "\"remove\": OpenAPI documents ask for no token, since the proxy attaches it. \"keep\": their security requirements stay as they are.");

const UPSTREAM_DOCS_NOTE: Key<bool> = switch("upstream.docs_note", Default("false"),
    "Add \"Signed in by cupbearer\" to the description in OpenAPI documents, where Swagger UI shows it.");

const UPSTREAM_OPENAPI_MEMORY: Key<usize> = size("upstream.openapi_memory", DOCUMENT_BYTES, Default("\"64MiB\""),
    "How much memory all OpenAPI documents together may take while they are rewritten and sent. Beyond it, they are forwarded unchanged.");

const UPSTREAM_COOKIES: Key<bool> = switch("upstream.cookies", Default("false"),
    "Forward a browser's cookies to the API. Browsers share the cookies of localhost among all its ports.");

const UPSTREAM_VIA: Key<bool> = switch("upstream.via", Default("true"),
    "Send a Via header, which makes it possible to detect loops. nginx does not compress responses to requests that have one.");

const UPSTREAM_HTTP2: Key<ApiHttp2> = choice("upstream.http2", &[
        ("match", ApiHttp2::Match),
        ("always", ApiHttp2::Always),
        ("never", ApiHttp2::Never),
    ], Default("\"match\""),
    "\"match\": over TLS, a request that came as HTTP/2 goes out as HTTP/2 if the API offers it; without TLS, only gRPC does. \"always\": every request but upgrades does, without TLS even if the API does not expect it. \"never\": none does.");

const UPSTREAM_CONNECT_TIMEOUT: Key<Duration> = duration("upstream.connect_timeout", SOME, Default("\"10s\""),
    "How long name resolution, TCP, the corporate proxy and TLS may take together.");

const UPSTREAM_HEAD_TIMEOUT: Key<Duration> = duration("upstream.head_timeout", SOME, Default("\"2m\""),
    "How long the API may take, after the last part of the request that was passed on, for the head of its response.");

const UPSTREAM_STALL_TIMEOUT: Key<Duration> = duration("upstream.stall_timeout", SOME, Default("\"5m\""),
    "How long a client may pause within an upload, or a response after its head may go without a byte. Event streams and upgrades are exempt.");

const UPSTREAM_POOL_IDLE: Key<Duration> = duration("upstream.pool_idle", SOME, Default("\"50s\""),
    "How long an idle connection is kept. Set it below the API's own limit.");

const UPSTREAM_RETRY_BODY: Key<usize> = size("upstream.retry_body", RETRY_BYTES, Default("\"64KiB\""),
    "How much of a request body is kept, so that the request can be sent again after a 401.");

const UPSTREAM_SAN: Key<String> = text("upstream.san", Unset("\"api.internal\""),
    "The name that the API's certificate must have instead of the host's: a DNS name, or a SPIFFE ID (spiffe://…) issued by network.ca_file.");

const UPSTREAM_CLIENT_CERT_FILE: Key<String> = text("upstream.client_cert_file", Unset("\"/etc/cupbearer/client.pem\""),
    "Mutual TLS: the client certificate (PEM), followed by any intermediate certificates. Needs client_key_file.");

const UPSTREAM_CLIENT_KEY_FILE: Key<String> = text("upstream.client_key_file", Unset("\"/etc/cupbearer/client.key\""),
    "Mutual TLS: the certificate's private key (PEM, without a passphrase).");

const NETWORK_PROXY: Key<String> = proxy("network.proxy", Default("\"system\""),
    "The corporate proxy for https to the API and the token endpoint, never for loopback: \"system\" (HTTPS_PROXY and NO_PROXY, otherwise the settings of macOS or Windows), \"none\", or \"http://USER:PASSWORD@HOST:PORT\".");

const NETWORK_CA_FILE: Key<String> = text("network.ca_file", Unset("\"/etc/ssl/corporate.pem\""),
    "Certificate authorities (PEM) to trust in addition to the system's, for the API and the token endpoint.");

const TOKEN_PINGONE_REGION: Key<String> = text("token.pingone.region", Unset("\"eu\""),
    "PingOne: com, ca, eu, com.au, sg or asia (also NA, CA, EU, AU, SG, AP). Needs environment_id.");

const TOKEN_PINGONE_ENVIRONMENT_ID: Key<String> = text("token.pingone.environment_id",
    Unset("\"00000000-0000-0000-0000-000000000000\""),
    "PingOne: the id of the environment. Needs region.");

const TOKEN_PINGONE_DOMAIN: Key<String> = text("token.pingone.domain", Unset("\"auth.example.com\""),
    "PingOne: a custom domain, instead of region and environment_id.");

const TOKEN_URL: Key<String> = text("token.url", Unset("\"https://as.example.com/oauth2/token\""),
    "Any other token endpoint (RFC 6749), instead of token.pingone.");

const TOKEN_ISSUER: Key<String> = text("token.issuer", Unset("\"https://as.example.com\""),
    "Alternatively, an issuer whose metadata names the token endpoint (OpenID discovery, RFC 8414).");

const TOKEN_ALLOW_PLAINTEXT: Key<bool> = switch("token.allow_plaintext", Default("false"),
    "Allow http to a token endpoint that is not on loopback. Everyone on the network path can then read the secret.");

const TOKEN_CLIENT_ID: Key<String> = text("token.client_id", Required("\"00000000-0000-0000-0000-000000000000\""),
    "The id of this client at the authorization server. Optional if token.auth is \"none\", except with authorization_code and device_code.");

const TOKEN_CLIENT_SECRET: SecretKey = secret("token.client_secret", Unset("{ file = \"/run/secrets/client_secret\" }"),
    "Where to find the client secret: { file = \"…\" }, { env = \"…\" }, { command = [\"op\", \"read\", \"…\"] } or { keyring = \"cupbearer/NAME\" }. Never the secret itself. Required by the client_secret methods.");

const TOKEN_AUTH: Key<ClientAuth> = choice("token.auth", &[
        ("client_secret_basic", ClientAuth::Basic),
        ("client_secret_post", ClientAuth::Post),
        ("client_secret_jwt", ClientAuth::SecretJwt),
        ("private_key_jwt", ClientAuth::PrivateKeyJwt),
        ("tls_client_auth", ClientAuth::Tls),
        ("client_assertion", ClientAuth::ClientAssertion),
        ("none", ClientAuth::None),
    ], Default("\"client_secret_basic\""),
    "How this client authenticates, as configured at the authorization server: client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth, client_assertion, or none for a public client and for a grant that needs no client. With jwt_bearer, the default is none unless a credential of the client is set. No other method is tried.");

const TOKEN_CLIENT_ASSERTION: SecretKey = secret("token.client_assertion", Unset("{ file = \"/var/run/secrets/tokens/cupbearer\" }"),
    "client_assertion: where to find a JWT that identifies this client (RFC 7523), such as a projected service account token of Kubernetes or a SPIFFE JWT-SVID. Read again for each token request.");

const TOKEN_CLIENT_ASSERTION_TYPE: Key<String> = text("token.client_assertion_type",
    Default("\"urn:ietf:params:oauth:client-assertion-type:jwt-bearer\""),
    "client_assertion: the type of the assertion.");

const TOKEN_GRANT: Key<GrantName> = choice("token.grant", &[
        ("client_credentials", GrantName::ClientCredentials),
        ("jwt_bearer", GrantName::JwtBearer),
        ("token_exchange", GrantName::TokenExchange),
        ("authorization_code", GrantName::AuthorizationCode),
        ("device_code", GrantName::DeviceCode),
        ("paste", GrantName::Paste),
    ], Default("\"client_credentials\""),
    "How access tokens are obtained: client_credentials (RFC 6749), jwt_bearer (RFC 7523) or token_exchange (RFC 8693); authorization_code: a person signs in with a browser (`cupbearer login`); device_code (RFC 8628): a person signs in with a browser on another device (`cupbearer login --device`); or paste: a person signs in elsewhere and hands the token over.");

const TOKEN_LOGIN_URL: Key<String> = text("token.login_url", Unset("\"https://self-service-api.dev-example.eu1.ping.cloud/api/v1/auth/login/self-service\""),
    "paste: where a person signs in and copies a token, shown wherever a new one is needed. Default: known for PingOne Advanced Services, otherwise none.");

const TOKEN_REDIRECT_URL: Key<String> = text("token.redirect_url", Default("\"http://127.0.0.1:6753/callback\""),
    "authorization_code: the loopback address to which the browser returns, exactly as it is registered for the client. cupbearer listens there only during a sign-in.");

const TOKEN_AUTHORIZATION_URL: Key<String> = text("token.authorization_url", Unset("\"https://as.example.com/oauth2/authorize\""),
    "authorization_code with token.url: where a person signs in. With token.issuer or token.pingone, the issuer's metadata names it.");

const TOKEN_DEVICE_URL: Key<String> = text("token.device_url", Unset("\"https://as.example.com/oauth2/device_authorization\""),
    "device_code, and authorization_code for `cupbearer login --device`: where a code for another device is requested (RFC 8628). With token.issuer or token.pingone, the issuer's metadata names it.");

const TOKEN_REVOCATION_URL: Key<String> = text("token.revocation_url", Unset("\"https://as.example.com/oauth2/revoke\""),
    "authorization_code and device_code: where `cupbearer logout` revokes the refresh token (RFC 7009). With token.issuer or token.pingone, the issuer's metadata names it.");

const TOKEN_STORE: Key<LoginStore> = store("token.store", Unset("\"keyring\""),
    "authorization_code, device_code: where the refresh token is kept, so that the sign-in outlives a restart: \"keyring\", { file = \"…\" }, or \"memory\", where it does not. Default: the keyring of the user where there is one, otherwise memory.");

const TOKEN_ASSERTION: SecretKey = secret("token.assertion", Unset("{ file = \"/var/run/secrets/tokens/assertion\" }"),
    "jwt_bearer: where to find the JWT that is exchanged for an access token. Read again for each token request. If it is not set, cupbearer creates one and signs it with token.private_key.");

const TOKEN_CLAIMS: Key<Vec<(String, String)>> = map("token.claims", Default("{}"),
    "jwt_bearer without token.assertion: claims of the JWT that is signed with token.private_key, such as { iss = \"…\", sub = \"…\", scope = \"…\" }. Without iss it is token.client_id, or the client_email of Google's service account file; aud is token.audience.");

const TOKEN_SUBJECT_TOKEN: SecretKey = secret("token.subject_token", Unset("{ file = \"/var/run/secrets/tokens/subject\" }"),
    "token_exchange: where to find the token that is exchanged. Read again for each token request.");

const TOKEN_SUBJECT_TOKEN_TYPE: Key<String> = text("token.subject_token_type",
    Unset("\"urn:ietf:params:oauth:token-type:jwt\""),
    "token_exchange: the type of the subject token (RFC 8693 section 3). Required by token_exchange.");

const TOKEN_ACTOR_TOKEN: SecretKey = secret("token.actor_token", Unset("{ file = \"/var/run/secrets/tokens/actor\" }"),
    "token_exchange: where to find the token of the party that acts for the subject. Needs actor_token_type.");

const TOKEN_ACTOR_TOKEN_TYPE: Key<String> = text("token.actor_token_type",
    Unset("\"urn:ietf:params:oauth:token-type:jwt\""),
    "token_exchange: the type of the actor token.");

const TOKEN_PRIVATE_KEY: SecretKey = secret("token.private_key", Unset("{ file = \"/run/secrets/private_key.pem\" }"),
    "private_key_jwt, and jwt_bearer without token.assertion: where to find the private key, in PEM (PKCS#8, PKCS#1, SEC1), as a JWK or as Google's service account file. `cupbearer keygen` creates one.");

const TOKEN_KEY_ID: Key<String> = text("token.key_id", Unset("\"2026-01\""),
    "private_key_jwt: the id of the key at the authorization server. Default: the JWK's own id, otherwise the key's thumbprint (RFC 7638).");

const TOKEN_ALGORITHM: Key<Algorithm> = choice("token.algorithm", &[
        ("HS256", Algorithm::Hs256),
        ("HS384", Algorithm::Hs384),
        ("HS512", Algorithm::Hs512),
        ("RS256", Algorithm::Rs256),
        ("RS384", Algorithm::Rs384),
        ("RS512", Algorithm::Rs512),
        ("ES256", Algorithm::Es256),
    ], Unset("\"RS256\""),
    "How an assertion is signed: HS256, HS384 or HS512 with the secret, RS256, RS384, RS512 or ES256 with the private key. Default: HS256, or the algorithm that fits the key.");

const TOKEN_AUDIENCE: Key<String> = text("token.audience", Unset("\"https://as.example.com\""),
    "The audience of an assertion. Default: the issuer, or token.url.");

const TOKEN_CLIENT_CERT_FILE: Key<String> = text("token.client_cert_file", Unset("\"/run/secrets/tls.crt\""),
    "The certificate (PEM, with its chain) to present at the token endpoint (RFC 8705). Needs client_key_file.");

const TOKEN_CLIENT_KEY_FILE: Key<String> = text("token.client_key_file", Unset("\"/run/secrets/tls.key\""),
    "The certificate's private key (PEM). Both files are read again for each token request.");

const TOKEN_SCOPE: Key<String> = text("token.scope", Unset("\"tls:admin\""),
    "The scopes to request, separated by spaces. Default: the server decides.");

const TOKEN_PARAMS: Key<Vec<(String, String)>> = map("token.params", Default("{}"),
    "Additional form parameters, such as { audience = \"https://api.example.com\" }.");

const TOKEN_SOURCE: Key<SourceTable> = token_source("token.source",
    Unset("{ command = [\"az\", \"account\", \"get-access-token\", \"--resource\", \"https://api.example.com\"] }"),
    "What obtains access tokens in place of an endpoint, a grant and a client: { command = […] }, { file = \"…\" } or { http = \"http://169.254.169.254/…\", headers = { Metadata = \"true\" } }. It yields the token, or JSON with one.");

const TOKEN_DEFAULT_LIFETIME: Key<Duration> = duration("token.default_lifetime", SOME, Default("\"5m\""),
    "How long a token is valid if the response, or the output of token.source, does not say.");

const TOKEN_ACCEPT_TYPE: Key<String> = text("token.accept_type", Unset("\"BearerToken\""),
    "A token_type that means Bearer, for token endpoints that call it something else.");

const TOKEN_WAIT: Key<Duration> = duration("token.wait", ANY, Default("\"10s\""),
    "How long a request waits for the first token or a newer one.");

const TOKEN_HEADER: Key<String> = text("token.header", Default("\"Authorization\""),
    "The header field in which the API expects the token, such as \"X-Api-Key\". A caller's own field of this name is never forwarded.");

const TOKEN_PREFIX: Key<String> = any_text("token.prefix", Default("\"Bearer\""),
    "What stands before the token, followed by a space. \"\" sends the token alone.");

const TOKEN_KEEP_AUTHORIZATION: Key<bool> = switch("token.keep_authorization", Default("false"),
    "Forward the caller's own Authorization, if the token is sent in another field. Callers' keys must then be sent as X-Cupbearer-Key.");

const GUARD_HOSTS: Key<Vec<String>> = texts("guard.hosts", Default("[]"),
    "Names that Host may contain in addition to the loopback ones: lower case, without port.");

const GUARD_ORIGINS: Key<Vec<String>> = texts("guard.origins", Default("[]"),
    "Web origins whose pages may send requests, exactly as browsers send them: \"https://tool.example.com\".");

const GUARD_LOCAL_USERS: Key<LocalUsers> = users("guard.local_users", Default(LOCAL_USERS),
    "Who may connect over loopback or a unix socket: \"same\" (this user and root), \"any\", or user ids such as [0, 1000]. Does not apply to the network.");

const GUARD_NETWORK: Key<bool> = choice("guard.network", &[("keyed", false), ("open", true)], Default("\"keyed\""),
    "\"keyed\": a listener on a non-loopback address admits only callers with a key. \"open\": everyone on that network is trusted.");

const GUARD_SHARE_LOGIN: Key<bool> = switch("guard.share_login", Default("false"),
    "Let others act as the person who has signed in (token.grant = \"paste\", \"authorization_code\" or \"device_code\"): without it, a listener beyond loopback, a listen_mode above \"0600\" and other local users are rejected.");

const GUARD_READ_ONLY: Key<bool> = switch("guard.read_only", Default("false"),
    "For everyone: allow only GET, HEAD and OPTIONS, and no upgrades.");

const GUARD_ALLOW: Key<Vec<String>> = texts("guard.allow",
    Unset("[\"GET /api/v1/**\", \"DELETE /api/v1/certificates/*\"]"),
    "For everyone: reject any request that none of these rules matches. A rule is a method (GET includes HEAD) or \"*\", and a path, where \"*\" matches one segment and \"**\" any number of them. Case matters.");

const GUARD_DENY: Key<Vec<String>> = texts("guard.deny", Default("[]"),
    "For everyone: reject any request that one of these rules matches, even if an allow rule matches it too. Case does not matter.");

const TLS_CERT_FILE: Key<String> = text("tls.cert_file", Unset("\"/etc/cupbearer/tls/tls.crt\""),
    "The certificate (PEM, with its chain) with which the listener speaks TLS 1.2 and 1.3. Needs key_file; both are read again when they change. A unix socket has no TLS.");

const TLS_KEY_FILE: Key<String> = text("tls.key_file", Unset("\"/etc/cupbearer/tls/tls.key\""),
    "The certificate's private key (PEM, without a passphrase).");

const TLS_CLIENT_CA_FILE: Key<String> = text("tls.client_ca_file", Unset("\"/etc/cupbearer/tls/ca.crt\""),
    "The certificate authorities (PEM) of callers. A caller may present a certificate that one of them issued; its names are compared with guard.callers.NAME.san.");

const TLS_REQUIRE_CLIENT: Key<bool> = switch("tls.require_client", Default("false"),
    "Whether a TLS handshake without such a certificate fails.");

const ADMIN_LISTEN: Key<Vec<String>> = addresses("admin.listen", Default("\"localhost:6750\""),
    "Where health, metrics and status are served: an address as in listen, a list of addresses, or \"off\". With port 0 the system chooses one, which the banner shows. On a non-loopback address, only /live, /startup, /ready and /metrics exist.").for_process();

const LIMITS_CONNECTIONS: Key<u32> = count("limits.connections", (1, 1_000_000), Default("4096"),
    "How many client connections may be open at a time. At the limit, one without a request is closed to make room for a new one.");

const LIMITS_IN_FLIGHT: Key<u32> = count("limits.in_flight", (1, 1_000_000), Default("1024"),
    "How many requests may be in flight at a time.");

const LIMITS_STREAMS: Key<u32> = count("limits.streams", (1, 1_000_000), Default("128"),
    "How many requests may be in flight on one HTTP/2 connection at a time. Each also counts in limits.in_flight. A change affects new connections.");

const LIMITS_HEADER_BYTES: Key<usize> = size("limits.header_bytes", HEADER_BYTES, Default("\"64KiB\""),
    "The largest request head that is accepted, with at most 100 fields; can be set from 8KiB to 16MiB.");

const LIMITS_HEADER_TIMEOUT: Key<Duration> = duration("limits.header_timeout", SOME, Default("\"10s\""),
    "How long a request's head may take to arrive, from its first byte or the start of the connection.");

const LIMITS_KEEP_ALIVE: Key<Duration> = duration("limits.keep_alive", SOME, Default("\"75s\""),
    "How long a client connection may be idle between requests. Before its first request, header_timeout applies.");

const LOG_FORMAT: Key<LogFormat> = choice("log.format", &[
        ("auto", LogFormat::Auto),
        ("text", LogFormat::Text),
        ("json", LogFormat::Json),
    ], Default("\"auto\""),
    "auto (text on a terminal, otherwise json), text or json.").for_process();

const LOG_LEVEL: Key<String> = text("log.level", Default("\"info\""),
    "error, warn, info, debug, trace or off; or directives such as \"info,cupbearer::token=debug\". Libraries log nothing.").for_process();

const LOG_ACCESS: Key<AccessLog> = choice("log.access", &[
        ("auto", AccessLog::Auto),
        ("all", AccessLog::All),
        ("none", AccessLog::None),
    ], Default("\"auto\""),
    "auto (every request on a terminal, otherwise writes and failures), all or none.").for_process();

const RUNTIME_THREADS: Key<u32> = count("runtime.threads", (1, 1024), Default("1"),
    "How many threads serve requests.").for_process();
}

keys! {
/// The keys of each caller; `NAME` in a path stands for the caller's name.
CALLER_KEYS:

const CALLER_KEY: SecretKey = secret("guard.callers.NAME.key", Unset("{ file = \"/run/secrets/ci.key\" }"),
    "Where to find the caller's keys, one per line. `cupbearer keygen --caller` creates one. A changed file takes effect within 3 s.");

const CALLER_SAN: Key<String> = text("guard.callers.NAME.san", Unset("\"spiffe://cluster.local/ns/orders/sa/orders\""),
    "The name that the caller's certificate must have (a URI, DNS or IP subject alternative name, exactly), instead of a key or in addition to one. Needs tls.client_ca_file.");

const CALLER_UID: Key<u32> = count("guard.callers.NAME.uid", UIDS, Unset("1000"),
    "The id of the user that the caller must run as, instead of a key or in addition to one.");

const CALLER_READ_ONLY: Key<bool> = switch("guard.callers.NAME.read_only", Default("false"),
    "Like guard.read_only, but for this caller. The rules for everyone apply too.");

const CALLER_ALLOW: Key<Vec<String>> = texts("guard.callers.NAME.allow", Unset("[\"GET /api/v1/**\"]"),
    "Like guard.allow, but for this caller.");

const CALLER_DENY: Key<Vec<String>> = texts("guard.callers.NAME.deny", Default("[]"),
    "Like guard.deny, but for this caller.");
}
