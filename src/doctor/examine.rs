//! Makes every check, in the order of `check_list`.

use std::time::{Duration, SystemTime};

use http::uri::{Authority, Scheme};
use url::Url;

use super::api::EarlierFindings;
use super::check_list::{
    API, API_ANSWER, CLOCK, CONFIGURATION, DISCOVERY, GRANT, LISTENER, NO_PROXY, PROXY, SECRET,
    TOKEN_ENDPOINT, TOKEN_EXPIRY, TOKEN_FORM, TOKEN_GROUPS, TOKEN_ISSUER, TOKEN_ROLE, TOKEN_SCOPE,
};
use super::check_run::{CheckProgress, CheckRun};
use super::context::DoctorContext;
use super::finding::{Check, Finding};
use super::person_token::PersonToken;
use super::prerequisites::{self, Prerequisites};
use super::reach::{API_KEY, Host, Reached};
use super::{api, claims, grant, issuer, listener, preflight, proxies};
use crate::config::{self, Origin, Overrides, SOURCE_KEY, Surroundings, is_on_link};
use crate::net::TrustSource;
use crate::token::{AccessToken, DecodedToken, SingleGrant, stored_login};

/// What to examine.
pub struct DoctorOptions<'a> {
    /// What the command line says about the configuration.
    pub overrides: &'a Overrides,
    /// The content of its file, if that is not written yet.
    pub text: Option<&'a str>,
    /// The environment.
    pub surroundings: &'a Surroundings,
    /// The path to GET from the API, instead of the usual one.
    pub path: Option<&'a str>,
}

