//! `cupbearer demo --login`: how a person signs in to the demo, and where.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use clap::ValueEnum;

use super::super::free_port::{free_port, is_taken};
use super::super::quoting::shell_word;
use crate::config::{AdminConfig, Listen, Loaded};
use crate::demo::LoginWay;

/// The port of the redirect address if it is free, which is also the default of `token.redirect_url`.
const REDIRECT_PORT: u16 = 6753;

/// The value of `--login`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DemoLogin {
    /// On a page of the authorization server, here or with a code
    Browser,
    /// With a token that is copied from a page of the API
    Paste,
}

impl DemoLogin {
    /// What the configuration needs to know. A port that is in use is replaced, and `notes` says so.
    pub(super) fn way(self, notes: &mut Vec<String>) -> LoginWay {
        match self {
            Self::Paste => LoginWay::Paste,
            Self::Browser => {
                let bind = |port| {
                    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
                    listener.local_addr().map(|address| address.port())
                };
                let port = bind(REDIRECT_PORT).or_else(|_| {
                    let free = bind(0)?;
                    notes.push(format!(
                        "port {REDIRECT_PORT} is in use: the browser comes back to port {free} instead"
                    ));
                    std::io::Result::Ok(free)
                });
                // If there is no port at all, the sign-in says so.
                let port = port.unwrap_or(REDIRECT_PORT);
                let redirect_url = format!("http://127.0.0.1:{port}/callback");
                LoginWay::Browser { redirect_url }
            }
        }
    }

    /// The address for `admin.listen`, if it has to be replaced: nobody can sign in without an admin listener, and the
    /// guide names its port before it is bound.
    pub(super) fn free_admin_address(
        admin: &AdminConfig,
        notes: &mut Vec<String>,
    ) -> Option<String> {
        let [listen] = &admin.listen[..] else {
            return None;
        };
        match listen {
            Listen::Localhost(0) => Some(format!("localhost:{}", free_port())),
            Listen::Tcp(address) if address.port() == 0 => {
                Some(SocketAddr::new(address.ip(), free_port()).to_string())
            }
            Listen::Localhost(port) if !admin.is_configured && is_taken(listen) => {
                let free = free_port();
                notes.push(format!(
                    "port {port} is in use: the page for the sign-in is on port {free} instead"
                ));
                Some(format!("localhost:{free}"))
            }
            Listen::Localhost(_) | Listen::Tcp(_) | Listen::Unix { .. } => None,
        }
    }

    /// The lines of the guide about the sign-in, which comes first.
    pub(super) fn guide(self, loaded: &Loaded) -> Vec<String> {
        let admin = loaded.config.admin.listen.iter().find_map(|listen| {
            let address = listen.to_string();
            // With several listeners, a port that the system chooses is in the banner.
            (!address.starts_with("unix:") && !address.ends_with(":0")).then_some(address)
        });
        let page = admin
            .as_ref()
            .map(|address| format!("http://{address}/sign-in"));
        let flag = admin.map(|address| format!(" --admin {address}"));
        let flag = flag.unwrap_or_default();
        let command = |how: &str| {
            let file = shell_word(loaded.file.as_deref()?);
            Some(format!("cupbearer login{how} --config {file}{flag}"))
        };
        let what = match self {
            Self::Browser => {
                "Sign in (the demo asks for no password), on this page or with this command:"
            }
            Self::Paste => {
                "Copy a token where this page says, and paste it there or at the prompt of this command:"
            }
        };
        let mut lines = vec![String::new(), format!("  {what}")];
        let shown = |place: String| format!("    {place}");
        lines.extend(page.into_iter().chain(command("")).map(shown));
        if self == Self::Browser {
            lines.push("  As from a machine without a browser, with a code:".to_owned());
            lines.extend(command(" --device").map(shown));
        }
        lines
    }
}
