//! One harmless GET with the token, and what its answer means.

use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::finding::{Blame, Finding};
use super::http::{Answer, get};
use super::scene::{Api, Scene};
use super::step::Step;
use crate::text::excerpt;

/// Open to everyone at the self-service API: tells a refused token from a refused address.
const OPEN_PATH: &str = "/docs";
/// How much of the API's own words is shown, in characters.
const LONGEST: usize = 160;

/// What earlier checks have found that an answer may be due to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// Somebody breaks TLS open on the way to the API, or a proxy stands there.
    pub(super) is_between: bool,
    /// The token has no roles.
    pub(super) has_no_roles: bool,
}

/// Asks, and judges.
pub(super) async fn examine(
    scene: &Scene<'_>,
    tls: &rustls::ClientConfig,
    bearer: &HeaderValue,
    known: Known,
) -> Finding {
    let upstream = &scene.config.upstream;
    let answer = match get(upstream, tls, &scene.path, Some(bearer)).await {
        Ok(answer) => without(bearer, answer),
        Err(error) => {
            return Finding::failed(Blame::Unreachable, format!("GET {}: {error}", scene.path))
                .remedy("try again; if it stays so, ask whoever runs the API");
        }
    };
    let is_closed = if is_refused_by_a_page(&answer) && scene.api == Api::SelfService {
        match get(upstream, tls, OPEN_PATH, None).await {
            Ok(open) => Some(open.status == StatusCode::FORBIDDEN),
            Err(_) => None,
        }
    } else {
        None
    };
    judge(scene, &answer, is_closed, known)
}

/// An answer that repeats the token is not quoted.
fn without(bearer: &HeaderValue, answer: Answer) -> Answer {
    let token = bearer
        .as_bytes()
        .strip_prefix(b"Bearer ")
        .unwrap_or_default();
    let repeats = !token.is_empty() && answer.body.windows(token.len()).any(|part| part == token);
    if repeats {
        let body = b"{\"detail\":\"(withheld: it repeats the token)\"}".to_vec();
        return Answer { body, ..answer };
    }
    answer
}

fn is_refused_by_a_page(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN && detail(answer).is_none()
}

/// `is_closed`: whether the open path refuses us too, where that was asked.
fn judge(scene: &Scene<'_>, answer: &Answer, is_closed: Option<bool>, known: Known) -> Finding {
    let words = detail(answer).map_or_else(String::new, |detail| format!(": {detail}"));
    let said = format!("GET {} answered {}{words}", scene.path, answer.status);
    match answer.status {
        status if status.is_success() => accepted(scene, answer, said),
        StatusCode::UNAUTHORIZED => refused_token(scene, answer, &said, known),
        StatusCode::FORBIDDEN if detail(answer).is_some() => forbidden(scene, answer, said),
        StatusCode::FORBIDDEN => blocked(answer, &said, is_closed, known),
        StatusCode::NOT_FOUND if scene.path == "/" => Finding::ok(said),
        StatusCode::NOT_FOUND => Finding::note(said)
            .remedy("is upstream.url the API's own host? --path names another address to ask"),
        status if status.is_redirection() => {
            let to = answer.header("location").unwrap_or("nowhere");
            let to = to.split('?').next().unwrap_or_default();
            Finding::note(format!("{said}, to {}", excerpt(to, LONGEST)))
                .remedy("if that is a login page, the API does not take tokens at this address")
        }
        StatusCode::TOO_MANY_REQUESTS => Finding::note(said).remedy("wait a minute"),
        status if status.is_server_error() => Finding::failed(Blame::Unreachable, said)
            .remedy("the API, or what stands before it, is in trouble: nothing here is at fault; try again later"),
        status if status.is_client_error() => {
            Finding::note(said).remedy("the token was not what it disliked; --path names another address to ask")
        }
        _ => Finding::note(said),
    }
}

fn accepted(scene: &Scene<'_>, answer: &Answer, said: String) -> Finding {
    if scene.api == Api::SelfService && answer.is_html() {
        return Finding::note(format!("{said} with a web page, not with JSON"))
            .remedy("a login page or a proxy may answer in the API's place: open it in a browser");
    }
    let wanted = scene.api.fixed_header().filter(|_| {
        let mut headers = scene.config.upstream.headers.iter();
        !headers.any(|(name, _)| name == "x-xsrf-header")
    });
    match wanted {
        Some(value) => Finding::note(format!(
            "{said}, but this API wants a fixed header X-XSRF-Header"
        ))
        .remedy(format!(
            "write upstream.headers = {{ X-XSRF-Header = \"{value}\" }}"
        )),
        None => Finding::ok(said),
    }
}

