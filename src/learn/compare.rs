//! A run held against rails that are there. Who decides is the guard, as for real requests.

use http::Method;
use http::header::{CONNECTION, HOST, UPGRADE};

use super::{Request, Seen, Times};
use crate::config::{self, AccessRules, LocalUsers};
use crate::guard::{Guard, Peer};

/// How a run and rails differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What the run did and the rails refuse.
    pub refused: Vec<Request>,
    /// What the rules for everyone refused already.
    pub refused_for_everyone: Vec<Request>,
    /// Rules of `allow` that no request needed.
    pub unused: Vec<String>,
    /// There is no `allow`: everything that `deny` and `read_only` leave is allowed.
    pub is_open: bool,
}

/// Compares.
#[must_use]
pub fn compare(seen: &Seen, rails: &AccessRules) -> Comparison {
    let judge = Judge::new(rails.clone());
    let refused = seen
        .admitted()
        .filter(|(request, times)| !judge.passes(request, times));
    let for_everyone = seen.requests.iter().filter(|(_, times)| times.refused > 0);
    let is_unused = |rule: &&config::Rule| {
        let alone = Judge::new(AccessRules {
            allow: Some(vec![(*rule).clone()]),
            ..AccessRules::default()
        });
        let mut requests = seen.admitted();
        !requests.any(|(request, times)| alone.passes(request, times))
    };
    let allow = rails.allow.iter().flatten();
    Comparison {
        refused: refused.map(|(request, _)| request.clone()).collect(),
        refused_for_everyone: for_everyone.map(|(request, _)| request.clone()).collect(),
        unused: allow.filter(is_unused).map(ToString::to_string).collect(),
        is_open: rails.allow.is_none(),
    }
}

/// The guard, with these rails and nothing else to mind.
pub(super) struct Judge(Guard);

impl Judge {
    pub(super) fn new(rails: AccessRules) -> Self {
        Self(Guard::new(&config::GuardConfig {
            local_users: LocalUsers::Any,
            rails,
            ..config::GuardConfig::default()
        }))
    }

    /// Whether a request that went like this passes.
    pub(super) fn passes(&self, request: &Request, times: &Times) -> bool {
        let Ok(method) = Method::from_bytes(request.method.as_bytes()) else {
            return false;
        };
        let mut again = http::Request::builder()
            .method(method)
            .uri(&request.path)
            .header(HOST, "localhost");
        if times.statuses.contains(&101) {
            again = again
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, "websocket");
        }
        let Ok(again) = again.body(()) else {
            return false;
        };
        self.0.check(&again, &Peer::unix(None)).is_ok()
    }
}

#[cfg(test)]
mod tests;
