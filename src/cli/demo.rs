//! `cupbearer demo`: a simulated authorization server and API, and the real proxy in front of them, configured as a
//! user would configure it.

mod sign_in;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokio::net::TcpStream;

use super::exit::Exit;
use super::free_port::{free_port, free_port_above, is_taken};
use super::invocation::{Invocation, SettingsArgs};
use super::open_browser::open_in_browser;
use super::output::say;
use super::quoting::shell_word;
use super::serve::serve;
use crate::config::{Config, Listen, Loaded, Overrides, Setting, Surroundings};
use crate::demo::{self, Demo};
use crate::doctor::preflight;
use crate::server::PassedSockets;
use crate::telemetry;

use sign_in::DemoLogin;

/// Try it without an account: an authorization server, an API and the proxy, all on this machine
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "\
With --login, nobody is signed in at first, and the proxy answers 503. The page /sign-in of the admin listener, or
`cupbearer login` with the configuration that is shown, leads to a page where you choose who to be: Ada may change
everything, Otto may only read. No password is asked for. `cupbearer login --device` shows a code for such a page. With
--login=paste, you copy a token from a page of the API instead.

Example:
  cupbearer demo --open
  cupbearer demo --login
  cupbearer demo --login=paste",
    // The demo has its own.
    mut_arg("config", |arg| arg.hide(true)),
    mut_arg("upstream", |arg| arg.hide(true))
)]
pub(super) struct DemoArgs {
    /// Open the API's Swagger UI in a browser, through the proxy
    #[arg(long)]
    open: bool,
    /// Sign in as a person, instead of using a client with a secret [default: browser]
    #[arg(
        long,
        value_name = "WAY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "browser"
    )]
    login: Option<DemoLogin>,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl DemoArgs {
    /// Starts the three servers and serves until asked to stop.
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        let overrides = match invocation.single() {
            Ok(overrides) => overrides,
            Err(exit) => return exit,
        };
        if let Some(flag) = flag_for_another_proxy(overrides) {
            say(&format!(
                "the demo has its own API and authorization server: omit {flag}, or use cupbearer run"
            ));
            return Exit::Usage;
        }
        let flushing = telemetry::FlushOnDrop::start();
        say(
            "Starting a simulated authorization server and API, and the proxy in front of them ...",
        );
        demo::remove_abandoned();
        let demo = match demo::start(demo::Options::default()).await {
            Ok(demo) => demo,
            Err(error) => {
                say(&format!("the demo cannot start: {error}"));
                return Exit::Failed;
            }
        };
        let mut notes = demo.moved.clone();
        let configuration = match self.login {
            Some(login) => demo.login_configuration(&login.way(&mut notes)),
            None => demo.configuration(),
        };
        let loaded = configure(&demo, &configuration, self.login, overrides, &mut notes);
        let loaded = match loaded.await {
            Ok(loaded) => loaded,
            Err(exit) => return exit,
        };
        let exit = {
            let guide = guide(&demo, &loaded, self.login, &notes);
            let config = loaded.config.clone();
            let opening = async {
                if self.open {
                    open_docs(&demo, &config).await;
                }
                std::future::pending().await
            };
            let all = [loaded];
            tokio::select! {
                exit = serve(&all, (PassedSockets::default(), None), &guide, None, &flushing) => exit,
                exit = opening => exit,
            }
        };
        demo.shutdown().await;
        exit
    }
}

/// How long the proxy may take to listen before no browser is opened.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);

