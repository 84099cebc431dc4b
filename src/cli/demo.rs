//! `cupbearer demo`: a simulated authorization server and API, and the real proxy in front of them, configured as a
//! user would configure it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Exit, check, run, say};
use crate::config::{Listen, Loaded, Overrides, Setting, Surroundings};
use crate::demo::{self, Demo};
use crate::{server, telemetry};

/// Starts all three and serves until the process is told to stop.
pub(super) async fn demo(overrides: &Overrides) -> Exit {
    if let Some(flag) = not_for_a_demo(overrides) {
        say(&format!(
            "the demo has its own API and authorization server: omit {flag}, or use cupbearer run"
        ));
        return Exit::Usage;
    }
    let flushing = telemetry::Flushing::start();
    say("Starting a simulated authorization server and API, and the proxy in front of them ...");
    demo::remove_abandoned();
    let demo = match demo::start(demo::Options::default()).await {
        Ok(demo) => demo,
        Err(error) => {
            say(&format!("the demo cannot start: {error}"));
            return Exit::Failed;
        }
    };
    let mut notes = demo.moved.clone();
    let loaded = match configure(&demo, overrides, &mut notes).await {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let exit = {
        let more = guide(&demo, &loaded, &notes);
        run::serve(&[loaded], &more, None, &flushing).await
    };
    demo.shutdown().await;
    exit
}

/// The flag that names another configuration, API or token endpoint, if there is one.
fn not_for_a_demo(overrides: &Overrides) -> Option<&'static str> {
    let file = overrides.file.as_ref().map(|_| "--config");
    let setting = overrides.settings.iter().find(|setting| {
        matches!(setting.key.as_str(), "upstream.url" | "token.url")
            || setting.key.starts_with("token.pingone.")
    });
    file.or(setting.map(|setting| setting.flag))
}

/// Loads the configuration of the demo, overridden by the flags of the command line. The environment is ignored, since
/// it describes another proxy.
async fn configure(
    demo: &Demo,
    overrides: &Overrides,
    notes: &mut Vec<String>,
) -> Result<Loaded, Exit> {
    let file: PathBuf = demo.write_configuration().map_err(|error| {
        say(&format!(
            "the demo's configuration cannot be written: {error}"
        ));
        Exit::Failed
    })?;
    let mut overrides = Overrides {
        file: Some(file),
        settings: overrides.settings.clone(),
    };
    let listen_on = |overrides: &mut Overrides, text: String| {
        overrides.settings.push(Setting {
            flag: "--listen",
            key: "listen".to_owned(),
            text,
        });
    };
    let alone = Surroundings::default();
    loop {
        let loaded = check::examine(&overrides, &alone)
            .await
            .map_err(|problems| {
                say(&format!("{problems}"));
                Exit::Configuration
            })?;
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

fn is_taken(listen: &Listen) -> bool {
    server::bind(listen).is_err_and(|error| error.source.kind() == std::io::ErrorKind::AddrInUse)
}

/// A port that is free on both loopback addresses at present.
fn free_port() -> u16 {
    server::bind(&Listen::Localhost(0)).map_or(0, |bound| bound.addresses[0].port())
}

/// What to try, printed below the banner.
fn guide(demo: &Demo, loaded: &Loaded, notes: &[String]) -> Vec<String> {
    let file = loaded.file.as_deref().map(|file| {
        format!(
            "  Configuration of this proxy (cupbearer init asks for the same values):\n    {}",
            file.display()
        )
    });
    let listen = &loaded.config.listen;
    let (through, docs) = match listen {
        Listen::Localhost(_) | Listen::Tcp(_) => {
            let proxy = format!("http://{listen}");
            (demo.curl_through(&proxy), demo.docs_through(&proxy))
        }
        Listen::Unix { path, .. } => (
            format!(
                "curl --unix-socket {} http://localhost/api/v1/certificates",
                path.display()
            ),
            "not available over a unix socket".to_owned(),
        ),
    };
    let mut lines: Vec<String> = notes
        .iter()
        .map(|note| format!("  note         {note}"))
        .collect();
    lines.extend([
        String::new(),
        "  Directly to the API, without a token (401):".to_owned(),
        format!("    {}", demo.curl_without_token()),
        "  Through the proxy (200):".to_owned(),
        format!("    {through}"),
        format!("  In a browser, where \"Try it out\" needs no \"Authorize\":\n    {docs}"),
    ]);
    lines.extend(file);
    lines.extend([
        "  Tokens expire after 60 s, so that you can watch a refresh. Ctrl-C stops all three."
            .to_owned(),
        String::new(),
    ]);
    lines
}
