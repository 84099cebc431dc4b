//! What the authorization server says of itself to everyone: its metadata, and the time.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::Value;

use super::finding::{Blame, Finding};
use super::http::{Answer, get};
use super::scene::Scene;
use crate::config::{self, Endpoint};
use crate::text::excerpt;

/// `Date` has whole seconds, and answers take a while.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);

/// When an answer was asked for, and what came.
pub(super) struct Asked {
    answer: Answer,
    before: SystemTime,
}

/// The metadata below the issuer: one answer to "does this environment exist in this region".
pub(super) async fn metadata(
    scene: &Scene<'_>,
    way: &config::UpstreamConfig,
    tls: &rustls::ClientConfig,
) -> (Finding, Option<Asked>) {
    let Some(url) = scene.metadata() else {
        let skipped =
            "token.url alone names no issuer; with token.issuer its metadata is looked at";
        // Whatever the answer, it carries the time.
        let asked = ask(way, tls, "/".to_owned()).await;
        return (Finding::skipped(skipped), asked.ok());
    };
    match ask(way, tls, url.path().to_owned()).await {
        Err(error) => {
            let finding = Finding::failed(Blame::Unreachable, format!("{url}: {error}"))
                .remedy("try again; if it stays so, ask whoever runs the network");
            (finding, None)
        }
        Ok(asked) => (judge(scene, url.as_str(), &asked.answer), Some(asked)),
    }
}

async fn ask(
    way: &config::UpstreamConfig,
    tls: &rustls::ClientConfig,
    path: String,
) -> Result<Asked, String> {
    let before = SystemTime::now();
    let answer = get(way, tls, &path, None).await?;
    Ok(Asked { answer, before })
}

fn judge(scene: &Scene<'_>, url: &str, answer: &Answer) -> Finding {
    let status = answer.status;
    // Nothing else names the token endpoint then; an API answers so too, whose address was taken for an issuer.
    let is_only_source = matches!(scene.config.token.endpoint, Endpoint::Issuer { .. });
    let failed = |otherwise: Blame, said: String| {
        let blame = if is_only_source {
            Blame::Unreachable
        } else {
            otherwise
        };
        Finding::failed(blame, said)
    };
    if status == StatusCode::NOT_FOUND && is_only_source && !scene.is_pingone {
        return failed(Blame::Other, format!("{url} answered {status}")).remedy(
            "this is no issuer that publishes metadata: correct token.issuer, or write the token endpoint as token.url",
        );
    }
    if answer.is_html() {
        return failed(
            Blame::Other,
            format!("{url} answered {status} with a web page"),
        )
        .either(
            "a corporate proxy or a firewall answers in its place",
            "open the address in a browser to read what it says; have the host excepted",
        )
        .either("the address is wrong", address_remedy(scene));
    }
    match status {
        StatusCode::OK => described(scene, url, &answer.body),
        StatusCode::NOT_FOUND if scene.is_pingone => {
            let failed = failed(Blame::Refused, format!("{url} answered 404"));
            unknown_environment(scene, failed)
        }
        StatusCode::NOT_FOUND => Finding::note(format!("{url} answered {status}"))
            .remedy("token.issuer must be written as the server writes it"),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Finding::failed(Blame::Unreachable, format!("{url} answered {status}"))
                .remedy("the server is in trouble: try again in a minute")
        }
        status => {
            failed(Blame::Other, format!("{url} answered {status}")).remedy(address_remedy(scene))
        }
    }
}

fn unknown_environment(scene: &Scene<'_>, failed: Finding) -> Finding {
    match (scene.environment_id(), scene.region()) {
        (Some(id), Some(region)) => failed
            .either(
                format!("there is no environment {id}"),
                "copy it from the application's Token Endpoint (Configuration tab) in the console",
            )
            .either(
                format!("the environment is in another region than {region}"),
                "set token.pingone.region to what follows auth.pingone. in that Token Endpoint",
            ),
        (Some(id), None) => failed.remedy(format!(
            "is {id} the environment id? copy the Token Endpoint from the console"
        )),
        (None, _) => failed.remedy("is this the custom domain of the environment?"),
    }
}

fn described(scene: &Scene<'_>, url: &str, body: &[u8]) -> Finding {
    let Ok(Value::Object(document)) = serde_json::from_slice(body) else {
        return Finding::failed(Blame::Other, format!("{url} is no JSON object"))
            .remedy(address_remedy(scene));
    };
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let issuer = excerpt(text("issuer").unwrap_or("(none)"), 200);
    let endpoint = text("token_endpoint").unwrap_or("(none)");
    let ours = scene.issuer.as_deref().unwrap_or_default();
    let known_endpoint = scene.config.token.endpoint.as_str();
    let differs = scene.config.token.endpoint.to_url().is_some() && known_endpoint != ours;
    if issuer != ours {
        return Finding::note(format!("its issuer is {issuer}, not {ours}")).remedy(
            "tokens may carry that name: the API must know it as its issuer; with a custom domain, use that \
             domain here too",
        );
    }
    if differs && endpoint != known_endpoint {
        return Finding::note(format!(
            "it names the token endpoint {}, and {known_endpoint} is configured",
            excerpt(endpoint, 200)
        ))
        .remedy("use the one that it names, unless the other is meant");
    }
    match (scene.environment_id(), scene.region()) {
        (Some(id), Some(region)) => {
            Finding::ok(format!("environment {id} exists in region {region}"))
        }
        (Some(id), None) => Finding::ok(format!("environment {id} exists")),
        (None, _) => Finding::ok(format!("issuer {issuer}")),
    }
}

fn address_remedy(scene: &Scene<'_>) -> &'static str {
    if scene.is_pingone {
        "copy the Token Endpoint from the console (Applications > the application > Configuration) and compare"
    } else {
        "correct token.url or token.issuer"
    }
}

/// Our clock beside the server's.
pub(super) fn clock(asked: Option<&Asked>) -> Finding {
    let Some(asked) = asked else {
        return Finding::skipped("no answer to compare with");
    };
    let date = asked.answer.header("date");
    let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()) else {
        return Finding::skipped("the answer had no Date");
    };
    compare(asked.before, theirs)
}

fn compare(ours: SystemTime, theirs: SystemTime) -> Finding {
    let (gap, word) = match theirs.duration_since(ours) {
        Ok(gap) => (gap, "behind"),
        Err(error) => (error.duration(), "ahead of"),
    };
    let whole = Duration::from_secs(gap.as_secs());
    if gap <= CLOCK_TOLERANCE {
        return Finding::ok(format!(
            "within {} s of the token endpoint's",
            whole.as_secs()
        ));
    }
    Finding::note(format!(
        "this machine's clock is {} {word} the token endpoint's",
        humantime::format_duration(whole)
    ))
    .remedy(
        "set it by NTP: tokens still work, but certificates may seem out of date, signed assertions are refused \
         at first, and times in logs are wrong",
    )
}

#[cfg(test)]
mod tests;
