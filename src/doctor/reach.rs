//! The connection to a host, stage by stage: name resolution, TCP, the corporate proxy, TLS.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::check_list::ConnectionChecks;
use super::check_run::CheckRun;
use super::finding::{FailureKind, Finding};
use crate::config::{Origin, ProxyUrl, is_loopback_origin};
use crate::net::{
    AcceptedCertificate, CorporateProxyError, HostPort, TlsFailure, TrustSource, connect_through,
    dial, resolve, tls_handshake,
};
use crate::problem::Reason;
use crate::text::error_chain;

/// The configuration key that names the API's address.
pub(super) const API_KEY: &str = "upstream.url";

/// A host, and how to connect to it.
pub(super) struct Host<'a> {
    pub(super) checks: &'a ConnectionChecks,
    /// The configuration key that names the address.
    pub(super) key: &'static str,
    /// What an interceptor could read.
    pub(super) at_stake: &'static str,
    /// Whether the host is known to have a certificate of a public authority.
    pub(super) is_public: bool,
    pub(super) origin: &'a Origin,
    pub(super) proxy: Option<&'a ProxyUrl>,
    pub(super) tls: &'a rustls::ClientConfig,
    /// The time limit of each stage: `upstream.connect_timeout`.
    pub(super) limit: Duration,
}

/// How a host was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reached {
    /// Without TLS, as configured.
    Plaintext,
    /// With TLS.
    Tls(AcceptedCertificate),
}

