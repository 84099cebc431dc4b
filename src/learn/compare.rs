//! Compares the requests of a run with existing rails. The guard decides, as it does for real requests.

use http::Method;
use http::header::{CONNECTION, HOST, UPGRADE};

use super::record::{ObservedRequest, ObservedRequests, RequestOutcomes};
use crate::config::{self, AccessRules, LocalUsers};
use crate::guard::{Guard, Peer};

/// How a run differs from rails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Requests of the run that the rails reject.
    pub rejected: Vec<ObservedRequest>,
    /// Requests of the run that the rules for all callers rejected.
    pub rejected_by_guard: Vec<ObservedRequest>,
    /// Requests that cannot be compared, because a part of the path is not known.
    pub cut: Vec<ObservedRequest>,
    /// Rules in `allow` that no request needed.
    pub unused: Vec<String>,
    /// There is no `allow`, so everything is allowed that `deny` and `read_only` do not exclude.
    pub has_no_allow: bool,
}

/// Compares the requests of a run with rails.
#[must_use]
pub fn compare(observed: &ObservedRequests, rails: &AccessRules) -> Comparison {
    let guard = RailsGuard::new(rails.clone());
    let rejected = observed
        .accepted()
        .filter(|(request, outcomes)| !request.is_cut() && !guard.accepts(request, outcomes));
    let cut = observed.accepted().filter(|(request, _)| request.is_cut());
    let by_guard = observed
        .requests
        .iter()
        .filter(|(_, outcomes)| outcomes.rejected > 0);
    let is_unused = |rule: &&config::Rule| {
        let alone = RailsGuard::new(AccessRules {
            allow: Some(vec![(*rule).clone()]),
            ..AccessRules::default()
        });
        let mut requests = observed.accepted();
        !requests.any(|(request, outcomes)| alone.accepts(request, outcomes))
    };
    let allow = rails.allow.iter().flatten();
    Comparison {
        rejected: rejected.map(|(request, _)| request.clone()).collect(),
        rejected_by_guard: by_guard.map(|(request, _)| request.clone()).collect(),
        cut: cut.map(|(request, _)| request.clone()).collect(),
        unused: allow.filter(is_unused).map(ToString::to_string).collect(),
        has_no_allow: rails.allow.is_none(),
    }
}

/// The guard with these rails and no other restriction.
pub(super) struct RailsGuard(Guard);

impl RailsGuard {
    pub(super) fn new(rails: AccessRules) -> Self {
        Self(Guard::new(&config::GuardConfig {
            local_users: LocalUsers::Any,
            rails,
            ..config::GuardConfig::default()
        }))
    }

    /// Whether the guard accepts this request. One that asked for an upgrade is checked as such.
    pub(super) fn accepts(&self, request: &ObservedRequest, outcomes: &RequestOutcomes) -> bool {
        let Ok(method) = Method::from_bytes(request.method.as_bytes()) else {
            return false;
        };
        let mut builder = http::Request::builder()
            .method(method)
            .uri(&request.path)
            .header(HOST, "localhost");
        if outcomes.asks_upgrade {
            builder = builder
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, "websocket");
        }
        let Ok(rebuilt) = builder.body(()) else {
            return false;
        };
        self.0.check(&rebuilt, &Peer::unix(None)).is_ok()
    }
}

#[cfg(test)]
mod tests;
