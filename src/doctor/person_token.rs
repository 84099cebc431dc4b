//! The token of a person, which only the running proxy has: what its `/status` says of it. Nothing is requested,
//! renewed or sent.

use std::time::Duration;

use serde_json::Map;

use super::finding::Finding;
use super::running_instance::ConfiguredProxy;
use crate::admin::status_api::ProxyStatus;
use crate::config::Config;
use crate::text::excerpt;
use crate::token::DecodedToken;

/// The most characters of a name to show.
const LONGEST: usize = 100;

/// The token of the person who is signed in to a running proxy.
pub(super) struct PersonToken {
    who: String,
    usable_for: Duration,
    /// What can be read from the token. `None` while there is no token, or if only the API can read it.
    pub(super) content: Option<DecodedToken>,
    /// How long it was usable when it came.
    pub(super) lifetime: Duration,
}

impl PersonToken {
    /// Asks the proxy that runs this configuration. `None` if none does, or if nobody is signed in to it.
    pub(super) async fn of_running_proxy(config: &Config) -> Option<Self> {
        let proxy = ConfiguredProxy::of(config);
        let status = tokio::task::spawn_blocking(move || proxy.status_of_same());
        Self::in_status(status.await.ok()??)
    }

    fn in_status(status: ProxyStatus) -> Option<Self> {
        let token = status.token;
        let sign_in = token.sign_in.filter(|sign_in| sign_in.is_signed_in)?;
        let who = sign_in.who.unwrap_or_else(|| "a person".to_owned());
        let content = sign_in.claims.map(|claims| DecodedToken {
            header: Map::new(),
            claims,
        });
        Some(Self {
            who: excerpt(&who, LONGEST),
            usable_for: Duration::from_secs(token.usable_for_s),
            content,
            lifetime: Duration::from_secs(token.lifetime_s),
        })
    }

    /// Who is signed in.
    pub(super) fn person(&self) -> Finding {
        let who = &self.who;
        if self.usable_for.is_zero() {
            return Finding::note(format!(
                "{who} is signed in to the running proxy, which has no usable access token at the moment"
            ))
            .remedy("see `cupbearer status`");
        }
        let left = humantime::format_duration(self.usable_for);
        Finding::ok(format!(
            "{who} is signed in to the running proxy, whose access token is usable for another {left}"
        ))
    }

    /// Whether the token's content can be read.
    pub(super) fn form(&self) -> Finding {
        match (&self.content, self.usable_for.is_zero()) {
            (Some(_), _) => Finding::ok("a JWT"),
            (None, false) => Finding::ok("an opaque token: its content cannot be checked"),
            (None, true) => Finding::skipped("there is no token at the moment"),
        }
    }
}

#[cfg(test)]
mod tests;
