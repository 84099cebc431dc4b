//! Numbered checks, from the configuration to the API's answer, each with its cause and remedy.
//!
//! Makes a grant of its own and one harmless GET; changes nothing and keeps nothing. Prints nothing, and
//! starts no task. Whoever calls is told of each check as it begins and as it ends.
//!
//! ```text
//! settings -> environment -> reach (token endpoint) -> issuer -> refusals | claims -> reach (API) -> api -> listener
//! ```

mod api;
mod claims;
mod environment;
mod finding;
mod http;
mod issuer;
mod listener;
mod port;
mod reach;
mod refusals;
mod round;
mod running;
#[cfg(test)]
mod sample;
mod scene;
mod settings;
mod step;

use std::time::SystemTime;

use ::http::uri::{Authority, Scheme};
use url::Url;

use crate::config::{self, Origin, Overrides, Surroundings};
use crate::net::TrustSource;
use crate::token::{Obtained, Once};

pub use claims::{Decoded, decode, relative};
pub use finding::{Blame, Check, Finding, Outcome, Way};
pub use port::{Holder, Process, holder};
pub use round::Progress;
pub use running::{admin_process, stranger};
pub use step::Step;

use reach::{Reached, Stages};
use round::{Name, Round};
use scene::Scene;
use settings::Ready;

const fn name(id: &'static str, title: &'static str) -> Name {
    Name { id, title }
}

const CONFIGURATION: Name = name("configuration", "configuration");
const SECRET: Name = name("secret", "secret");
const PROXY: Name = name("proxy", "proxies");
const LOCALHOST: Name = name("no_proxy", "NO_PROXY");
const TOKEN_ENDPOINT: Stages = Stages {
    dns: name("token_endpoint.dns", "token endpoint: name"),
    tcp: name("token_endpoint.tcp", "token endpoint: connection"),
    proxy: name("token_endpoint.proxy", "token endpoint: corporate proxy"),
    tls: name("token_endpoint.tls", "token endpoint: TLS"),
};
const DISCOVERY: Name = name("discovery", "issuer's metadata");
const CLOCK: Name = name("clock", "clock");
const GRANT: Name = name("grant", "access token");
const FORM: Name = name("token.form", "token: form");
const ISSUER: Name = name("token.issuer", "token: issuer");
const EXPIRY: Name = name("token.expiry", "token: expiry");
const SCOPE: Name = name("token.scope", "token: scope");
const GROUPS: Name = name("token.groups", "token: groups");
const ROLE: Name = name("token.role", "token: role");
const API: Stages = Stages {
    dns: name("api.dns", "API: name"),
    tcp: name("api.tcp", "API: connection"),
    proxy: name("api.proxy", "API: corporate proxy"),
    tls: name("api.tls", "API: TLS"),
};
const ANSWER: Name = name("api.answer", "API: answer");
const LISTENER: Name = name("listener", "listener");

#[cfg(test)]
const NAMES: [Name; 23] = [
    CONFIGURATION,
    SECRET,
    PROXY,
    LOCALHOST,
    TOKEN_ENDPOINT.dns,
    TOKEN_ENDPOINT.tcp,
    TOKEN_ENDPOINT.proxy,
    TOKEN_ENDPOINT.tls,
    DISCOVERY,
    CLOCK,
    GRANT,
    FORM,
    ISSUER,
    EXPIRY,
    SCOPE,
    GROUPS,
    ROLE,
    API.dns,
    API.tcp,
    API.proxy,
    API.tls,
    ANSWER,
    LISTENER,
];

/// What is to be examined.
pub struct Order<'a> {
    /// What the command line says about configuration.
    pub overrides: &'a Overrides,
    /// The environment.
    pub surroundings: &'a Surroundings,
    /// What to GET instead of what is usual for the API.
    pub path: Option<&'a str>,
}

/// Makes every check that can be made, and returns them in their order.
///
/// Asks for one access token, and sends one GET to the API.
pub async fn examine(order: &Order<'_>, report: &mut dyn FnMut(Progress<'_>)) -> Vec<Check> {
    let mut round = Round::new(report);
    let configured = async { settings::configuration(order.overrides, order.surroundings) };
    let Some(ready) = round.make(CONFIGURATION, configured).await else {
        return round.end();
    };
    let config = &ready.loaded.config;
    let scene = Scene::of(config, order.path);
    let once = round
        .make(SECRET, settings::secret(config, ready.client.clone()))
        .await;
    let way = token_way(&scene);
    let proxy = way.as_ref().and_then(|way| way.proxy.as_ref());
    let proxies = environment::way(order.surroundings, proxy, config.upstream.proxy.as_ref());
    round.just(PROXY, proxies).await;
    let localhost = environment::localhost(order.surroundings, &config.listen);
    round.tell(LOCALHOST, localhost).await;

    let obtained = match &way {
        Some(way) => token(&mut round, &scene, &ready, way, once).await,
        None => None,
    };
    if let Some(obtained) = &obtained {
        claims(&mut round, &scene, obtained).await;
    } else {
        for name in [FORM, ISSUER, EXPIRY, SCOPE, GROUPS, ROLE] {
            round
                .tell(name, Finding::skipped("there is no token"))
                .await;
        }
    }
    api(&mut round, &scene, &ready, obtained).await;
    round.just(LISTENER, listener::examine(config)).await;
    round.end()
}