/// Makes every check that can be made, and returns them in order.
///
/// Requests one access token, and sends one GET to the API.
pub async fn examine(
    options: &DoctorOptions<'_>,
    report: &mut dyn FnMut(CheckProgress<'_>),
) -> Vec<Check> {
    let mut run = CheckRun::new(report);
    let (overrides, surroundings) = (options.overrides, options.surroundings);
    let configuration = async {
        let loaded = match options.text {
            Some(text) => config::load_text(text, overrides, surroundings),
            None => config::load(overrides, surroundings),
        };
        prerequisites::configuration(match loaded {
            Ok(loaded) => preflight::examine_all_but_request_secrets(loaded).await,
            Err(problems) => Err(problems),
        })
    };
    let Some(prerequisites) = run.check(CONFIGURATION, configuration).await else {
        return run.into_checks();
    };
    let config = &prerequisites.loaded.config;
    let context = DoctorContext::new(config, options.path);

    let secret = prerequisites::secret(config, prerequisites.client.clone());
    let request = run.check(SECRET, secret).await;

    let endpoint = token_endpoint(&context);
    let token_proxy = endpoint.as_ref().and_then(|server| server.proxy.as_ref());
    let upstream_proxy = config.upstream.proxy.as_ref();
    let routes = proxies::routes(options.surroundings, token_proxy, upstream_proxy);
    run.check_only(PROXY, routes).await;
    let no_proxy = proxies::no_proxy(options.surroundings, &config.listen);
    run.record(NO_PROXY, no_proxy).await;

    let token = Box::pin(token(
        &mut run,
        &context,
        &prerequisites,
        endpoint.as_ref(),
        request,
    ));
    let token = token.await;
    run.skip_through(GRANT, "the token endpoint cannot be reached")
        .await;
    let token = match token {
        Some(Obtained::Token(token)) => {
            claims(&mut run, &context, &token).await;
            Some(token)
        }
        Some(Obtained::OfPerson(token)) => {
            person_claims(&mut run, &context, &token).await;
            None
        }
        None => None,
    };
    run.skip_through(TOKEN_ROLE, "there is no token").await;

    api(&mut run, &context, &prerequisites, token).await;
    run.check_only(LISTENER, listener::examine(config)).await;
    run.into_checks()
}

/// The token endpoint, or the server in `token.source`, in the form of an upstream, so that the same code connects to
/// each.
fn token_endpoint(context: &DoctorContext<'_>) -> Option<config::UpstreamConfig> {
    let (url, key) = context.config.token.server()?;
    let is_direct = key == SOURCE_KEY && is_on_link(&url);
    let proxy = context.config.network.proxy.for_url(&url);
    Some(config::UpstreamConfig {
        proxy: proxy.filter(|_| !is_direct),
        url: origin(&url)?,
        client_certificate: None,
        san: None,
        headers: Vec::new(),
        ..context.config.upstream.clone()
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

/// A token to examine.
enum Obtained {
    Token(AccessToken),
    /// Only the running proxy has it.
    OfPerson(PersonToken),
}

/// Connects to the token endpoint, if there is one, and obtains a token.
async fn token(
    run: &mut CheckRun<'_>,
    context: &DoctorContext<'_>,
    prerequisites: &Prerequisites,
    server: Option<&config::UpstreamConfig>,
    request: Option<SingleGrant>,
) -> Option<Obtained> {
    let is_grant = context.config.token.grant().is_some();
    let Some(server) = server else {
        let why = if context.config.token.sign_in().is_some() {
            "a person signs in, so there is no server to request tokens from"
        } else {
            "token.source is not a server"
        };
        run.skip_through(CLOCK, why).await;
        return run.check(GRANT, Box::pin(obtain(context, request))).await;
    };
    let is_public = context
        .pingone
        .as_ref()
        .is_some_and(|pingone| pingone.region.is_some());
    let host = Host {
        checks: &TOKEN_ENDPOINT,
        key: if is_grant {
            "token.pingone, token.url or token.issuer"
        } else {
            SOURCE_KEY
        },
        at_stake: "the client secret and the token",
        is_public,
        origin: &server.url,
        proxy: server.proxy.as_ref(),
        tls: &prerequisites.token_tls,
        limit: server.connect_timeout,
    };
    host.examine(run).await?;
    if !is_grant {
        run.skip_through(CLOCK, "token.source is not a token endpoint")
            .await;
        return run.check(GRANT, Box::pin(obtain(context, request))).await;
    }
    let metadata = issuer::metadata(context, server, &prerequisites.token_tls);
    let response = run.check(DISCOVERY, metadata).await;
    run.record(CLOCK, issuer::clock(response.as_ref())).await;
    run.check(GRANT, Box::pin(obtain(context, request))).await
}

async fn obtain(
    context: &DoctorContext<'_>,
    request: Option<SingleGrant>,
) -> (Finding, Option<Obtained>) {
    let Some(request) = request else {
        return (Finding::skipped("there is no secret"), None);
    };
    if context.has_person()
        && let Some(token) = PersonToken::of_running_proxy(context.config).await
    {
        return (token.person(), Some(Obtained::OfPerson(token)));
    }
    // A refresh token can be used once, and is the proxy's to use.
    if let Some(stored) = stored_login(&context.config.token).await {
        return (grant::stored(&stored), None);
    }
    match request.request().await {
        Ok(token) => {
            let lifetime = humantime::format_duration(token.lifetime);
            let verb = match context.config.token.grant() {
                Some(_) => "granted",
                None => "obtained",
            };
            let finding = Finding::ok(format!("{verb}, for {lifetime}"));
            (finding, Some(Obtained::Token(token)))
        }
        Err(failure) => (grant::explain(&failure, context), None),
    }
}

/// Checks the content of the token.
async fn claims(run: &mut CheckRun<'_>, context: &DoctorContext<'_>, token: &AccessToken) {
    let (finding, decoded) = claims::form(token.as_str(), context);
    run.record(TOKEN_FORM, finding).await;
    let Some(decoded) = decoded else {
        return run.skip_through(TOKEN_ROLE, "the token is opaque").await;
    };
    content(run, context, &decoded, token.lifetime).await;
}

/// The same of a token that only the running proxy has.
async fn person_claims(run: &mut CheckRun<'_>, context: &DoctorContext<'_>, token: &PersonToken) {
    run.record(TOKEN_FORM, token.form()).await;
    match &token.content {
        Some(decoded) => content(run, context, decoded, token.lifetime).await,
        None => {
            run.skip_through(TOKEN_ROLE, "the token cannot be read")
                .await;
        }
    }
}

async fn content(
    run: &mut CheckRun<'_>,
    context: &DoctorContext<'_>,
    decoded: &DecodedToken,
    lifetime: Duration,
) {
    run.record(TOKEN_ISSUER, claims::issuer(decoded, context))
        .await;
    let expiry = claims::expiry(decoded, lifetime, SystemTime::now());
    run.record(TOKEN_EXPIRY, expiry).await;
    run.record(TOKEN_SCOPE, claims::scope(decoded, context))
        .await;
    let (finding, roles) = claims::groups(decoded, context);
    run.record(TOKEN_GROUPS, finding).await;
    run.record(TOKEN_ROLE, claims::role(&roles, context)).await;
}

/// Connects to the API and sends the GET.
async fn api(
    run: &mut CheckRun<'_>,
    context: &DoctorContext<'_>,
    prerequisites: &Prerequisites,
    token: Option<AccessToken>,
) {
    let upstream = &context.config.upstream;
    let host = Host {
        checks: &API,
        key: API_KEY,
        at_stake: "the token and everything sent with it",
        is_public: false,
        origin: &upstream.url,
        proxy: upstream.proxy.as_ref(),
        tls: &prerequisites.upstream_tls,
        limit: upstream.connect_timeout,
    };
    let Some(reached) = host.examine(run).await else {
        return run
            .skip_through(API_ANSWER, "the API cannot be reached")
            .await;
    };
    let Some(token) = token else {
        let why = if context.has_person() {
            "only the running proxy may have a person's token"
        } else {
            "there is no token"
        };
        return run.skip_through(API_ANSWER, why).await;
    };
    let has_private_authority = match reached {
        Reached::Plaintext => false,
        Reached::Tls(certificate) => certificate.trust != TrustSource::Public,
    };
    let earlier = EarlierFindings {
        is_intercepted: has_private_authority || upstream.proxy.is_some(),
        has_no_roles: run.has_failed(TOKEN_GROUPS),
    };
    let answer = api::examine(context, &prerequisites.upstream_tls, &token, earlier);
    run.check_only(API_ANSWER, answer).await;
}
