//! Corporate proxies, according to the environment and the operating system: the route of cupbearer, and the route of
//! curl and Postman to cupbearer.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::finding::Finding;
use crate::config::{Listen, ProxyUrl, Surroundings};
use crate::credentials::withhold_private_variables;

/// How long a program may take to print a setting.
const SETTING_LIMIT: Duration = Duration::from_secs(2);

/// Variables that make some program send plain http through a proxy.
const HTTP_PROXIES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// The routes of cupbearer to both hosts, and whether there is a PAC file, which it does not evaluate.
pub(super) async fn routes(
    surroundings: &Surroundings,
    token: Option<&ProxyUrl>,
    upstream: Option<&ProxyUrl>,
) -> Finding {
    let shown = |proxy: Option<&ProxyUrl>| {
        proxy.map_or_else(|| "directly".to_owned(), |proxy| format!("through {proxy}"))
    };
    let message = format!(
        "the token endpoint {}, the API {}",
        shown(token),
        shown(upstream)
    );
    let pac = match pac_of_environment(surroundings) {
        Some(pac) => Some(pac),
        None => pac_of_system().await,
    };
    match pac {
        Some(pac) if token.is_none() || upstream.is_none() => Finding::note(format!(
            "{message}; this machine's proxy is set by a PAC file ({pac}), which cupbearer does not evaluate"
        ))
        .remedy(
            "if connections fail below, find the proxy in that file and write it as network.proxy = \"http://HOST:PORT\"",
        ),
        Some(_) | None => Finding::ok(message),
    }
}

/// Whether a tool that uses the variables of the environment reaches cupbearer, or sends the requests to a proxy.
pub(super) fn no_proxy(surroundings: &Surroundings, listen: &Listen) -> Finding {
    let host = match listen {
        Listen::Localhost(_) => "localhost".to_owned(),
        Listen::Tcp(address) => address.ip().to_string(),
        Listen::Unix { .. } => return Finding::skipped("a Unix socket is reached without a proxy"),
    };
    if !listen.is_local() {
        return Finding::skipped("the listener is not on loopback");
    }
    let proxies: Vec<&str> = HTTP_PROXIES
        .into_iter()
        .filter(|name| variable(surroundings, name).is_some())
        .collect();
    if proxies.is_empty() {
        return Finding::ok("no proxy for plain http in the environment");
    }
    let lists: Vec<String> = ["no_proxy", "NO_PROXY"]
        .into_iter()
        .filter_map(|name| variable(surroundings, name))
        .collect();
    let is_exempted = |list: &String| list.split(',').any(|entry| exempts(entry.trim(), &host));
    if !lists.is_empty() && lists.iter().all(is_exempted) {
        return Finding::ok(format!(
            "NO_PROXY exempts {host} from {}",
            proxies.join(", ")
        ));
    }
    Finding::note(format!(
        "{} is set and NO_PROXY does not contain {host}: curl, Postman and others would send requests for http://{host} to \
         that proxy",
        proxies.join(", ")
    ))
    .remedy(
        "set NO_PROXY=localhost,127.0.0.1,::1 and no_proxy to the same; for a single call, use curl --noproxy localhost",
    )
}

fn exempts(entry: &str, host: &str) -> bool {
    entry == "*"
        || entry.trim_start_matches('.').eq_ignore_ascii_case(host)
        || entry
            .split_once('/')
            .is_some_and(|(network, _)| network.starts_with("127.") && host.starts_with("127."))
}

fn variable(surroundings: &Surroundings, name: &str) -> Option<String> {
    let variables = surroundings.variables.iter();
    variables
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.to_string_lossy().trim().to_owned())
        .find(|value| !value.is_empty())
}

fn pac_of_environment(surroundings: &Surroundings) -> Option<String> {
    ["auto_proxy", "AUTO_PROXY"]
        .into_iter()
        .find_map(|name| variable(surroundings, name).map(|_| name.to_owned()))
}

/// Which settings of the desktop or the system name a PAC file, if the system tells.
async fn pac_of_system() -> Option<String> {
    if cfg!(target_os = "macos") {
        let settings = output("scutil", &["--proxy"]).await?;
        let is_on = settings.contains("ProxyAutoConfigEnable : 1");
        return is_on.then(|| "the system's network settings".to_owned());
    }
    if cfg!(windows) {
        const SETTINGS: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
        let settings = output("reg", &["query", SETTINGS, "/v", "AutoConfigURL"]).await?;
        let is_on = settings.contains("REG_SZ");
        return is_on.then(|| "Windows' internet settings".to_owned());
    }
    let mode = output("gsettings", &["get", "org.gnome.system.proxy", "mode"]).await?;
    (mode.trim() == "'auto'").then(|| "the desktop's network settings".to_owned())
}

/// The standard output of a program that exists and succeeds.
async fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    withhold_private_variables(command.as_std_mut());
    let output = timeout(SETTING_LIMIT, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests;
