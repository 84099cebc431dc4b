//! The addresses that several proxies in one process take: no two may listen on the same one, or where the sign-in of
//! another one comes back.

use url::Url;

use super::address::host_may_reach;
use super::content::Content;
use super::keys::{self, Key};
use super::layers::Layers;
use super::listen::{self, Listen};
use super::login::redirect_url;

/// No two may listen on an address that both would bind, however it is written.
pub(super) fn require_separate_listeners(all: &mut [Layers]) {
    let path = keys::LISTEN.path();
    let mut seen: Vec<(Listen, String)> = Vec::new();
    for layers in all.iter_mut().filter(|layers| !layers.incomplete) {
        let Some(listen) = listen_of(layers) else {
            continue; // reported when it is read
        };
        match seen.iter().find(|(known, _)| known.conflicts_with(&listen)) {
            Some((known, other)) => {
                let source = source_of(layers, path);
                let problem = if *known == listen {
                    format!("\"{listen}\" is also used by {other}")
                } else if known.is_nested_with(&listen) {
                    format!(
                        "\"{listen}\" and \"{known}\" of {other} cannot exist together: one is in the folder that the other would be"
                    )
                } else {
                    format!("\"{listen}\" and \"{known}\" of {other} have an address in common")
                };
                let remedy = format!("choose another {path}");
                layers.problems.push(path, source, (problem, remedy));
            }
            None => seen.push((listen, layers.file_name.clone())),
        }
    }
}

/// What one proxy takes, and where its sign-in comes back.
struct TakenAddresses {
    listen: Option<Listen>,
    redirect: Option<Url>,
    file: String,
}

/// No proxy may listen where the sign-in of another one comes back. Of two that conflict, the later one is reported.
pub(super) fn require_free_redirects(all: &mut [Layers]) {
    let (listen, redirect) = (keys::LISTEN.path(), keys::TOKEN_REDIRECT_URL.path());
    let mut seen: Vec<TakenAddresses> = Vec::new();
    for layers in all.iter_mut().filter(|layers| !layers.incomplete) {
        let own = TakenAddresses {
            listen: listen_of(layers),
            redirect: redirect_of(layers),
            file: layers.file_name.clone(),
        };
        for other in &seen {
            if let Some(at) = taken(own.listen.as_ref(), other.redirect.as_ref()) {
                let problem = format!("\"{at}\" is where {} returns after a sign-in", other.file);
                let remedy = format!("choose another {listen}, or another {redirect} there");
                let source = source_of(layers, listen);
                layers.problems.push(listen, source, (problem, remedy));
            }
            if let Some(at) = taken(other.listen.as_ref(), own.redirect.as_ref()) {
                let problem = format!("is \"{at}\", on which {} listens", other.file);
                let remedy = "write another port, and register the changed address for the client";
                let source = source_of(layers, redirect);
                layers.problems.push(redirect, source, (problem, remedy));
            }
        }
        seen.push(own);
    }
}

/// The listener, if it is where the redirect leads.
fn taken<'a>(listen: Option<&'a Listen>, redirect: Option<&Url>) -> Option<&'a Listen> {
    let (host, port) = (redirect?.host_str()?, redirect?.port_or_known_default()?);
    let sockets = listen?.sockets();
    let is_reached = sockets
        .iter()
        .any(|socket| socket.port() == port && host_may_reach(host, socket.ip()));
    listen.filter(|_| is_reached)
}

fn listen_of(layers: &Layers) -> Option<Listen> {
    listen::listen(&text_of(layers, &keys::LISTEN)?).ok()
}

/// Where the browser of a person returns, if anybody signs in with one.
fn redirect_of(layers: &Layers) -> Option<Url> {
    let grant = layers.values.get(keys::TOKEN_GRANT.path())?;
    let Content::Toml(toml::Value::String(grant)) = &grant.content else {
        return None;
    };
    if grant != "authorization_code" {
        return None;
    }
    redirect_url(&text_of(layers, &keys::TOKEN_REDIRECT_URL)?).ok()
}

/// The text of a key, set or by default.
fn text_of(layers: &Layers, key: &Key<String>) -> Option<String> {
    let given = layers.values.get(key.path());
    let value = match given.map(|given| &given.content) {
        Some(Content::Toml(value)) => Some(value.clone()),
        Some(Content::Secret(_) | Content::Invalid) => None,
        None => key.info.default(),
    };
    value?.as_str().map(str::to_owned)
}

fn source_of(layers: &Layers, path: &str) -> String {
    let given = layers.values.get(path);
    given.map_or_else(|| "default".to_owned(), |given| given.source.to_string())
}
