//! The refresh task for the tokens of a person who signs in with a browser.

use std::sync::Arc;

use super::attempt_log::AttemptCounter;
use super::client::Client;
use super::clock::Clock;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::handle::Tokens;
use super::login_session::LoginSessions;
use super::obtain::RequestToken;
use super::person::{SignIn, SignInPage};
use super::person_login::PersonLogin;
use super::refresh::{RefreshTask, TaskInputs};
use super::secret_reader::ReadSecrets;
use super::status::SharedStatus;
use crate::config::{GrantConfig, LoginConfig, SignInConfig, TokenConfig};

/// What a person's tokens need beside the configuration.
pub struct LoginTaskContext {
    /// Where a person is sent to sign in.
    pub page: SignInPage,
    /// The sessions of this proxy.
    pub sessions: LoginSessions,
    /// The proxy's name in the log, if there are several proxies.
    pub proxy: Option<String>,
    /// Counts beside the attempts of other identities.
    pub attempts: AttemptCounter,
}

/// The handle on the tokens of a person who signs in with a browser, and the task that must be run. `None` if nobody
/// does with this configuration.
#[must_use]
pub fn login_task(
    config: &TokenConfig,
    client: Client,
    read_secrets: ReadSecrets,
    context: LoginTaskContext,
) -> Option<(Tokens, RefreshTask)> {
    let grant = config.grant()?;
    let login = grant.login()?;
    let person = PersonLogin {
        session: context.sessions.bound_to(binding(grant, login)),
        config: Arc::new(login.clone()),
        read_secrets: Arc::clone(&read_secrets),
        grant: Arc::new(Grant::new(grant.clone(), client).for_proxy(context.proxy.clone())),
    };
    let sign_in_config = SignInConfig {
        login_url: None,
        api: login.api.clone(),
        field: grant.field.clone(),
    };
    let sign_in = SignIn::new(sign_in_config, context.page).with_login(person.clone());
    let inputs = TaskInputs {
        clock: Clock::SYSTEM,
        draw: fastrand::f64,
        attempts: context.attempts,
    };
    let shared = SharedStatus::new(config.wait, inputs.clock, inputs.attempts.clone());
    let shared = Arc::new(shared.for_person(sign_in));
    let polls = config.requests().iter().any(|one| one.source.may_change());
    let (tokens, task) =
        RefreshTask::with_status(shared, inputs, renewal(person), read_secrets, polls);
    Some((tokens, task.for_proxy(context.proxy)))
}

/// Renews the token in a task of its own: if the attempt is abandoned, the next refresh token must be kept all the
/// same.
fn renewal(person: PersonLogin) -> RequestToken {
    Arc::new(move |secrets| {
        let person = person.clone();
        Box::pin(async move {
            let renewing = tokio::spawn(async move { person.renew(&secrets).await });
            renewing.await.unwrap_or(Err(GrantError::Internal))
        })
    })
}

/// What a session is bound to: another server or client never gets its tokens, nor does another request for rights.
fn binding(grant: &GrantConfig, login: &LoginConfig) -> String {
    format!(
        "{:?}",
        (
            &login.issuer,
            grant.endpoint.as_str(),
            &grant.client_id,
            &grant.scope,
            &grant.params,
        )
    )
}
