//! Whether the port of the new proxy is free, after the doctor has determined who uses it.

use std::io::ErrorKind;

use crate::cli::free_port::free_port_above;
use crate::config::Listen;
use crate::doctor::{Check, Outcome};
use crate::server;

/// What is known about the port of the new proxy.
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
    /// What the doctor's last check and an attempt to bind the port say.
    pub(super) fn of(checks: &[Check], listen: &Listen) -> Self {
        let listener = checks.iter().find(|check| check.id == "listener");
        let (Some(check), Some(port)) = (listener, taken_port(listen)) else {
            return Self::Free;
        };
        let message = check.finding.message.clone();
        match (&check.finding.outcome, free_port_above(port)) {
            (Outcome::Ok, Some(free)) => Self::RunsThis { free },
            (_, Some(free)) => Self::Taken { by: message, free },
            (_, None) => Self::Free,
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
