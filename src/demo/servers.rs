//! Starts both servers and stops them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::context::{CLIENT_ID, ENVIRONMENT_ID, ServerContext};
use super::device_codes::DeviceCodes;
use super::keys::{self, RsaSigningKey};
use super::secret_file::SecretFile;
use super::sessions::DemoSessions;
use super::state::{Application, AuthMethod, DemoState};
use super::{api, authorization_server, dir_lock};
use crate::credentials::Secret;

/// The port on which the authorization server listens if it is free.
pub const AUTHORIZATION_SERVER_PORT: u16 = 6751;
/// The port on which the API listens if it is free.
pub const API_PORT: u16 = 6752;

/// What is chosen at the start. Everything else can be changed at any time through [`DemoState`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The port of the authorization server. If it is 0 or in use, a free one is chosen.
    pub authorization_server_port: u16,
    /// The port of the API. If it is 0 or in use, a free one is chosen.
    pub api_port: u16,
    /// The lifetime of an access token: short, so that a refresh can be watched.
    pub lifetime: Duration,
    /// The Token Endpoint Auth Method of the application.
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
    /// The defaults on free ports, for tests that run in parallel.
    #[must_use]
    pub fn on_free_ports() -> Self {
        Self {
            authorization_server_port: 0,
            api_port: 0,
            ..Self::default()
        }
    }
}

/// Both servers. They run until this is dropped or [shut down](Demo::shutdown).
#[derive(Debug)]
pub struct Demo {
    /// `http://127.0.0.1:PORT/<environment id>/as`; its metadata and JWKS are below it.
    pub issuer: String,
    /// The token endpoint: the issuer followed by `/token`.
    pub token_url: String,
    /// `http://127.0.0.1:PORT`, without a path, as `upstream.url` expects it.
    pub api_url: String,
    /// The environment of the authorization server: [`ENVIRONMENT_ID`].
    pub environment_id: &'static str,
    /// The client id of the application: [`CLIENT_ID`].
    pub client_id: &'static str,
    /// The client secret of the application, new at every start.
    pub client_secret: Secret,
    /// Changes how the servers behave, and has recorded what they received.
    pub state: DemoState,
    /// A sentence for each port that was in use, so that another one was chosen.
    pub moved: Vec<String>,
    pub(super) secret_file: SecretFile,
    stop: watch::Sender<()>,
    servers: [JoinHandle<io::Result<()>>; 2],
}

/// Removes what killed demos of this user have left in the directory for temporary files.
pub fn remove_abandoned() {
    dir_lock::remove_abandoned(&std::env::temp_dir());
}

/// Binds both listeners, generates a signing key and a client secret, and serves.
///
/// # Errors
/// No port on 127.0.0.1 can be bound, no key can be generated, or the secret cannot be written to the directory for
/// temporary files.
pub async fn start(options: Options) -> io::Result<Demo> {
    let mut moved = Vec::new();
    let (tokens, tokens_at) = bind(
        "the authorization server",
        options.authorization_server_port,
        &mut moved,
    )
    .await?;
    let (api, api_at) = bind("the API", options.api_port, &mut moved).await?;

    let key = tokio::task::spawn_blocking(RsaSigningKey::generate)
        .await
        .map_err(io::Error::other)??;
    let client_secret = keys::client_secret()?;
    let state = DemoState::new(
        CLIENT_ID,
        Application::with_secret(client_secret.clone(), options.auth),
        options.lifetime,
    );
    let issuer = format!("http://{tokens_at}/{ENVIRONMENT_ID}/as");
    let context = Arc::new(ServerContext {
        issuer: issuer.clone(),
        key,
        state: state.clone(),
        sessions: DemoSessions::default(),
        devices: DeviceCodes::default(),
    });

    let (stop, stopped) = watch::channel(());
    let servers = [
        serve(
            tokens,
            authorization_server::routes(Arc::clone(&context)),
            stopped.clone(),
        ),
        serve(api, api::routes(context), stopped),
    ];
    Ok(Demo {
        token_url: format!("{issuer}/token"),
        issuer,
        api_url: format!("http://{api_at}"),
        environment_id: ENVIRONMENT_ID,
        client_id: CLIENT_ID,
        secret_file: SecretFile::write(&client_secret)?,
        client_secret,
        state,
        moved,
        stop,
        servers,
    })
}

impl Demo {
    /// Closes both listeners and all idle connections, and waits for the requests in flight.
    pub async fn shutdown(self) {
        let Self { stop, servers, .. } = self;
        drop(stop);
        for server in servers {
            // An error only means that the server has already ended.
            let _ = server.await;
        }
    }
}

async fn bind(
    server: &str,
    port: u16,
    moved: &mut Vec<String>,
) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = free.local_addr()?;
            moved.push(format!(
                "port {port} is in use: {server} listens on {address} instead"
            ));
            free
        }
        other => other?,
    };
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until the sender of `stopped` is dropped; nothing is ever sent.
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