/// Opens the docs page in a browser as soon as the proxy listens.
async fn open_docs(demo: &Demo, config: &Config) {
    let Some(base) = base_url(config) else {
        say("--open has no effect: a browser cannot use a unix socket");
        return;
    };
    let docs = demo.docs_through(&base);
    let address = base.rsplit('/').next().unwrap_or_default().to_owned();
    let listening = async {
        while TcpStream::connect(&*address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(LISTENS_WITHIN, listening)
        .await
        .is_ok()
        && open_in_browser(&docs).is_err()
    {
        // The library's error is for programmers.
        say(&format!(
            "No browser can be opened on this machine: open {docs} yourself."
        ));
    }
}

/// Where a client on this machine finds the proxy; `None` for a unix socket.
fn base_url(config: &Config) -> Option<String> {
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    match &config.listen {
        // Nobody can send a request to an unspecified address by that name.
        Listen::Tcp(address) if address.ip().is_unspecified() => {
            Some(format!("{scheme}://localhost:{}", address.port()))
        }
        Listen::Localhost(_) | Listen::Tcp(_) => Some(format!("{scheme}://{}", config.listen)),
        Listen::Unix { .. } => None,
    }
}

/// The flag that names a configuration file, an API or a token endpoint, if there is one.
fn flag_for_another_proxy(overrides: &Overrides) -> Option<&'static str> {
    let file = overrides.file.as_ref().map(|_| "--config");
    let setting = overrides.settings.iter().find(|setting| {
        matches!(setting.key.as_str(), "upstream.url" | "token.url")
            || setting.key.starts_with("token.pingone.")
    });
    file.or(setting.map(|setting| setting.flag))
}

/// The configuration file of the demo, overridden by the flags. The environment is ignored, since it describes another
/// proxy.
async fn configure(
    demo: &Demo,
    configuration: &str,
    login: Option<DemoLogin>,
    overrides: &Overrides,
    notes: &mut Vec<String>,
) -> Result<Loaded, Exit> {
    let file: PathBuf = demo.write_configuration(configuration).map_err(|error| {
        say(&format!(
            "the configuration of the demo cannot be written: {error}"
        ));
        Exit::Failed
    })?;
    // The demo is for people, even if its output goes into a file.
    let mut settings = vec![Setting {
        flag: "the demo",
        key: "log.format".to_owned(),
        text: "text".to_owned(),
    }];
    settings.extend_from_slice(&overrides.settings);
    let mut overrides = Overrides {
        file: Some(file),
        settings,
        ..Overrides::default()
    };
    let set = |overrides: &mut Overrides, flag: &'static str, key: &str, text: String| {
        overrides.settings.push(Setting {
            flag,
            key: key.to_owned(),
            text,
        });
    };
    let listen_on =
        |overrides: &mut Overrides, text: String| set(overrides, "--listen", "listen", text);
    let no_environment = Surroundings::default();
    loop {
        let loaded = preflight::load(&overrides, &no_environment)
            .await
            .map_err(|problems| {
                say(&problems.to_string());
                Exit::Configuration
            })?;
        let admin = &loaded.config.admin;
        if let Some(free) = login.and_then(|_| DemoLogin::free_admin_address(admin, notes)) {
            set(&mut overrides, "the demo", "admin.listen", free);
            continue;
        }
        match loaded.config.listen {
            // A port is chosen here, because the guide names it before it is bound.
            Listen::Localhost(0) => listen_on(&mut overrides, format!("localhost:{}", free_port())),
            Listen::Tcp(address) if address.port() == 0 => {
                let text = SocketAddr::new(address.ip(), free_port()).to_string();
                listen_on(&mut overrides, text);
            }
            Listen::Localhost(port) if is_taken(&loaded.config.listen) => {
                let free = free_port();
                notes.push(format!(
                    "port {port} is in use: the proxy listens on {free} instead"
                ));
                listen_on(&mut overrides, format!("localhost:{free}"));
            }
            Listen::Localhost(_) | Listen::Tcp(_) | Listen::Unix { .. } => return Ok(loaded),
        }
    }
}

/// A proxy beside this one needs another port.
fn init_command(config: &Config) -> String {
    let port = match &config.listen {
        Listen::Localhost(port) => Some(*port),
        Listen::Tcp(address) => Some(address.port()),
        Listen::Unix { .. } => None,
    };
    // Its configuration has the same redirect_url.
    let login = config.token.login();
    let redirect = login.and_then(|login| login.redirect_url.port_or_known_default());
    match port.and_then(|port| free_port_above(port, redirect.as_slice())) {
        Some(free) => format!("cupbearer init --listen localhost:{free}"),
        None => "cupbearer init".to_owned(),
    }
}

/// What to try, below the banner.
fn guide(demo: &Demo, loaded: &Loaded, login: Option<DemoLogin>, notes: &[String]) -> Vec<String> {
    let listen = &loaded.config.listen;
    let through_socket = |path: &Path| {
        let path = shell_word(path);
        format!("curl --unix-socket {path} http://localhost/api/v1/certificates")
    };
    let (through, docs) = match (base_url(&loaded.config), listen) {
        (Some(proxy), _) => (demo.curl_through(&proxy), demo.docs_through(&proxy)),
        (None, Listen::Unix { path, .. }) => (
            through_socket(path),
            "not available over a unix socket".to_owned(),
        ),
        (None, Listen::Localhost(_) | Listen::Tcp(_)) => (String::new(), String::new()),
    };
    let mut lines: Vec<String> = notes
        .iter()
        .map(|note| format!("  note         {note}"))
        .collect();
    lines.extend(login.into_iter().flat_map(|login| login.guide(loaded)));
    let expected = match login {
        Some(_) => "503 until you have signed in, then 200",
        None => "200",
    };
    lines.extend([
        String::new(),
        "  Directly to the API, without a token (401):".to_owned(),
        format!("    {}", demo.curl_without_token()),
        format!("  Through the proxy ({expected}):"),
        format!("    {through}"),
        format!("  In a browser, where \"Try it out\" needs no \"Authorize\":\n    {docs}"),
    ]);
    lines.extend(loaded.file.as_deref().map(|file| {
        format!(
            "  Configuration of this proxy:\n    {}\n  To write one with the same values, for a proxy beside this one:\n    {}",
            file.display(),
            init_command(&loaded.config),
        )
    }));
    let lifetime = match login {
        Some(DemoLogin::Paste) => "A copied token expires after 15 min.",
        Some(DemoLogin::Browser) | None => {
            "Tokens expire after 60 s, so that you can watch a refresh."
        }
    };
    lines.extend([
        format!("  {lifetime} Ctrl-C stops all three."),
        String::new(),
    ]);
    lines
}

#[cfg(test)]
mod tests;
