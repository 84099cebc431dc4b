//! The background tasks of a generation: one keeps its token, one follows the key files of its callers. Each ends once
//! the last generation that uses it is gone.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::listen_context::ListenContext;
use crate::config::{Config, SignInConfig};
use crate::guard::{Guard, KeyWatch};
use crate::metrics::StoppedTasks;
use crate::token::{self, Ownership, SecretOwnership, SecretReader, Tokens};

/// A token, the task that refreshes it, and whether what that reads belongs to it.
pub(super) struct Identity {
    pub(super) tokens: Tokens,
    /// The TLS configuration for the token endpoint, and for the upstream unless that has a client certificate.
    pub(super) tls: rustls::ClientConfig,
    ownership: Ownership,
    _task: JoinSet<Infallible>,
}

impl Identity {
    /// Starts to request tokens, unless the person of the identity `before` has signed in for this one too.
    pub(super) fn start(
        config: &Config,
        tls: rustls::ClientConfig,
        context: &ListenContext,
        before: Option<&Tokens>,
    ) -> Arc<Self> {
        if let Some(sign_in) = config.token.sign_in() {
            return Self::of_person(sign_in, tls, context, before);
        }
        let client = token::client(tls.clone(), &config.network.proxy);
        let ownership = Ownership::default();
        let credential = SecretReader::new(config.token.requests(), ownership.clone());
        let read_secret = credential.into_function();
        let of_person = token::LoginTaskContext {
            page: context.sign_in_page.clone(),
            ownership: ownership.clone(),
            sessions: context.login_sessions.clone(),
            proxy: context.name.clone(),
            attempts: context.attempts.clone(),
        };
        let of_person = token::login_task(
            &config.token,
            client.clone(),
            Arc::clone(&read_secret),
            of_person,
        );
        let (tokens, engine) = of_person.unwrap_or_else(|| {
            token::refresh_task(
                &config.token,
                client,
                read_secret,
                ownership.clone(),
                context.name.clone(),
                context.attempts.clone(),
            )
        });
        // Before the task runs, which would request a token.
        if let Some(before) = before {
            tokens.take_over_sign_in(before);
        }
        let mut task = JoinSet::new();
        task.spawn(
            context
                .stopped_tasks
                .clone()
                .watch("token refresh", engine.run()),
        );
        Arc::new(Self {
            tokens,
            tls,
            ownership,
            _task: task,
        })
    }

    /// Waits for a token that a person hands over.
    fn of_person(
        sign_in: &SignInConfig,
        tls: rustls::ClientConfig,
        context: &ListenContext,
        before: Option<&Tokens>,
    ) -> Arc<Self> {
        let (tokens, watching) = token::sign_in_task(
            sign_in,
            context.sign_in_page.clone(),
            context.name.clone(),
            context.attempts.clone(),
        );
        if let Some(before) = before {
            tokens.take_over_sign_in(before);
        }
        let mut task = JoinSet::new();
        let stopped_tasks = context.stopped_tasks.clone();
        task.spawn(stopped_tasks.watch("sign-in", watching.run()));
        Arc::new(Self {
            tokens,
            tls,
            ownership: Ownership::default(),
            _task: task,
        })
    }

    /// Uses a changed secret, and a new token of a source, only while it belongs to this identity.
    pub(super) fn bind_credential(&self, ownership: SecretOwnership) {
        self.ownership.bind(ownership);
    }
}

/// The task that reads the keys of a guard's callers, and follows their files.
pub(super) struct KeyFollower {
    _task: JoinSet<Infallible>,
}

impl KeyFollower {
    /// Starts the task. The receiver completes once every key has been read, or fails if there are no callers. `proxy`
    /// is the name to log, if there are several proxies. Programs and keyrings are used once `may_ask` is true.
    pub(super) fn start(
        guard: &Guard,
        proxy: Option<String>,
        stopped_tasks: &StoppedTasks,
        may_ask: watch::Receiver<bool>,
    ) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (read, all_read) = oneshot::channel();
        let mut task = JoinSet::new();
        if let Some(callers) = guard.callers() {
            let following = KeyWatch::new(callers, proxy, may_ask).run(move || {
                let _ = read.send(()); // nobody may be waiting
            });
            task.spawn(stopped_tasks.clone().watch("caller keys", following));
        }
        (Arc::new(Self { _task: task }), all_read)
    }
}
