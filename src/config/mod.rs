//! The configuration: text from a file, the environment and flags, read into types.
//!
//! No other room parses configuration text or has a default. All problems are reported at once, each with its key,
//! its source and what to write instead. No secret is read here: a
//! [`SecretSource`](crate::credentials::SecretSource) says where it is.
//!
//! Bottom-up; each item uses only the items above it in this list:
//!
//! - `problems`, `units`, `address`, `field_names`, `same_file`, `listen`, `path_spelling`, `path_pattern`, `inputs`,
//!   `network`, `guard`, `token_field`, `token_source`, `login_store`, `login`, `token` and `types`: the types, and the
//!   text that each is parsed from;
//! - `content` and `keys`: what was set for a key, and the table of all keys;
//! - `named_sources`: what a configuration names, known even if it is invalid;
//! - `layers`, filled by `document` (the file), `environment` and `command_line` in the order defined in `sources`;
//! - `values` and `build`: from the layers to the types;
//! - `store_files`: what `token.store` must not be;
//! - `effective`, `digests` and `fingerprint`: other views of the layers;
//! - `load` and `several`: the whole, for one proxy or several.
//!
//! Apart from these, `paste` says which keys a pasted address stands for.

mod address;
mod build;
mod certificate_name;
mod command_line;
mod connections;
mod content;
mod digests;
mod document;
mod effective;
mod environment;
mod field_names;
mod fingerprint;
mod found_file;
mod guard;
mod inputs;
pub mod keys;
mod layers;
mod listen;
mod load;
mod login;
mod login_pages;
mod login_store;
mod misspelt;
mod named_sources;
mod network;
mod own_addresses;
pub(crate) mod paste;
mod path_pattern;
mod path_spelling;
mod problems;
mod same_file;
mod secret_source;
mod several;
mod sign_in;
mod sources;
mod store_files;
#[cfg(test)]
mod tests;
mod text_value;
mod token;
mod token_field;
mod token_source;
mod types;
mod units;
mod values;

pub use address::Origin;
pub(crate) use address::{is_loopback, is_loopback_origin};
pub use certificate_name::CertificateName;
pub use connections::key_that_reaches;
pub use digests::KeyDigests;
pub use effective::{EffectiveValue, effective_table};
pub use field_names::{is_override, is_same_field};
pub use fingerprint::{ProxyFingerprint, fingerprint, running_fingerprint};
pub use guard::{AccessRules, CallerConfig, GuardConfig, LocalUsers, Rule};
pub use inputs::{Overrides, Setting, Surroundings};
pub use keys::is_caller_name;
pub use listen::{Listen, PORT_PROBE_HOST};
pub use load::{AdminAddress, InvalidConfig, Loaded, load, load_admin, load_or_named, load_text};
pub use login::{DEVICE_URL_KEY, LoginConfig, REVOCATION_URL_KEY};
pub use login_pages::LoginPages;
pub use login_store::LoginStore;
pub use named_sources::NamedSources;
pub use network::{ProxyRule, ProxyUrl};
pub use path_pattern::{LoosePath, LoosePattern, PathPattern};
pub use path_spelling::{has_ntfs_alias, has_session_segment, is_ambiguous_text};
pub(crate) use problems::InvalidValue;
pub use problems::{ConfigProblem, ConfigProblems};
pub use same_file::{is_same_file, resolve_links};
pub(crate) use secret_source::is_credential;
pub use several::{holder_of_admin, load_all, load_one_of, names_same_client};
pub use sign_in::{LoginSharing, SignInConfig, role_doubts};
pub use token::{
    Algorithm, Assertion, ClientAuth, Endpoint, GrantConfig, GrantType, RequestSource, SecretForm,
    SourceRole, TokenConfig, TokenOrigin,
};
pub use token_field::TokenField;
pub use token_source::{SOURCE_KEY, TokenPlace, TokenSource};
pub(crate) use token_source::{is_confidential_field, is_confidential_name, is_on_link};
pub use types::{
    AccessLog, AdminConfig, ApiHttp2, Config, LimitsConfig, LogConfig, LogFormat, NetworkConfig,
    RuntimeConfig, TlsConfig, UpstreamConfig,
};
pub(crate) use units::duration as parse_duration;
