//! Whether the ports of the new proxy are free, after the doctor has determined who uses that of its listener.

use std::io::ErrorKind;

use crate::cli::free_port::free_port_above;
use crate::config::{Config, Listen};
use crate::doctor::{Check, Outcome};
use crate::server;

/// What is known about the ports of the new proxy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PortStates {
    /// That of `listen`.
    pub(super) listen: PortState,
    /// A port for the admin listener, if something else uses its own.
    pub(super) free_admin: Option<u16>,
}

impl PortStates {
    /// They are free, or have not been checked.
    pub(super) const FREE: Self = Self {
        listen: PortState::Free,
        free_admin: None,
    };

    /// What the doctor's last check and attempts to bind the ports say.
    pub(super) fn of(checks: &[Check], config: &Config) -> Self {
        let mut reserved = Vec::new();
        let login = config.token.login();
        reserved.extend(login.and_then(|login| login.redirect_url.port_or_known_default()));
        let listen = PortState::of(checks, &config.listen, &reserved);
        reserved.extend(listen.free());
        let mut admin = config.admin.listen.iter();
        let taken = admin.find_map(taken_port);
        Self {
            listen,
            free_admin: taken.and_then(|port| free_port_above(port, &reserved)),
        }
    }

    /// Flags with which it starts beside what uses its ports, each after a space.
    pub(super) fn flags(&self) -> String {
        let flag = |name: &str, port: Option<u16>| {
            port.map_or_else(String::new, |port| format!(" --{name} localhost:{port}"))
        };
        flag("listen", self.listen.free()) + &flag("admin", self.free_admin)
    }
}

/// What is known about the port of `listen`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PortState {
    /// It is free, or has not been checked.
    Free,
    /// The proxy that uses it runs this configuration.
    RunsThis {
        /// A port that is free on every loopback address.
        free: u16,
    },
    /// It is used by something else.
    Taken {
        /// What the doctor says about it.
        by: String,
        /// A port that is free on every loopback address.
        free: u16,
    },
}

impl PortState {
    fn of(checks: &[Check], listen: &Listen, reserved: &[u16]) -> Self {
        let listener = checks.iter().find(|check| check.id == "listener");
        let (Some(check), Some(port)) = (listener, taken_port(listen)) else {
            return Self::Free;
        };
        let message = check.finding.message.clone();
        match (&check.finding.outcome, free_port_above(port, reserved)) {
            (Outcome::Ok, Some(free)) => Self::RunsThis { free },
            (_, Some(free)) => Self::Taken { by: message, free },
            (_, None) => Self::Free,
        }
    }

    /// Another port, if its own is taken.
    const fn free(&self) -> Option<u16> {
        match self {
            Self::Free => None,
            Self::RunsThis { free } | Self::Taken { free, .. } => Some(*free),
        }
    }
}

fn taken_port(listen: &Listen) -> Option<u16> {
    let port = match listen {
        Listen::Localhost(port) => *port,
        Listen::Tcp(address) => address.port(),
        Listen::Unix { .. } => return None,
    };
    let bound = server::bind(listen);
    let is_taken = bound.is_err_and(|error| error.source.kind() == ErrorKind::AddrInUse);
    is_taken.then_some(port)
}
