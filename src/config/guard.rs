//! `guard.*` as types: who may call, and what callers may do. The room `guard` decides by them.

use std::fmt;

use http::Method;

use super::certificate_name::CertificateName;
use super::path_pattern::PathPattern;
use super::path_spelling::{has_ntfs_alias, has_session_segment, is_ambiguous_text};
use super::problems::InvalidValue;
use crate::credentials::SecretSource;
use crate::text::quoted;

/// `guard.*`.
#[derive(Debug, Clone, Default)]
pub struct GuardConfig {
    /// `guard.hosts`: names that `Host` may contain in addition to the loopback ones; lower case, without port.
    pub hosts: Vec<String>,
    /// `guard.origins`: web origins (`https://tool.example.com`) whose pages may call.
    pub origins: Vec<String>,
    /// `guard.local_users`: who may connect over loopback or a unix socket.
    pub local_users: LocalUsers,
    /// `guard.read_only`, `.allow` and `.deny`: the rules for everyone.
    pub rails: AccessRules,
    /// `guard.callers`, in the order of their names. If there are none, callers are not identified.
    pub callers: Vec<CallerConfig>,
    /// `guard.network = "open"`: everyone who can reach a listener beyond loopback is trusted.
    pub is_network_open: bool,
    /// `token.keep_authorization`: `Authorization` is the API's, so callers' keys must not be in it.
    pub keeps_authorization: bool,
    /// `guard.share_login`: whether others may act as the person who has signed in.
    pub share_login: bool,
}

impl GuardConfig {
    /// Whether a listener beyond loopback is allowed: a caller has a key or a certificate's name, or the network is
    /// trusted.
    #[must_use]
    pub fn may_face_network(&self) -> bool {
        let is_named = |caller: &CallerConfig| caller.key.is_some() || caller.san.is_some();
        self.is_network_open || self.callers.iter().any(is_named)
    }
}

/// `guard.local_users`. Does not apply to listeners beyond loopback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LocalUsers {
    /// The user that this process runs as, and root, who can read its memory in any case.
    #[default]
    Same,
    /// Every user of this machine.
    Any,
    /// Exactly these user ids.
    Only(Vec<u32>),
}

/// What may be requested, by everyone or by one caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// `read_only`: only GET, HEAD and OPTIONS, and no upgrades.
    pub read_only: bool,
    /// `allow`: what matches none of these is rejected; `None` allows everything.
    pub allow: Option<Vec<Rule>>,
    /// `deny`: what matches one of these is rejected, even if it is allowed.
    pub deny: Vec<Rule>,
}

impl AccessRules {
    /// Whether they allow everything.
    #[must_use]
    pub fn are_none(&self) -> bool {
        !self.read_only && self.allow.is_none() && self.deny.is_empty()
    }
}

/// `"GET /api/v1/**"`: a method and a pattern of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The method, `None` for `*`. GET includes HEAD (RFC 9110 section 9.3.2).
    pub method: Option<Method>,
    /// Compared with decoded paths; those that servers interpret differently have been rejected before.
    pub path: PathPattern,
}

/// `[guard.callers.NAME]`.
#[derive(Debug, Clone)]
pub struct CallerConfig {
    /// NAME, as logs and metrics show it.
    pub name: String,
    /// `key`: where its keys are, one per line.
    pub key: Option<SecretSource>,
    /// `san`: the name that its certificate must have. With a key, both must match.
    pub san: Option<CertificateName>,
    /// `uid`: the user that it must run as, in addition to the others if there are any.
    pub uid: Option<u32>,
    /// Its own rules. Those for everyone apply too.
    pub rails: AccessRules,
}

/// The methods that a rule may name. The proxy forwards others too, but a misspelt one would be a rule that never
/// matches.
const METHODS: [&str; 20] = [
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "COPY",
    "LINK",
    "LOCK",
    "MERGE",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "QUERY",
    "REPORT",
    "SEARCH",
    "UNLINK",
    "UNLOCK",
];

