//! A stand-in authorization server and a stand-in API, in this process and on loopback only.
//!
//! They are what `cupbearer demo` shows and what the tests run against, so they check what the real
//! ones check, can be put out of order ([`Knobs`]) and remember what they saw ([`Seen`],
//! [`TokenPost`]). Nothing here may know the proxy: it is configured in front like by any user.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::credentials::Secret;

mod access;
mod api;
mod authorization_server;
mod claim;
mod client_credentials;
mod docs_page;
mod guide;
mod inventory;
mod keys;
mod knobs;
mod ledger;
mod openapi;
mod refusals;
mod secret_file;
mod validation;

pub use access::Verdict;
pub use knobs::{Application, AuthMethod, Behaviour, ExpiresIn, Groups, Knobs, Reply, Resource};
pub use ledger::{Seen, TokenPost};

use keys::SigningKey;
use secret_file::SecretFile;

/// The port that the authorization server asks for in the demo.
pub const AUTHORIZATION_SERVER_PORT: u16 = 6751;
/// The port that the API asks for in the demo.
pub const API_PORT: u16 = 6752;
/// The one environment of the authorization server.
pub const ENVIRONMENT_ID: &str = "5c1b6e2e-7d1a-4a5e-9c55-0d3f0a9be001";
/// The organization that the environment belongs to; claim `org`.
pub const ORGANIZATION_ID: &str = "5c1b6e2e-7d1a-4a5e-9c55-0d3f0a9be002";
/// The one application that is registered at the start.
pub const CLIENT_ID: &str = "5c1b6e2e-7d1a-4a5e-9c55-0d3f0a9be003";

/// What may differ at the start; everything else is a knob, to be turned at any time.
#[derive(Debug, Clone)]
pub struct Options {
    /// The authorization server's port; 0, or one that is taken, gives a free one.
    pub authorization_server_port: u16,
    /// The API's port; 0, or one that is taken, gives a free one.
    pub api_port: u16,
    /// How long an access token lives. Short, so that one can watch a refresh.
    pub lifetime: Duration,
    /// The application's Token Endpoint Auth Method.
    pub auth: AuthMethod,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            authorization_server_port: AUTHORIZATION_SERVER_PORT,
            api_port: API_PORT,
            lifetime: Duration::from_mins(1),
            auth: AuthMethod::Basic,
        }
    }
}

impl Options {
    /// The defaults on free ports, for tests that run side by side.
    #[must_use]
    pub fn on_free_ports() -> Self {
        Self {
            authorization_server_port: 0,
            api_port: 0,
            ..Self::default()
        }
    }
}

/// Both servers, up until this is dropped or [shut down](Demo::shutdown).
#[derive(Debug)]
pub struct Demo {
    /// `http://127.0.0.1:PORT/<environment id>/as`; discovery and JWKS lie below it.
    pub issuer: String,
    /// The token endpoint: the issuer and `/token`.
    pub token_url: String,
    /// `http://127.0.0.1:PORT`, without a path: what `upstream.url` wants.
    pub api_url: String,
    /// [`ENVIRONMENT_ID`].
    pub environment_id: &'static str,
    /// [`CLIENT_ID`].
    pub client_id: &'static str,
    /// The application's secret, new with every start.
    pub client_secret: Secret,
    /// Puts the servers into any state and tells what they saw.
    pub knobs: Knobs,
    /// A sentence for each port that was asked for and taken.
    pub moved: Vec<String>,
    secret_file: SecretFile,
    stop: watch::Sender<()>,
    servers: [JoinHandle<io::Result<()>>; 2],
}

/// Removes what demos of this user that were killed have left in the directory for temporary files.
pub fn remove_abandoned() {
    claim::remove_abandoned(&std::env::temp_dir());
}

/// What both servers share and nothing may change.
struct Site {
    issuer: String,
    key: SigningKey,
    knobs: Knobs,
}

/// Binds both listeners, makes a signing key and a client secret, and serves.
///
/// # Errors
/// No port can be bound on 127.0.0.1, no key can be made, or the secret cannot be written to the
/// directory for temporary files.
pub async fn start(options: Options) -> io::Result<Demo> {
    let mut moved = Vec::new();
    let (tokens, tokens_at) = bind(
        "the authorization server",
        options.authorization_server_port,
        &mut moved,
    )
    .await?;
    let (api, api_at) = bind("the API", options.api_port, &mut moved).await?;

    let key = tokio::task::spawn_blocking(SigningKey::generate)
        .await
        .map_err(io::Error::other)??;
    let client_secret = keys::client_secret()?;
    let knobs = Knobs::new(
        CLIENT_ID,
        Application::with_secret(client_secret.clone(), options.auth),
        options.lifetime,
    );
    let issuer = format!("http://{tokens_at}/{ENVIRONMENT_ID}/as");
    let site = Arc::new(Site {
        issuer: issuer.clone(),
        key,
        knobs: knobs.clone(),
    });

    let (stop, stopped) = watch::channel(());
    let servers = [
        serve(
            tokens,
            authorization_server::routes(Arc::clone(&site)),
            stopped.clone(),
        ),
        serve(api, api::routes(site), stopped),
    ];
    Ok(Demo {
        token_url: format!("{issuer}/token"),
        issuer,
        api_url: format!("http://{api_at}"),
        environment_id: ENVIRONMENT_ID,
        client_id: CLIENT_ID,
        secret_file: SecretFile::write(&client_secret)?,
        client_secret,
        knobs,
        moved,
        stop,
        servers,
    })
}

impl Demo {
    /// Closes both listeners and idle connections, and waits for the requests in flight.
    pub async fn shutdown(self) {
        let Self { stop, servers, .. } = self;
        drop(stop);
        for server in servers {
            // An error here could only repeat that the server has ended.
            let _ = server.await;
        }
    }
}

async fn bind(
    who: &str,
    port: u16,
    moved: &mut Vec<String>,
) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = free.local_addr()?;
            moved.push(format!(
                "port {port} is taken: {who} listens on {address} instead"
            ));
            free
        }
        other => other?,
    };
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Ends once `stopped`'s sender is gone: nothing is ever sent.
fn serve(
    listener: TcpListener,
    routes: Router,
    mut stopped: watch::Receiver<()>,
) -> JoinHandle<io::Result<()>> {
    let stop = async move { while stopped.changed().await.is_ok() {} };
    tokio::spawn(
        axum::serve(listener, routes)
            .with_graceful_shutdown(stop)
            .into_future(),
    )
}