/// The way to the token endpoint, in the terms in which the upstream's is known.
fn token_way(scene: &Scene<'_>) -> Option<config::UpstreamConfig> {
    let url = scene.config.token.endpoint.to_url()?;
    let origin = origin(&url)?;
    Some(config::UpstreamConfig {
        proxy: scene.config.network.proxy.for_url(&url),
        url: origin,
        client_certificate: None,
        headers: Vec::new(),
        ..scene.config.upstream.clone()
    })
}

fn origin(url: &Url) -> Option<Origin> {
    let text = url.origin().ascii_serialization();
    let (scheme, authority) = text.split_once("://")?;
    Some(Origin {
        scheme: if scheme == "https" {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        },
        authority: Authority::try_from(authority).ok()?,
    })
}

/// To the token endpoint, and a token from it.
async fn token(
    round: &mut Round<'_>,
    scene: &Scene<'_>,
    ready: &Ready,
    way: &config::UpstreamConfig,
    once: Option<Once>,
) -> Option<Obtained> {
    let reached = reach::Way {
        names: &TOKEN_ENDPOINT,
        key: "token.pingone, token.url or token.issuer",
        at_stake: "the client secret and the token",
        is_public: scene.region().is_some(),
        origin: &way.url,
        proxy: way.proxy.as_ref(),
        tls: &ready.token_tls,
        limit: way.connect_timeout,
    };
    if reached.examine(round).await == Reached::No {
        for name in [DISCOVERY, CLOCK, GRANT] {
            let skipped = Finding::skipped("the token endpoint cannot be reached");
            round.tell(name, skipped).await;
        }
        return None;
    }
    let metadata = issuer::metadata(scene, way, &ready.token_tls);
    let asked = round.make(DISCOVERY, metadata).await;
    round.tell(CLOCK, issuer::clock(asked.as_ref())).await;
    round.make(GRANT, grant(scene, once)).await
}

async fn grant(scene: &Scene<'_>, once: Option<Once>) -> (Finding, Option<Obtained>) {
    let Some(once) = once else {
        return (Finding::skipped("there is no secret"), None);
    };
    match once.ask().await {
        Ok(obtained) => {
            let lifetime = humantime::format_duration(obtained.lifetime);
            (
                Finding::ok(format!("granted, for {lifetime}")),
                Some(obtained),
            )
        }
        Err(failure) => (refusals::judge(&failure, scene), None),
    }
}

async fn claims(round: &mut Round<'_>, scene: &Scene<'_>, obtained: &Obtained) {
    let (finding, decoded) = claims::form(obtained.token());
    round.tell(FORM, finding).await;
    let Some(decoded) = decoded else {
        for name in [ISSUER, EXPIRY, SCOPE, GROUPS, ROLE] {
            round
                .tell(name, Finding::skipped("the token is opaque"))
                .await;
        }
        return;
    };
    round.tell(ISSUER, claims::issuer(&decoded, scene)).await;
    let expiry = claims::expiry(&decoded, obtained.lifetime, SystemTime::now());
    round.tell(EXPIRY, expiry).await;
    round.tell(SCOPE, claims::scope(&decoded, scene)).await;
    let (finding, roles) = claims::groups(&decoded, scene);
    round.tell(GROUPS, finding).await;
    round.tell(ROLE, claims::role(&roles, scene)).await;
}

/// To the API, and one answer from it.
async fn api(round: &mut Round<'_>, scene: &Scene<'_>, ready: &Ready, obtained: Option<Obtained>) {
    let upstream = &scene.config.upstream;
    let way = reach::Way {
        names: &API,
        key: "upstream.url",
        at_stake: "the token and everything sent with it",
        is_public: false,
        origin: &upstream.url,
        proxy: upstream.proxy.as_ref(),
        tls: &ready.upstream_tls,
        limit: upstream.connect_timeout,
    };
    let reached = way.examine(round).await;
    let is_private = match &reached {
        Reached::No => {
            let skipped = Finding::skipped("the API cannot be reached");
            return round.tell(ANSWER, skipped).await;
        }
        Reached::Plainly => false,
        Reached::Tls(certificate) => certificate.trust != TrustSource::Public,
    };
    let Some(obtained) = obtained else {
        let skipped = Finding::skipped("there is no token");
        return round.tell(ANSWER, skipped).await;
    };
    let known = api::Known {
        is_between: is_private || upstream.proxy.is_some(),
        has_no_roles: round.has_failed(GROUPS),
    };
    let answer = api::examine(scene, &ready.upstream_tls, &obtained.header, known);
    round.just(ANSWER, answer).await;
}

#[cfg(test)]
mod tests;
