//! `cupbearer health`: one line with the state, the reason and the remedy, which a kubelet copies into its event.

use clap::Args;
use http::StatusCode;

use super::admin_client::{AdminListener, TIME_LIMIT};
use super::admin_error::AdminError;
use super::exit::Exit;
use super::http_client::TextResponse;
use super::invocation::{Invocation, SettingsArgs};
use super::output::print_result;
use crate::admin::status_api::ProxyStatus;

/// Check whether the running proxy is healthy: one line unless admin.listen is invalid, exit code 0 or 1
#[derive(Args)]
#[group(skip)]
#[command(after_help = "Example:\n  cupbearer health --ready\n\n\
                  For probes: without --ready it asks /live, which does not depend on the token endpoint.\n\
                  What responds at admin.listen must be the configured proxy; a listener at an address of the network does\n\
                  not show whose it is.")]
pub(super) struct HealthArgs {
    /// Check also that it has a usable token
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl HealthArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        let path = if self.ready { "/ready" } else { "/live" };
        let (line, exit) = match probe(&invocation, path).await {
            Ok((response, people)) if response.status == StatusCode::OK => {
                (format!("{}{people}", response.printable()), Exit::Fine)
            }
            Ok((response, _)) => (response.printable(), Exit::Failed),
            Err(error) => (format!("not live: {error}"), Exit::Failed),
        };
        print_result("cupbearer health", &format!("{line}\n"), exit)
    }
}

/// Asks the running proxy, and says who is signed in where the response does not.
async fn probe(invocation: &Invocation, path: &str) -> Result<(TextResponse, String), AdminError> {
    let listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    let response = listener.probe(path).await?;
    let people = match &listener.status {
        Some(status) if path == "/ready" && status.proxies.len() == 1 => String::new(),
        Some(status) => people(&status.proxies),
        None => String::new(),
    };
    Ok((response, people))
}

/// Who is signed in to each proxy that needs a person, after a semicolon.
fn people(proxies: &[ProxyStatus]) -> String {
    let needing = proxies
        .iter()
        .filter_map(|proxy| Some((proxy, proxy.token.sign_in.as_ref()?)));
    let people = needing.map(|(proxy, sign_in)| {
        let place = if proxies.len() > 1 {
            format!("{}: ", proxy.name)
        } else {
            String::new()
        };
        let who = match (&sign_in.who, sign_in.is_signed_in) {
            (Some(who), true) => format!("signed in as {who}"),
            (None, true) => "signed in".to_owned(),
            (_, false) => "nobody is signed in".to_owned(),
        };
        format!("; {place}{who}")
    });
    people.collect()
}
