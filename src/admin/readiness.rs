//! Whether requests can be served, in one line: the state, the reason, the remedy.

use std::time::Duration;

use super::view::ProxyView;
use crate::problem::Reason;
use crate::token::{FailureOrigin, SignInSnapshot, Snapshot};

/// What `/ready` and `/startup` respond with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether the response is 200.
    pub is_ready: bool,
    /// State, reason and remedy.
    pub line: String,
    /// When it is worth asking again.
    pub retry_in: Option<Duration>,
}

impl Readiness {
    /// Ready if every proxy is, and none of the process's own tasks has stopped. The line is that of the first proxy
    /// that is not. `not_started` says why others have not started.
    pub(super) fn of_all(
        views: &[ProxyView],
        not_started: &[String],
        stopped_tasks: &[&str],
    ) -> Self {
        if let Some(unready) = Self::of_tasks(stopped_tasks)
            && !views.iter().any(|view| (view.is_stopping)())
        {
            return unready;
        }
        Self::first_unready(views, not_started, "ready", |view| {
            let is_stopping = (view.is_stopping)();
            match Self::of_tasks(&view.metrics.stopped_tasks().names()) {
                Some(unready) if !is_stopping => unready,
                _ => Self::of(&view.snapshot(), is_stopping),
            }
        })
    }

    /// Whether every proxy has had a token. Once it has, startup is over, whatever happens later.
    pub(super) fn of_startup(views: &[ProxyView], not_started: &[String]) -> Self {
        Self::first_unready(views, not_started, "started", |view| {
            let snapshot = view.snapshot();
            if snapshot.last_success.is_some() {
                Self::ready("started".to_owned())
            } else {
                Self::of(&snapshot, false)
            }
        })
    }

    const fn ready(line: String) -> Self {
        Self {
            is_ready: true,
            line,
            retry_in: None,
        }
    }

    /// `state` is the word for all proxies if each of them is ready.
    fn first_unready(
        views: &[ProxyView],
        not_started: &[String],
        state: &str,
        judge: impl Fn(&ProxyView) -> Self,
    ) -> Self {
        if let Some(why) = not_started.first() {
            return Self {
                is_ready: false,
                line: why.clone(),
                retry_in: None,
            };
        }
        let several = views.len() > 1;
        let mut ready = Vec::new();
        for view in views {
            let mut readiness = judge(view);
            if several {
                readiness.line = format!("{}: {}", view.name, readiness.line);
            }
            if !readiness.is_ready {
                return readiness;
            }
            ready.push(readiness);
        }
        if let (1, Some(only)) = (ready.len(), ready.pop()) {
            return only;
        }
        Self::ready(format!("{} proxies {state}", views.len()))
    }

    /// Not ready if a background task has stopped, since what it does is no longer done.
    fn of_tasks(stopped: &[&str]) -> Option<Self> {
        (!stopped.is_empty()).then(|| Self {
            is_ready: false,
            line: format!(
                "not ready: stopped because of a bug in cupbearer: {}; restart it, and please report the bug",
                stopped.join(", ")
            ),
            retry_in: None,
        })
    }

    /// Whether a person has signed in.
    fn of_person(snapshot: &Snapshot, sign_in: &SignInSnapshot) -> Self {
        let state = snapshot.state.as_str();
        if !snapshot.state.is_usable() {
            let advice = sign_in.place.advice();
            return Self {
                is_ready: false,
                line: format!("not ready: token {state}: login_required: {advice}"),
                retry_in: None,
            };
        }
        let person = sign_in.signed_in.as_ref();
        let who = person.and_then(|person| person.who.as_deref());
        let who = who.map_or_else(
            || "signed in".to_owned(),
            |who| format!("signed in as {who}"),
        );
        let is_limited = person.is_some_and(|person| person.until.is_some() || person.is_renewed);
        let until = if is_limited {
            let usable = Duration::from_secs(snapshot.usable_for.as_secs());
            format!("valid for {}", humantime::format_duration(usable))
        } else {
            "valid until the API rejects it".to_owned()
        };
        let failing = snapshot.last_error.as_ref();
        let failing = failing.map(|error| format!("; refreshing fails: {error}"));
        let soon = snapshot.ends_soon().map(|soon| format!("; {soon}"));
        Self::ready(format!(
            "ready: token {state}, {until}; {who}{}{}",
            soon.unwrap_or_default(),
            failing.unwrap_or_default()
        ))
    }

    fn of(snapshot: &Snapshot, is_stopping: bool) -> Self {
        let state = snapshot.state.as_str();
        if is_stopping {
            return Self {
                is_ready: false,
                line: "not ready: stopping".to_owned(),
                retry_in: None,
            };
        }
        if let Some(sign_in) = &snapshot.sign_in
            && (sign_in.needs_person || snapshot.state.is_usable())
        {
            return Self::of_person(snapshot, sign_in);
        }
        if snapshot.state.is_usable() {
            let usable = Duration::from_secs(snapshot.usable_for.as_secs());
            let usable = humantime::format_duration(usable);
            if let Some(error) = &snapshot.last_error {
                return Self::ready(format!(
                    "ready, but refreshing fails: {error}; {usable} left"
                ));
            }
            let note = if snapshot.refused_although_fresh.is_some() {
                "; the API refuses it although it is fresh: a missing role?"
            } else {
                ""
            };
            return Self::ready(format!("ready: token {state}, valid for {usable}{note}"));
        }
        Self {
            is_ready: false,
            line: format!("not ready: {}", token_line(snapshot)),
            retry_in: Some(snapshot.next_attempt_in),
        }
    }
}

/// Why there is no usable token, and what to do, in one line.
pub(super) fn token_line(snapshot: &Snapshot) -> String {
    let (reason, remedy) = token_remedy(snapshot);
    let (cause, doctor) = match &snapshot.last_error {
        Some(cause) => (
            format!(": {cause}"),
            "; run `cupbearer doctor` to find the cause",
        ),
        None => (String::new(), ""),
    };
    // `wait` tells by this whose fault it is: what follows may be the words of a server.
    let side = match snapshot.origin {
        Some(FailureOrigin::Credential) => " (configuration)",
        Some(FailureOrigin::Rejection | FailureOrigin::Server | FailureOrigin::Bug) | None => "",
    };
    format!(
        "token {}: {}{side}{cause}; {remedy}; next attempt in {}{doctor}",
        snapshot.state.as_str(),
        reason.name(),
        humantime::format_duration(Duration::from_secs(snapshot.next_attempt_in.as_secs()))
    )
}

/// Why the token endpoint has issued no token, and what to do.
pub(super) const fn token_remedy(snapshot: &Snapshot) -> (Reason, &'static str) {
    match (&snapshot.last_error, snapshot.refused) {
        (Some(_), true) => (
            Reason::TokenRefused,
            "correct the credentials; a changed secret is tried within 5 s",
        ),
        (Some(_), false) => (Reason::TokenUnavailable, "cupbearer keeps trying"),
        (None, _) => (Reason::TokenUnavailable, "the first attempt is in progress"),
    }
}
