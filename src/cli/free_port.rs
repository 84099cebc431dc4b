//! A port for a proxy beside another one, and whether one is taken.

use crate::config::Listen;
use crate::server;

/// How many ports above the taken one are tried.
const PORTS_TRIED: u16 = 100;

/// A port that is free on every loopback address. The one above a proxy's is often that of its admin listener, so the
/// search begins two ports further. `reserved` ones are not free.
pub(super) fn free_port_above(port: u16, reserved: &[u16]) -> Option<u16> {
    let first = port.checked_add(2)?;
    let last = first.saturating_add(PORTS_TRIED);
    let is_free =
        |port: &u16| !reserved.contains(port) && server::bind(&Listen::Localhost(*port)).is_ok();
    (first..=last).find(is_free)
}

/// A port that is free on every loopback address now.
#[cfg(feature = "demo")]
pub(super) fn free_port() -> u16 {
    server::bind(&Listen::Localhost(0)).map_or(0, |bound| bound.addresses[0].port())
}

/// Whether something listens on the address, or on one of them.
#[cfg(feature = "demo")]
pub(super) fn is_taken(listen: &Listen) -> bool {
    server::bind(listen).is_err_and(|error| error.source.kind() == std::io::ErrorKind::AddrInUse)
}