/// 401 to a token that was granted a moment ago.
fn refused_token(scene: &Scene<'_>, answer: &Answer, said: &str, known: Known) -> Finding {
    let said = format!("{said}: a good token is refused");
    let finding = Finding::failed(Blame::Other, said);
    if scene.is_pingone && scene.api != Api::Other {
        let finding = finding
            .either_at(
                Step::Connected,
                "the PingOne environment is not connected to this Advanced Services environment",
                "have it connected",
            )
            .either(
                "it is connected under another issuer: another environment, or its custom domain",
                "use the environment, or the domain, that it is connected with (token.pingone)",
            );
        return if known.has_no_roles {
            finding.either_at(
                Step::Attributes,
                "the token has no role, which some versions answer like this",
                "mend the groups first, see above",
            )
        } else {
            finding
        };
    }
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    if challenge.contains("insufficient_scope") {
        return finding.remedy("ask for the scope that it wants: token.scope");
    }
    finding
        .either(
            "the API trusts another authorization server",
            "compare token.url or token.issuer",
        )
        .either(
            "the token is made out for another audience",
            "set audience or resource in token.params, as that server wants it",
        )
}

/// 403 in the API's own words: who we are is known, and it is not enough.
fn forbidden(scene: &Scene<'_>, answer: &Answer, said: String) -> Finding {
    let finding = Finding::failed(Blame::Other, said);
    let words = detail(answer).unwrap_or_default().to_ascii_lowercase();
    if words.contains("not authenticated") {
        return finding.remedy(
            "the API saw no token: something on the way removes Authorization; ask whoever runs the network",
        );
    }
    if scene.is_pingone && scene.api != Api::Other {
        return finding.at(
            Step::Attributes,
            "the token's roles do not suffice: add one that fits the environment, such as dev-tls-admin",
        );
    }
    finding.remedy("give this client the permission, or ask for the scope (token.scope)")
}

/// 403 with a page, or with nothing: it was not the API that said no.
fn blocked(answer: &Answer, said: &str, is_closed: Option<bool>, known: Known) -> Finding {
    let server = answer.header("server").map(|server| excerpt(server, 60));
    let by = server.map_or_else(String::new, |server| format!(" by {server}"));
    let said =
        format!("{said}{by}, with no word of the API's own: it came from what stands before it");
    let finding = Finding::failed(Blame::Other, said);
    let list = "an IP allow list that lacks this machine's public address";
    let list_remedy = "have the address allowed; with a VPN, connect it";
    let firewall = "a firewall (WAF) that dislikes this one request";
    let firewall_remedy = "tell whoever runs the API its time and path";
    let finding = match is_closed {
        Some(true) => finding.either(
            format!("{list} (the open {OPEN_PATH} is refused too)"),
            list_remedy,
        ),
        Some(false) => finding.either(
            format!("{firewall} (the open {OPEN_PATH} is not refused)"),
            firewall_remedy,
        ),
        None => finding
            .either(list, list_remedy)
            .either(firewall, firewall_remedy),
    };
    if known.is_between {
        return finding.either(
            "the corporate proxy or TLS interception on the way, see above",
            "have the API's host excepted from it",
        );
    }
    single(finding)
}

/// One cause is no alternative.
fn single(mut finding: Finding) -> Finding {
    if let [way] = &mut finding.ways[..]
        && let Some(cause) = way.cause.take()
    {
        way.remedy = format!("it is {cause}: {}", way.remedy);
    }
    finding
}

/// What the API says itself, in one of the usual members of its JSON.
fn detail(answer: &Answer) -> Option<String> {
    let Ok(Value::Object(body)) = serde_json::from_slice(&answer.body) else {
        return None;
    };
    let words = ["detail", "error_description", "message", "title", "error"]
        .into_iter()
        .find_map(|name| body.get(name).and_then(Value::as_str));
    Some(excerpt(words.unwrap_or("(no words)"), LONGEST))
}

#[cfg(test)]
mod tests;
