//! Everything that can be set, as types: no room parses text, and no room has a default.
//!
//! Order: defaults, then the file, then the environment, then flags. All problems are reported at
//! once, each with its key, its source and what to write instead. Nothing global is read here, and
//! no secret: [`load`] is given the environment, and a [`SecretSource`](crate::credentials::SecretSource) is read when it is needed.
//!
//! `keys` is the table of every key; `layers`, `document` and `file` collect what was set; `values`
//! and `build` give it types; `address` and `network` know about URLs and the way to them;
//! `render` shows the result; `paste` says which keys an address stands for that somebody pasted.

mod address;
mod build;
mod digests;
mod document;
mod file;
mod fingerprint;
pub mod keys;
mod layers;
mod network;
pub(crate) mod paste;
mod path_pattern;
mod problems;
mod rails;
mod render;
mod secret_source;
mod several;
#[cfg(test)]
mod tests;
mod token;
mod units;
mod values;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue};

use crate::credentials::ClientCertificate;

pub(crate) use address::{is_loopback, is_loopback_origin};
pub use digests::KeyDigests;
pub use file::Surroundings;
pub use fingerprint::{ProxyFingerprint, fingerprint};
pub use keys::is_caller_name;
pub use layers::{Overrides, Setting};
pub use network::{ProxyRule, ProxyUrl};
pub use path_pattern::PathPattern;
pub(crate) use problems::InvalidValue;
pub use problems::{ConfigProblem, ConfigProblems};
pub use rails::{AccessRules, CallerConfig, Rule};
pub use render::{EffectiveValue, table};
pub use several::{holder_of_admin, load_all, load_one_of};
pub use token::{Algorithm, Assertion, ClientAuth, Endpoint, TokenConfig};

/// A configuration without problems, and where each part of it came from.
pub struct Loaded {
    /// What the rooms are given.
    pub config: Config,
    /// Every key with its effective value and source, for `check`.
    pub effective: Vec<EffectiveValue>,
    /// What is suspicious and no error: unknown variables.
    pub warnings: Vec<String>,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    /// Each key's value, to be compared with another reading.
    pub digests: KeyDigests,
}

impl Loaded {
    /// Adds a problem that only shows in use, at the place where its key was set: an unreadable
    /// secret, a broken bundle. `complaint` is what is wrong and what to do.
    pub fn complain(&self, problems: &mut ConfigProblems, key: &str, complaint: (String, String)) {
        let source = self
            .effective
            .iter()
            .find(|row| row.key == key)
            .map_or("default", |row| row.source.as_str());
        problems.push(key, source, complaint);
    }
}

/// Only where the admin listener is: for commands that ask a running process, whose other keys are not
/// theirs to judge.
///
/// # Errors
/// What is wrong with that key.
pub fn load_admin(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<AdminConfig, ConfigProblems> {
    let mut layers = layers::Layers::read(overrides, surroundings);
    layers.problems = ConfigProblems::default();
    let mut values = values::Values::new(layers);
    build::admin(&mut values).ok_or(values.layers.problems)
}

/// Reads all layers into types. Reads files, and no secret.
///
/// # Errors
/// All that is wrong, at once.
pub fn load(overrides: &Overrides, surroundings: &Surroundings) -> Result<Loaded, ConfigProblems> {
    finish(layers::Layers::read(overrides, surroundings), surroundings)
}

fn finish(layers: layers::Layers, surroundings: &Surroundings) -> Result<Loaded, ConfigProblems> {
    let mut values = values::Values::new(layers);
    let config = build::config(&mut values);
    let values::Values { mut layers } = values;
    if layers.given.is_empty() && layers.file.is_none() && !layers.incomplete {
        layers.complain_of_nothing(surroundings);
    }
    match config {
        Some(config) if layers.problems.is_empty() => Ok(Loaded {
            effective: render::rows(&layers, &config),
            digests: KeyDigests::of(&layers),
            config,
            warnings: layers.warnings,
            file: layers.file,
        }),
        Some(_) | None => Err(layers.problems),
    }
}

/// One proxy: what it listens on, what it forwards to, and as whom.
#[derive(Debug, Clone)]
pub struct Config {
    /// `name`: how this proxy calls itself in logs, `Via` and metrics.
    pub name: String,
    /// `listen`: where callers connect.
    pub listen: Listen,
    /// `upstream.*`: the one API that requests go to.
    pub upstream: UpstreamConfig,
    /// `network.*`: how connections leave this machine.
    pub network: NetworkConfig,
    /// `token.*`: the grant.
    pub token: TokenConfig,
    /// `guard.*`: what is let in.
    pub guard: GuardConfig,
    /// `admin.*`: what can be asked about this process.
    pub admin: AdminConfig,
    /// `limits.*`: how much of it at a time.
    pub limits: LimitsConfig,
    /// `log.*`.
    pub log: LogConfig,
    /// `drain`: grace for requests in flight once asked to stop.
    pub drain: Duration,
    /// `drain_delay`: how long to go on accepting before that, no longer ready.
    pub drain_delay: Duration,
    /// `runtime.*`.
    pub runtime: RuntimeConfig,
}

/// `admin.*`.
#[derive(Debug, Clone, Default)]
pub struct AdminConfig {
    /// `admin.listen`; none for `"off"`.
    pub listen: Vec<Listen>,
    /// Whether somebody asked for it: then it must be had, while a taken default is only said.
    pub is_configured: bool,
}

/// A listener's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `localhost:PORT`: every loopback family that the machine has.
    Localhost(u16),
    /// One address; port 0 takes a free one.
    Tcp(SocketAddr),
    /// `unix:/PATH`: a unix socket.
    Unix {
        /// Absolute.
        path: PathBuf,
        /// `listen_mode`: the socket file's permissions.
        mode: u32,
    },
}

