//! What is alive behind a data path: the task that keeps the token, and the one that follows the callers' keys.
//! Both end when the last data path that uses them has.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::guard::{Guard, KeyWatch};
use crate::token::{self, ClientError, SecretReader, Tokens};

/// A token and the task that keeps it.
pub(super) struct Identity {
    pub(super) tokens: Tokens,
    /// TLS towards the token endpoint, and, without a client certificate, towards the upstream.
    pub(super) tls: rustls::ClientConfig,
    credential: Arc<SecretReader>,
    _task: JoinSet<Infallible>,
}

impl Identity {
    /// Begins to ask for a token. `proxy`: for which one, where there are several.
    pub(super) fn start(
        config: &Config,
        tls: rustls::ClientConfig,
        proxy: Option<String>,
    ) -> Result<Arc<Self>, ClientError> {
        let client = token::client(tls.clone(), &config.network.proxy)?;
        let credential = SecretReader::new(config.token.credential.clone());
        let read_secret = Arc::clone(&credential).into_function();
        let (tokens, engine) = token::refresh_task(&config.token, client, read_secret, proxy);
        let mut task = JoinSet::new();
        task.spawn(engine.run());
        Ok(Arc::new(Self {
            tokens,
            tls,
            credential,
            _task: task,
        }))
    }

    /// Whether, from here on, the credential's source is left alone, and what was read of it last stays in use.
    pub(super) fn hold_credential(&self, hold: bool) {
        self.credential.suspend(hold);
    }
}

/// The task that reads a guard's keys, and reads them again.
pub(super) struct Keys {
    _task: JoinSet<Infallible>,
}

impl Keys {
    /// Begins to read; the second part is ready once every source has been read, or where there is none.
    /// `proxy` as for [`KeyWatch::load`].
    pub(super) fn follow(
        guard: &Guard,
        proxy: Option<String>,
    ) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (read, all_read) = oneshot::channel();
        let mut task = JoinSet::new();
        if let Some(callers) = guard.callers() {
            task.spawn(async move {
                let watch = KeyWatch::load(callers, proxy).await;
                let _ = read.send(());
                watch.follow().await
            });
        }
        (Arc::new(Self { _task: task }), all_read)
    }
}
