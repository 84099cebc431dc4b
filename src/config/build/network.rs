//! `network.*`: how connections leave this machine.

use std::path::PathBuf;

use crate::config::layers::ValueSource;
use crate::config::network::{ProxyRule, ProxyUrl};
use crate::config::values::Values;
use crate::config::{NetworkConfig, TokenConfig, UpstreamConfig};

const PROXY: &str = "network.proxy";

/// The whole table. Where the connections go to decides whether the environment's proxy matters.
pub(super) fn network(
    values: &mut Values,
    upstream: Option<&UpstreamConfig>,
    token: Option<&TokenConfig>,
) -> Option<NetworkConfig> {
    let ca_file = values.text("network.ca_file").map(PathBuf::from);
    let upstream = upstream.and_then(|upstream| upstream.url.to_url());
    let targets: Vec<url::Url> = upstream
        .into_iter()
        .chain(token.and_then(|token| token.endpoint.to_url()))
        .collect();
    let proxy = proxy(values, &targets);
    Some(NetworkConfig {
        proxy: proxy?,
        ca_file,
    })
}

fn proxy(values: &mut Values, targets: &[url::Url]) -> Option<ProxyRule> {
    match values.text(PROXY)?.as_str() {
        "none" => Some(ProxyRule::Direct),
        "system" => match values.layers.proxies.rule(targets) {
            Ok(rule) => Some(rule),
            Err((variable, complaint)) => {
                values.layers.problems.push(PROXY, variable, complaint);
                None
            }
        },
        text => {
            let proxy = values.checked(PROXY, ProxyUrl::parse(text))?;
            refuse_password_in_flag(values, &proxy)?;
            Some(ProxyRule::Always(proxy))
        }
    }
}

/// What stands on a command line is no secret any more.
fn refuse_password_in_flag(values: &mut Values, proxy: &ProxyUrl) -> Option<()> {
    let is_flag = values
        .layers
        .given
        .get(PROXY)
        .is_some_and(|given| matches!(given.source, ValueSource::Flag(_)));
    if proxy.authorization().is_none() || !is_flag {
        return Some(());
    }
    values.wrong(
        PROXY,
        (
            "has a user name or password, and a command line is readable for every user of the machine",
            "set CUPBEARER_NETWORK__PROXY, or write it into the file",
        ),
    );
    None
}
