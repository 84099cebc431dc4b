//! `cupbearer demo --login`: how a person signs in to the demo, and where.

use std::net::{Ipv4Addr, TcpListener};

use clap::ValueEnum;

use super::super::quoting::shell_word;
use crate::config::Loaded;
use crate::demo::LoginWay;

/// The port of the redirect address if it is free, which is also the default of `token.redirect_url`.
const REDIRECT_PORT: u16 = 6753;

/// The value of `--login`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DemoLogin {
    /// On a page of the authorization server
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

    /// The lines of the guide about the sign-in, which comes first.
    pub(super) fn guide(self, loaded: &Loaded) -> Vec<String> {
        let admin = loaded.config.admin.listen.iter().find_map(|listen| {
            let address = listen.to_string();
            // A port that the system chooses is in the banner.
            (!address.starts_with("unix:") && !address.ends_with(":0")).then_some(address)
        });
        let page = admin
            .as_ref()
            .map(|address| format!("http://{address}/sign-in"));
        let flag = admin.map(|address| format!(" --admin {address}"));
        let command = loaded.file.as_deref().map(|file| {
            format!(
                "cupbearer login --config {}{}",
                shell_word(file),
                flag.unwrap_or_default()
            )
        });
        let what = match self {
            Self::Browser => {
                "Sign in (the demo asks for no password), on this page or with this command:"
            }
            Self::Paste => {
                "Copy a token where this page says, and paste it there or at the prompt of this command:"
            }
        };
        let mut lines = vec![String::new(), format!("  {what}")];
        lines.extend(
            page.into_iter()
                .chain(command)
                .map(|place| format!("    {place}")),
        );
        lines
    }
}