const EXAMPLE: &str = "write \"GET /api/v1/**\", or \"* /api/v1/**\" for every method";

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        // A path may contain spaces.
        let words = text.split_once(' ');
        let words = words.filter(|(_, path)| path.starts_with('/') || !path.contains(' '));
        let Some((method, path)) = words else {
            let problem = format!("{} is not a method and a path", quoted(text));
            return Err((problem, EXAMPLE).into());
        };
        let named = method_of(method)?;
        let pattern = match PathPattern::parse(path) {
            Ok(pattern) => pattern,
            Err(invalid) => {
                reject_proposal(&invalid)?;
                return Err(InvalidValue {
                    // A path that is proposed must follow the method.
                    remedy: invalid.remedy.replace("\"/", &format!("\"{method} /")),
                    ..invalid
                });
            }
        };
        Ok(Self {
            method: named,
            path: readable(pattern, path)?,
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_ref().map_or("*", Method::as_str);
        write!(f, "{method} {}", self.path)
    }
}

fn method_of(text: &str) -> Result<Option<Method>, InvalidValue> {
    let capitals = text.to_ascii_uppercase();
    let invalid = |remedy: String| {
        let problem = format!("{} is not a method that a rule can name", quoted(text));
        Err((problem, remedy).into())
    };
    match text {
        "*" => Ok(None),
        _ if METHODS.contains(&text) => Method::from_bytes(text.as_bytes())
            .map(Some)
            .or_else(|_| invalid(EXAMPLE.to_owned())),
        _ if capitals == "HEAD" => invalid("write GET, which includes HEAD".to_owned()),
        _ if METHODS.contains(&&*capitals) => invalid(format!("write {capitals}")),
        _ => invalid(EXAMPLE.to_owned()),
    }
}

/// Reports what is wrong with the path that a remedy proposes, if that would be rejected in its turn.
fn reject_proposal(invalid: &InvalidValue) -> Result<(), InvalidValue> {
    let proposed = invalid.remedy.split('"').nth(1);
    let proposed = proposed.filter(|proposed| proposed.starts_with('/'));
    let Some((proposed, Ok(pattern))) = proposed.map(|path| (path, PathPattern::parse(path)))
    else {
        return Ok(());
    };
    readable(pattern, proposed).map(drop)
}

/// Rejects a rule for paths that are always rejected, because it would never match.
fn readable(pattern: PathPattern, text: &str) -> Result<PathPattern, InvalidValue> {
    let invalid = |problem: &str, remedy: &str| {
        Err((format!("{} {problem}", quoted(text)), remedy.to_owned()).into())
    };
    if text.contains('%') {
        return invalid(
            "contains a percent escape",
            "write the character itself: paths are compared after decoding",
        );
    }
    if text.contains(['\\', ';']) {
        return invalid(
            "contains a character that servers interpret differently",
            "remove it: such requests are always rejected where there are rules",
        );
    }
    if text.contains(char::is_control) {
        return invalid(
            "contains a line break or another control character",
            "remove it: such requests are always rejected where there are rules",
        );
    }
    if is_ambiguous_text(text) {
        return invalid(
            "contains letters that some servers ignore or take for others",
            "write * for the whole segment: such requests are always rejected where there are rules",
        );
    }
    if has_ntfs_alias(text) {
        return invalid(
            "contains a \"~\" before a digit, or a \"$\" after a colon, which on Windows may be another name of a file",
            "write * for the whole segment: such requests are always rejected where there are rules",
        );
    }
    if has_session_segment(text) {
        return invalid(
            "contains a segment that begins like \"(S(\", which ASP.NET removes from a path",
            "write * for the whole segment: such requests are always rejected where there are rules",
        );
    }
    let inner = text[1..].strip_suffix('/').unwrap_or(&text[1..]);
    let odd = |segment: &str| {
        segment.is_empty() || segment.ends_with(['.', ' ']) || segment.starts_with(' ')
    };
    if text != "/" && inner.split('/').any(odd) {
        return invalid(
            "has an empty segment, one that ends with a dot, or one that begins or ends with a space",
            "remove it: such requests are always rejected where there are rules",
        );
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests;