impl Host<'_> {
    /// Makes the four checks, each of which needs the one before it. `None` if the host cannot be reached.
    pub(super) async fn examine(&self, run: &mut CheckRun<'_>) -> Option<Reached> {
        let reached = self.stages(run).await;
        run.skip_through(self.checks.tls, "the check before it failed")
            .await;
        reached
    }

    async fn stages(&self, run: &mut CheckRun<'_>) -> Option<Reached> {
        let checks = self.checks;
        run.check(checks.dns, self.resolve_name()).await?;
        let direct = run.check(checks.tcp, self.connect()).await?;
        let stream = match self.proxy {
            None => {
                let none = Finding::skipped("no proxy is used for this host");
                run.record(checks.proxy, none).await;
                direct
            }
            Some(proxy) => {
                drop(direct);
                run.check(checks.proxy, self.connect_through(proxy)).await?
            }
        };
        if !self.origin.is_tls() {
            let plain = Finding::skipped("plain http, as configured");
            run.record(checks.tls, plain).await;
            return Some(Reached::Plaintext);
        }
        run.check(checks.tls, self.handshake(stream)).await
    }

    /// Whether it is the API: then its remedies are those of the requests that it does not answer.
    fn is_api(&self) -> bool {
        self.key == API_KEY
    }

    /// What is connected to first: the corporate proxy if there is one, otherwise the host.
    fn first_hop(&self) -> HostPort {
        match self.proxy {
            Some(proxy) => HostPort::from(proxy),
            None => HostPort::from(self.origin),
        }
    }

    async fn resolve_name(&self) -> (Finding, Option<()>) {
        let target = self.first_hop();
        let host = &target.host;
        let message = match timeout(self.limit, resolve(&target)).await {
            Ok(Ok(addresses)) => {
                let mut shown: Vec<String> =
                    addresses.iter().map(|one| one.ip().to_string()).collect();
                shown.dedup();
                let role = self.proxy.map_or("", |_| " (the corporate proxy)");
                let message = format!("{host} is {}{role}", shown.join(", "));
                return (Finding::ok(message), Some(()));
            }
            Ok(Err(error)) => error_chain(&error),
            Err(_) => format!("no response about {host} within {}", self.shown_limit()),
        };
        let failed = Finding::failed(FailureKind::Unreachable, message);
        let finding = if self.proxy.is_some() {
            failed.remedy("correct the name of the proxy in network.proxy or HTTPS_PROXY")
        } else if self.is_api() {
            failed.remedy(Reason::UpstreamDns.plain_remedy())
        } else {
            failed
                .either(
                    "the name is wrong",
                    format!("correct the address in {}", self.key),
                )
                .either(
                    "this machine cannot resolve such names (offline, no VPN, or a network where only the proxy reaches the \
                     internet)",
                    "connect to the network or VPN, or name the corporate proxy as network.proxy = \"http://HOST:PORT\"",
                )
        };
        (finding, None)
    }

    async fn connect(&self) -> (Finding, Option<TcpStream>) {
        let target = self.first_hop();
        let (message, reason) = match timeout(self.limit, dial(&target)).await {
            Ok(Ok(stream)) => {
                let peer = stream.peer_addr().map(|peer| peer.to_string());
                let peer = peer.unwrap_or_else(|_| target.host.clone());
                return (Finding::ok(peer), Some(stream));
            }
            Ok(Err(error)) => (error_chain(&error), Reason::UpstreamRefused),
            Err(_) => (
                format!("{target} did not answer within {}", self.shown_limit()),
                Reason::UpstreamConnectTimeout,
            ),
        };
        let failed = Finding::failed(FailureKind::Unreachable, message);
        let finding = if self.proxy.is_some() {
            failed.remedy("correct the host and port in network.proxy or HTTPS_PROXY")
        } else if self.is_api() {
            failed.remedy(reason.plain_remedy())
        } else if is_loopback_origin(self.origin) {
            // Neither a network nor a VPN or proxy can be the cause.
            failed.remedy(format!("start it, or correct the port in {}", self.key))
        } else {
            failed
                .either(
                    "nothing listens there, or the port is wrong",
                    format!("correct the address in {}", self.key),
                )
                .either(
                    "a firewall blocks the connection, or the VPN is not connected",
                    "connect the VPN; if only a corporate proxy reaches the internet, name it as network.proxy = \
                     \"http://HOST:PORT\"",
                )
        };
        (finding, None)
    }

    async fn connect_through(&self, proxy: &ProxyUrl) -> (Finding, Option<TcpStream>) {
        let target = HostPort::from(self.origin);
        let error = match timeout(self.limit, connect_through(proxy, &target)).await {
            Ok(Ok(stream)) => {
                let message = format!("{proxy} connects to {target}");
                return (Finding::ok(message), Some(stream));
            }
            Ok(Err(error)) => error,
            Err(_) => {
                let message = format!(
                    "{proxy} did not answer CONNECT within {}",
                    self.shown_limit()
                );
                let finding = Finding::failed(FailureKind::Unreachable, message);
                return (finding.remedy("ask the operators of the proxy"), None);
            }
        };
        let message = format!("the corporate proxy {proxy}: {}", error_chain(&error));
        let finding =
            Finding::failed(FailureKind::Unreachable, message).remedy(proxy_remedy(&error));
        (finding, None)
    }

    async fn handshake(&self, stream: TcpStream) -> (Finding, Option<Reached>) {
        let HostPort { host, .. } = HostPort::from(self.origin);
        match timeout(self.limit, tls_handshake(stream, &host, self.tls)).await {
            Ok(Ok(certificate)) => (self.accepted(&certificate), Some(Reached::Tls(certificate))),
            Ok(Err(failure)) => (self.tls_failed(&failure), None),
            Err(_) => {
                let message = format!("no TLS handshake within {}", self.shown_limit());
                let finding = Finding::failed(FailureKind::Unreachable, message).remedy(
                    "a firewall that inspects TLS may drop it: ask the operators of the network",
                );
                (finding, None)
            }
        }
    }

    /// The certificate is accepted; notes if that is not because of a public authority.
    fn accepted(&self, certificate: &AcceptedCertificate) -> Finding {
        let issuer = format!("issued by \"{}\"", certificate.issuer);
        // To the token endpoint, everything is HTTP/1.1.
        let http2 = if certificate.offers_http2 && self.key == API_KEY {
            "; the API offers HTTP/2"
        } else {
            ""
        };
        let reason = match certificate.trust {
            TrustSource::Public => {
                let until = humantime::format_rfc3339_seconds(certificate.not_after);
                return Finding::ok(format!("{issuer}, valid until {until}{http2}"));
            }
            TrustSource::Machine => "this machine is configured to trust it",
            TrustSource::CaFile => "of network.ca_file",
        };
        let finding = Finding::note(format!(
            "{issuer}, which is not a public authority: accepted only because {reason}; the owner of that authority's key \
             can read {}{http2}",
            self.at_stake
        ));
        if self.is_public {
            return finding.remedy(
                "this is TLS interception, since this host's own certificate is from a public authority: have the host \
                 exempted from it, unless it is intended",
            );
        }
        finding.remedy(
            "fine if it is the private CA of the API; otherwise it is TLS interception: have the host exempted from it, unless \
             it is intended",
        )
    }

    fn tls_failed(&self, failure: &TlsFailure) -> Finding {
        let failed = Finding::failed(FailureKind::Unreachable, failure.to_string());
        match failure {
            TlsFailure::Certificate(rejected) if rejected.is_unknown_authority() => {
                let finding = failed.either(
                    "TLS interception on the way (by the issuer above), which could read everything",
                    "if your company does that, export its CA as PEM and set network.ca_file",
                );
                if self.is_public {
                    finding
                } else {
                    finding.either(
                        "the API has a private CA",
                        "get the CA as PEM and set network.ca_file",
                    )
                }
            }
            TlsFailure::Certificate(rejected) if rejected.is_outside_validity() => failed
                .either("this machine's clock is wrong", "synchronize it (NTP)")
                .either(
                    "the certificate is outside its validity period",
                    "tell the operators of the host",
                ),
            TlsFailure::Certificate(_) => failed
                .either("the address is wrong", format!("correct {}", self.key))
                .either(
                    "something else answers there: a captive portal or an interceptor",
                    "log in to the network first, or ask its operators",
                ),
            TlsFailure::NotTls => failed.remedy(format!(
                "correct the port in {}; if it is right, a proxy on the way interferes",
                self.key
            )),
            TlsFailure::OldVersion => failed.remedy("the host must support TLS 1.2 or 1.3"),
            TlsFailure::ClientCertificateRequired | TlsFailure::Rejected(_) => failed.remedy(
                "set the client certificate that the host requires: upstream.client_cert_file for the API, \
                 token.client_cert_file for the token endpoint",
            ),
            TlsFailure::Closed | TlsFailure::Protocol(_) | TlsFailure::Io(_) => failed.remedy(
                "a firewall that checks host names in TLS may close it: ask the operators of the network",
            ),
        }
    }

    fn shown_limit(&self) -> humantime::FormattedDuration {
        humantime::format_duration(self.limit)
    }
}

fn proxy_remedy(error: &CorporateProxyError) -> &'static str {
    match error {
        CorporateProxyError::CredentialsRequired { .. } => {
            "write network.proxy = \"http://USER:PASSWORD@HOST:PORT\", or the same in HTTPS_PROXY"
        }
        CorporateProxyError::CredentialsRejected { .. } => {
            "correct user name and password in network.proxy or HTTPS_PROXY; percent-encode everything but letters and \
             digits"
        }
        CorporateProxyError::Refused { .. } => "have the proxy allow this host and port",
        CorporateProxyError::Unresolved { .. }
        | CorporateProxyError::Unreachable { .. }
        | CorporateProxyError::NotHttp
        | CorporateProxyError::TooLong { .. } => {
            "correct the host and port in network.proxy or HTTPS_PROXY"
        }
        CorporateProxyError::Ended { .. } => {
            "ask the operators of the proxy why it closes the connection"
        }
    }
}
