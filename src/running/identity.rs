//! What is alive behind a data path: the task that keeps the token, and the one that follows the callers' keys.
//! Both end when the last data path that uses them has.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::config::{Config, SecretSource};
use crate::guard::{Guard, KeyWatch};
use crate::token::{self, ClientError, Tokens};

/// A token and the task that keeps it.
pub(super) struct Identity {
    pub(super) tokens: Tokens,
    /// TLS towards the token endpoint, and, without a client certificate, towards the upstream.
    pub(super) tls: rustls::ClientConfig,
    _task: JoinSet<Infallible>,
}

impl Identity {
    /// Begins to ask for a token.
    pub(super) fn start(
        config: &Config,
        tls: rustls::ClientConfig,
    ) -> Result<Arc<Self>, ClientError> {
        let client = token::client(tls.clone(), &config.network.proxy)?;
        let read_secret = secret_reader(config.token.credential.clone());
        let (tokens, engine) = token::engine(&config.token, client, read_secret);
        let mut task = JoinSet::new();
        task.spawn(engine.run());
        Ok(Arc::new(Self {
            tokens,
            tls,
            _task: task,
        }))
    }
}

/// The credential as the token room asks for it.
fn secret_reader(source: SecretSource) -> token::ReadSecret {
    let source = Arc::new(source);
    Arc::new(move || {
        let source = Arc::clone(&source);
        Box::pin(async move { source.read().await.map_err(Into::into) })
    })
}

/// The task that reads a guard's keys, and reads them again.
pub(super) struct Keys {
    _task: JoinSet<Infallible>,
}

impl Keys {
    /// Begins to read; the second part is ready once every source has been read, or where there is none.
    pub(super) fn follow(guard: &Guard) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (read, all_read) = oneshot::channel();
        let mut task = JoinSet::new();
        if let Some(callers) = guard.callers() {
            task.spawn(async move {
                let watch = KeyWatch::load(callers).await;
                let _ = read.send(());
                watch.follow().await
            });
        }
        (Arc::new(Self { _task: task }), all_read)
    }
}
