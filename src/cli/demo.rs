//! `cupbearer demo`: a stand-in authorization server, a stand-in API, and the real proxy in front of
//! them, configured the way a user would.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Exit, check, run, say};
use crate::config::{Listen, Loaded, Overrides, Setting, Surroundings};
use crate::demo::{self, Demo};
use crate::{server, telemetry};

/// Starts all three and serves until told to stop.
pub(super) async fn demo(overrides: &Overrides) -> Exit {
    if let Some(flag) = not_for_a_demo(overrides) {
        say(&format!(
            "the demo brings its own API and authorization server: leave out {flag}, or use cupbearer run"
        ));
        return Exit::Usage;
    }
    let flushing = telemetry::Flushing::start();
    say("Starting a stand-in authorization server and API, and the proxy in front of them ...");
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

/// What describes another proxy: a file, an API, a token endpoint.
fn not_for_a_demo(overrides: &Overrides) -> Option<&'static str> {
    let file = overrides.file.as_ref().map(|_| "--config");
    let setting = overrides.settings.iter().find(|setting| {
        matches!(setting.key.as_str(), "upstream.url" | "token.url")
            || setting.key.starts_with("token.pingone.")
    });
    file.or(setting.map(|setting| setting.flag))
}

/// The configuration file of the demo, with the flags of the command line on top; the environment
/// stays out, since it describes another proxy.
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
            // The guide names the port before it is bound.
            Listen::Localhost(0) => listen_on(&mut overrides, format!("localhost:{}", free_port())),
            Listen::Tcp(address) if address.port() == 0 => {
                let text = SocketAddr::new(address.ip(), free_port()).to_string();
                listen_on(&mut overrides, text);
            }
            Listen::Localhost(port) if is_taken(&loaded.config.listen) => {
                let free = free_port();
                notes.push(format!(
                    "port {port} is taken: the proxy listens on {free} instead"
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

/// A port that is free on every loopback family right now.
fn free_port() -> u16 {
    server::bind(&Listen::Localhost(0)).map_or(0, |bound| bound.addresses[0].port())
}

/// What to try, below the banner.
fn guide(demo: &Demo, loaded: &Loaded, notes: &[String]) -> Vec<String> {
    let file = loaded.file.as_deref().map(|file| {
        format!(
            "  Its configuration; what stands in it can be given to cupbearer init:\n    {}",
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
            "not over a unix socket".to_owned(),
        ),
    };
    let mut lines: Vec<String> = notes
        .iter()
        .map(|note| format!("  note         {note}"))
        .collect();
    lines.extend([
        String::new(),
        "  Without the proxy, refused (401):".to_owned(),
        format!("    {}", demo.curl_refused()),
        "  Through it, 200:".to_owned(),
        format!("    {through}"),
        format!("  In a browser, \"Try it out\" works without \"Authorize\": {docs}"),
    ]);
    lines.extend(file);
    lines.extend([
        "  Tokens live 60 s here, so that a refresh can be watched. Ctrl-C ends all three."
            .to_owned(),
        String::new(),
    ]);
    lines
}
