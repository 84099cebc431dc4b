//! The way to a host, stage by stage: its name, a connection, the corporate proxy on the way, TLS.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::finding::{Blame, Finding};
use super::round::{Name, Round};
use crate::config::{Origin, ProxyUrl, is_loopback_origin};
use crate::net::{
    AcceptedCertificate, CorporateProxyError, HostPort, TlsFailure, TrustSource, connect_through,
    dial, resolve, tls_handshake,
};
use crate::text::error_chain;

/// A host that connections go to, and what is said of it.
pub(super) struct Way<'a> {
    pub(super) names: &'a Stages,
    /// The key that a wrong address stands in.
    pub(super) key: &'static str,
    /// What may be read by whoever sits between.
    pub(super) at_stake: &'static str,
    /// Whether its certificate is known to come from a public authority.
    pub(super) is_public: bool,
    pub(super) origin: &'a Origin,
    pub(super) proxy: Option<&'a ProxyUrl>,
    pub(super) tls: &'a rustls::ClientConfig,
    /// Of each stage: `upstream.connect_timeout`.
    pub(super) limit: Duration,
}

/// The names of the four checks.
pub(super) struct Stages {
    pub(super) dns: Name,
    pub(super) tcp: Name,
    pub(super) proxy: Name,
    pub(super) tls: Name,
}

/// How far it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reached {
    /// Nowhere near.
    No,
    /// Without TLS.
    Plainly,
    /// With TLS.
    Tls(AcceptedCertificate),
}

