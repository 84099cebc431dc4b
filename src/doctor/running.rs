//! Whether the cupbearer that has our port runs this configuration, as its admin listener says.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::config::{Admin, Config, Listen, Origin};

/// Whoever is well answers at once; whoever is stuck is not waited for.
const LIMIT: Duration = Duration::from_secs(1);

/// The most that is read of an answer, in bytes: `/status` with its recent requests.
const LONGEST: u64 = 4 << 20;

/// What is compared.
pub(super) struct Wanted {
    admin: Admin,
    name: String,
    upstream: String,
}

/// Who has the port.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// This name and this API.
    Us,
    /// Something else; what it forwards to.
    Another(String),
    /// Nobody answers at our admin address, or he has other ports.
    Unknown,
}

impl Wanted {
    pub(super) fn of(config: &Config) -> Self {
        let Origin { scheme, authority } = &config.upstream.url;
        Self {
            admin: config.admin.clone(),
            name: config.name.clone(),
            upstream: format!("{scheme}://{authority}"),
        }
    }

    /// With nobody to ask.
    #[cfg(test)]
    pub(super) fn unasked() -> Self {
        Self {
            admin: Admin::default(),
            name: "cupbearer".to_owned(),
            upstream: "https://api.example.com".to_owned(),
        }
    }

    /// Asks our admin address who listens at `address`. Blocks, 2 s an address at most.
    pub(super) fn ask(&self, address: SocketAddr) -> Runs {
        let answers = self.admin.listen.iter().flat_map(addresses);
        answers
            .filter_map(|admin| status(admin).ok())
            .find_map(|status| self.judge(&status, address))
            .unwrap_or(Runs::Unknown)
    }

    fn judge(&self, status: &str, address: SocketAddr) -> Option<Runs> {
        let status: Value = serde_json::from_str(status).ok()?;
        let listens = |proxy: &&Value| {
            let all = proxy["listens_on"].as_array();
            let here = format!("http://{address}");
            all.is_some_and(|all| all.iter().any(|one| one == here.as_str()))
        };
        let proxy = status["proxies"].as_array()?.iter().find(listens)?;
        let upstream = proxy["upstream"].as_str()?;
        Some(
            if proxy["name"] == self.name.as_str() && upstream == self.upstream {
                Runs::Us
            } else {
                Runs::Another(upstream.to_owned())
            },
        )
    }
}

fn addresses(listen: &Listen) -> Vec<SocketAddr> {
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    match *listen {
        Listen::Localhost(port) => loopback
            .map(|ip: IpAddr| SocketAddr::new(ip, port))
            .to_vec(),
        Listen::Tcp(address) if address.ip().is_loopback() => vec![address],
        // Elsewhere `/status` is not answered; a unix socket tells nothing about a port.
        Listen::Tcp(_) | Listen::Unix { .. } => Vec::new(),
    }
}

fn status(admin: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // HTTP/1.0: the body ends with the connection.
    stream.write_all(b"GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_and_api_at_this_address_are_us() {
        let wanted = Wanted::unasked();
        let address = "127.0.0.1:6749".parse().unwrap();
        let status = |name: &str, upstream: &str, at: &str| {
            format!(
                r#"{{"proxies": [{{"name": "{name}", "upstream": "{upstream}", "listens_on": ["http://[::1]:1", "http://{at}"]}}]}}"#
            )
        };
        let (ours, theirs) = ("https://api.example.com", "https://other.example.com");
        for (text, expected) in [
            (status("cupbearer", ours, "127.0.0.1:6749"), Some(Runs::Us)),
            (
                status("cupbearer", theirs, "127.0.0.1:6749"),
                Some(Runs::Another(theirs.to_owned())),
            ),
            (
                status("prod", ours, "127.0.0.1:6749"),
                Some(Runs::Another(ours.to_owned())),
            ),
            (status("cupbearer", ours, "127.0.0.1:6740"), None),
            ("<html>".to_owned(), None),
        ] {
            assert_eq!(wanted.judge(&text, address), expected, "{text}");
        }
    }
}