impl Listen {
    /// Whether only this machine can connect: a unix socket, or loopback, which means `127.0.0.0/8`,
    /// `::1` or the name `localhost`, as constants, never resolved.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Localhost(_) | Self::Unix { .. } => true,
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Scheme and authority only: the path of a request is the caller's, everything before it is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and, where it was written, port.
    pub authority: Authority,
}

impl Origin {
    /// The port that is connected to: the written one, else the scheme's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority
            .port_u16()
            .unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    /// Whether connections are made over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// As a whole URL, with the path `/`.
    pub(crate) fn to_url(&self) -> Option<url::Url> {
        url::Url::parse(&format!("{}://{}/", self.scheme, self.authority)).ok()
    }
}

/// `upstream.*`.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// `upstream.url`.
    pub url: Origin,
    /// `network.proxy` for `upstream.url`: the corporate proxy on the way, if there is one.
    pub proxy: Option<ProxyUrl>,
    /// `upstream.client_cert_file` and `.client_key_file`: what we prove ourselves with (mutual TLS).
    pub client_certificate: Option<ClientCertificate>,
    /// `upstream.headers`: fixed request headers, in the order of their names.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `upstream.rewrite`: whether what names the upstream is made to name the address that the client used.
    pub rewrite: bool,
    /// `upstream.openapi`: paths where the API's `OpenAPI` documents are.
    pub openapi: Vec<PathPattern>,
    /// `upstream.cookies`: whether a browser's cookies go on.
    pub cookies: bool,
    /// `upstream.via`: whether requests are signed with `Via`.
    pub via: bool,
    /// `upstream.connect_timeout`: name resolution, TCP, corporate proxy and TLS together.
    pub connect_timeout: Duration,
    /// `upstream.head_timeout`: from the last byte of the request to the head of the answer.
    pub head_timeout: Duration,
    /// `upstream.stall_timeout`: no byte either way of one exchange.
    pub stall_timeout: Duration,
    /// `upstream.pool_idle`: how long an unused connection is kept.
    pub pool_idle: Duration,
    /// `upstream.retry_body`: bytes of a request body kept for the one replay after a 401.
    pub retry_body: usize,
}

/// `network.*`.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// `network.proxy`: which targets are reached through a corporate proxy.
    pub proxy: ProxyRule,
    /// `network.ca_file`: certificate authorities (PEM) trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// `guard.*`.
#[derive(Debug, Clone, Default)]
pub struct GuardConfig {
    /// `guard.hosts`: names beside the loopback ones that `Host` may carry; lower case, without port.
    pub hosts: Vec<String>,
    /// `guard.origins`: exact web origins (`https://tool.example.com`) that pages may call us from.
    pub origins: Vec<String>,
    /// `guard.local_users`: who may connect over loopback or a unix socket.
    pub local_users: LocalUsers,
    /// `guard.read_only`, `.allow` and `.deny`: rails for everyone.
    pub rails: AccessRules,
    /// `guard.callers`, in the order of their names; none admits everyone who gets this far.
    pub callers: Vec<CallerConfig>,
    /// `guard.network = "open"`: whoever reaches a listener that is not loopback is trusted.
    pub is_network_open: bool,
}

impl GuardConfig {
    /// Whether it may stand in front of a listener that the network reaches: a caller has a key, or somebody has
    /// said that the network is trusted.
    #[must_use]
    pub fn may_face_network(&self) -> bool {
        self.is_network_open || self.callers.iter().any(|caller| caller.key.is_some())
    }
}

/// `guard.local_users`. Says nothing about listeners that the network reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LocalUsers {
    /// The user that this process runs as, and root, who can read its memory anyway.
    #[default]
    Same,
    /// Every user of this machine.
    Any,
    /// Exactly these user ids.
    Only(Vec<u32>),
}

/// `limits.*`.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// `limits.connections`: client connections held at a time.
    pub connections: usize,
    /// `limits.in_flight`: requests held at a time.
    pub in_flight: usize,
    /// `limits.header_bytes`: the head of one request.
    pub header_bytes: usize,
    /// `limits.header_timeout`: from a request's first byte (or the connection's start) to the end of its head.
    pub header_timeout: Duration,
    /// `limits.keep_alive`: how long a connection may stay without a request.
    pub keep_alive: Duration,
}

/// `log.*`.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `log.format`.
    pub format: LogFormat,
    /// `log.level`: a level, or directives as of `RUST_LOG`.
    pub level: String,
    /// `log.access`.
    pub access: AccessLog,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// One line for people.
    Text,
    /// One object a line.
    Json,
}

/// `log.access`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// Every request on a terminal, else writes and failures.
    Auto,
    /// Every request.
    All,
    /// None.
    None,
}

/// `runtime.*`.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeConfig {
    /// `runtime.threads`: how many threads carry requests.
    pub threads: usize,
}