impl Way<'_> {
    /// Makes the four checks; each needs the one before it.
    pub(super) async fn examine(&self, round: &mut Round<'_>) -> Reached {
        let names = self.names;
        let found = round.make(names.dns, self.name()).await;
        if !found {
            return self
                .give_up(round, &[names.tcp, names.proxy, names.tls])
                .await;
        }
        let Some(direct) = round.make(names.tcp, self.connection()).await else {
            return self.give_up(round, &[names.proxy, names.tls]).await;
        };
        let stream = match self.proxy {
            None => {
                let none = Finding::skipped("no proxy on the way");
                round.tell(names.proxy, none).await;
                Some(direct)
            }
            Some(proxy) => {
                drop(direct);
                round.make(names.proxy, self.through(proxy)).await
            }
        };
        let Some(stream) = stream else {
            return self.give_up(round, &[names.tls]).await;
        };
        if !self.origin.is_tls() {
            let plain = Finding::skipped("plain http, as configured");
            round.tell(names.tls, plain).await;
            return Reached::Plainly;
        }
        round.make(names.tls, self.encryption(stream)).await
    }

    async fn give_up(&self, round: &mut Round<'_>, left: &[Name]) -> Reached {
        for name in left {
            let skipped = Finding::skipped("the check before it failed");
            round.tell(*name, skipped).await;
        }
        Reached::No
    }

    /// The one that is connected to first.
    fn first(&self) -> HostPort {
        match self.proxy {
            Some(proxy) => HostPort::from(proxy),
            None => HostPort::from(self.origin),
        }
    }

    async fn name(&self) -> (Finding, bool) {
        let target = self.first();
        let found = timeout(self.limit, resolve(&target)).await;
        let host = &target.host;
        let said = match found {
            Ok(Ok(addresses)) => {
                let mut shown: Vec<String> =
                    addresses.iter().map(|one| one.ip().to_string()).collect();
                shown.dedup();
                let whose = self.proxy.map_or("", |_| " (the corporate proxy)");
                return (
                    Finding::ok(format!("{host} is {}{whose}", shown.join(", "))),
                    true,
                );
            }
            Ok(Err(error)) => error_chain(&error),
            Err(_) => format!("no answer about {host} within {}", self.within()),
        };
        let failed = Finding::failed(Blame::Unreachable, said);
        let finding = if self.proxy.is_some() {
            failed.remedy("correct the proxy's name in network.proxy or HTTPS_PROXY")
        } else {
            failed
                .either(
                    "the name is wrong",
                    format!("correct the address in {}", self.key),
                )
                .either(
                    "this machine cannot resolve such names (offline, VPN, a network that lets out only its proxy)",
                    "connect, or name the corporate proxy as network.proxy = \"http://HOST:PORT\"",
                )
        };
        (finding, false)
    }

    async fn connection(&self) -> (Finding, Option<TcpStream>) {
        let target = self.first();
        let said = match timeout(self.limit, dial(&target)).await {
            Ok(Ok(stream)) => {
                let peer = stream.peer_addr().map(|peer| peer.to_string());
                let peer = peer.unwrap_or_else(|_| target.host.clone());
                return (Finding::ok(peer), Some(stream));
            }
            Ok(Err(error)) => error_chain(&error),
            Err(_) => format!("{target} did not answer within {}", self.within()),
        };
        let failed = Finding::failed(Blame::Unreachable, said);
        let finding = if self.proxy.is_some() {
            failed.remedy("correct host and port in network.proxy or HTTPS_PROXY")
        } else if is_loopback_origin(self.origin) {
            // No network, VPN or proxy is on this way.
            failed.remedy(format!("start it, or correct the port in {}", self.key))
        } else {
            failed
                .either(
                    "nothing listens there, or the port is wrong",
                    format!("correct the address in {}", self.key),
                )
                .either(
                    "a firewall or a missing VPN stands between",
                    "connect the VPN; where only a corporate proxy may go out, name it as network.proxy = \"http://HOST:PORT\"",
                )
        };
        (finding, None)
    }

    async fn through(&self, proxy: &ProxyUrl) -> (Finding, Option<TcpStream>) {
        let target = HostPort::from(self.origin);
        let error = match timeout(self.limit, connect_through(proxy, &target)).await {
            Ok(Ok(stream)) => {
                let said = format!("{proxy} connects to {target}");
                return (Finding::ok(said), Some(stream));
            }
            Ok(Err(error)) => error,
            Err(_) => {
                let said = format!("{proxy} did not answer CONNECT within {}", self.within());
                let finding = Finding::failed(Blame::Unreachable, said);
                return (finding.remedy("ask whoever runs the proxy"), None);
            }
        };
        let said = format!("the corporate proxy {proxy}: {}", error_chain(&error));
        let finding = Finding::failed(Blame::Unreachable, said).remedy(proxy_remedy(&error));
        (finding, None)
    }

    async fn encryption(&self, stream: TcpStream) -> (Finding, Reached) {
        let HostPort { host, .. } = HostPort::from(self.origin);
        match timeout(self.limit, tls_handshake(stream, &host, self.tls)).await {
            Ok(Ok(certificate)) => (self.accepted(&certificate), Reached::Tls(certificate)),
            Ok(Err(failure)) => (self.tls_failed(&failure), Reached::No),
            Err(_) => {
                let said = format!("no TLS handshake within {}", self.within());
                let finding = Finding::failed(Blame::Unreachable, said).remedy(
                    "a firewall that looks into TLS may swallow it: ask whoever runs the network",
                );
                (finding, Reached::No)
            }
        }
    }

    /// Accepted; but by whose word?
    fn accepted(&self, certificate: &AcceptedCertificate) -> Finding {
        let issuer = format!("issued by \"{}\"", certificate.issuer);
        let thanks_to = match certificate.trust {
            TrustSource::Public => {
                let until = humantime::format_rfc3339_seconds(certificate.not_after);
                return Finding::ok(format!("{issuer}, good until {until}"));
            }
            TrustSource::Machine => "only because this machine has been told to trust it",
            TrustSource::CaFile => "only because of network.ca_file",
        };
        let said = format!(
            "{issuer}, which is no publicly known authority: accepted {thanks_to}; whoever has that \
             authority's key can read {}",
            self.at_stake
        );
        let finding = Finding::note(said);
        if self.is_public {
            return finding.remedy(
                "this is TLS interception on the way (this host's own certificate is publicly known): have \
                 the host excepted from it, unless that is meant",
            );
        }
        finding.remedy(
            "fine if it is the API's own private CA; else it is TLS interception: have the host excepted from it, \
             unless that is meant",
        )
    }

    fn tls_failed(&self, failure: &TlsFailure) -> Finding {
        let failed = Finding::failed(Blame::Unreachable, failure.to_string());
        match failure {
            TlsFailure::Certificate(rejected) if rejected.is_unknown_authority() => {
                let finding = failed.either(
                    "TLS interception on the way (the issuer above), which could then read everything",
                    "if your company does that, export its CA as PEM and set network.ca_file",
                );
                if self.is_public {
                    finding
                } else {
                    finding.either(
                        "a private CA of the API's own",
                        "get it as PEM and set network.ca_file",
                    )
                }
            }
            TlsFailure::Certificate(rejected) if rejected.is_outside_validity() => failed
                .either("this machine's clock is wrong", "set it (NTP)")
                .either(
                    "the certificate is really out of date",
                    "tell whoever runs the host",
                ),
            TlsFailure::Certificate(_) => failed
                .either("the address is wrong", format!("correct {}", self.key))
                .either(
                    "something else answers there: a captive portal or an interceptor",
                    "log in to the network first, or ask whoever runs it",
                ),
            TlsFailure::NotTls => failed.remedy(format!(
                "correct the port in {}, or a proxy on the way breaks in",
                self.key
            )),
            TlsFailure::OldVersion => failed.remedy("the host must offer TLS 1.2 or 1.3"),
            TlsFailure::ClientCertificateRequired | TlsFailure::Rejected(_) => failed.remedy(
                "set the client certificate that it wants: upstream.client_cert_file for the API, \
                 token.client_cert_file for the token endpoint",
            ),
            TlsFailure::Closed | TlsFailure::Protocol(_) | TlsFailure::Io(_) => failed.remedy(
                "a firewall that looks at host names in TLS may cut it: ask whoever runs the network",
            ),
        }
    }

    fn within(&self) -> humantime::FormattedDuration {
        humantime::format_duration(self.limit)
    }
}

fn proxy_remedy(error: &CorporateProxyError) -> &'static str {
    match error {
        CorporateProxyError::CredentialsRequired { .. } => {
            "write network.proxy = \"http://USER:PASSWORD@HOST:PORT\", or the same in HTTPS_PROXY"
        }
        CorporateProxyError::CredentialsRejected { .. } => {
            "correct user name and password in network.proxy or HTTPS_PROXY; percent-encode what is neither letter nor digit"
        }
        CorporateProxyError::Refused { .. } => "have the proxy allow this host and port",
        CorporateProxyError::Unresolved { .. }
        | CorporateProxyError::Unreachable { .. }
        | CorporateProxyError::NotHttp
        | CorporateProxyError::TooLong { .. } => {
            "correct host and port in network.proxy or HTTPS_PROXY"
        }
        CorporateProxyError::Ended { .. } => "ask whoever runs the proxy why it hangs up",
    }
}
