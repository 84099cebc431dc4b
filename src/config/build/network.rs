//! `network.*`: how connections leave this machine.

use std::path::PathBuf;

use crate::config::content::ValueSource;
use crate::config::keys;
use crate::config::network::{ProxyRule, ProxyUrl};
use crate::config::token::TokenConfig;
use crate::config::types::{NetworkConfig, UpstreamConfig};
use crate::config::values::Values;

const PROXY: &str = keys::NETWORK_PROXY.path();

/// The whole table. A problem with the environment's proxy only matters if one of the targets needs it.
pub(super) fn network(
    values: &mut Values,
    upstream: Option<&UpstreamConfig>,
    token: Option<&TokenConfig>,
) -> Option<NetworkConfig> {
    let ca_file = values.read(&keys::NETWORK_CA_FILE).map(PathBuf::from);
    values.named.ca_file.clone_from(&ca_file);
    let upstream = upstream.and_then(|upstream| upstream.url.to_url());
    let targets: Vec<url::Url> = upstream
        .into_iter()
        .chain(token.and_then(TokenConfig::server).map(|(url, _)| url))
        .collect();
    let proxy = proxy(values, &targets);
    Some(NetworkConfig {
        proxy: proxy?,
        ca_file,
    })
}

fn proxy(values: &mut Values, targets: &[url::Url]) -> Option<ProxyRule> {
    match values.read(&keys::NETWORK_PROXY)?.as_str() {
        "none" => Some(ProxyRule::Direct),
        "system" => match values.layers.proxies.rule(targets) {
            Ok(rule) => Some(rule),
            Err((variable, problem)) => {
                values.layers.problems.push(PROXY, variable, problem);
                None
            }
        },
        text => {
            let proxy = values.checked(PROXY, ProxyUrl::parse(text))?;
            reject_password_in_flag(values, &proxy)?;
            Some(ProxyRule::Always(proxy))
        }
    }
}

fn reject_password_in_flag(values: &mut Values, proxy: &ProxyUrl) -> Option<()> {
    let set = values.layers.values.get(PROXY);
    let is_flag = set.is_some_and(|set| matches!(set.source, ValueSource::Flag(_)));
    if proxy.authorization().is_none() || !is_flag {
        return Some(());
    }
    values.reject(
        PROXY,
        (
            "contains a user name or password, and every user of this machine can read the command line",
            "set CUPBEARER_NETWORK__PROXY, or write it into the file",
        ),
    );
    None
}
