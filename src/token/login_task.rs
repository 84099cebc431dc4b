//! The refresh task for the tokens of a person who signs in with a browser.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::attempt_log::AttemptCounter;
use super::client::Client;
use super::clock::Clock;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::handle::Tokens;
use super::identity_memory::TokenClient;
use super::login_session::{LoginSession, LoginSessions};
use super::obtain::RequestToken;
use super::ownership::Ownership;
use super::person::{SignIn, SignInPage};
use super::person_login::PersonLogin;
use super::refresh::{RefreshTask, TaskInputs};
use super::response::AccessToken;
use super::secret_reader::ReadSecrets;
use super::session_store::SessionStore;
use super::status::SharedStatus;
use super::store_error::StoreError;
use crate::config::{GrantConfig, LoginConfig, SignInConfig, TokenConfig};

/// How long to wait before the keyring may have been unlocked.
const LOCKED_INTERVAL: Duration = Duration::from_secs(10);

/// What a person's tokens need beside the configuration.
pub struct LoginTaskContext {
    /// Where a person is sent to sign in.
    pub page: SignInPage,
    /// Whether the files of a client certificate belong to this identity.
    pub ownership: Ownership,
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
    let grant = Grant::new(grant.clone(), client)
        .for_proxy(context.proxy.clone())
        .belonging_to(context.ownership);
    let session = context.sessions.bound_to(&binding(&grant.config, login));
    let person = person_login(grant, login, &read_secrets, session);
    let sign_in_config = SignInConfig {
        login_url: None,
        api: login.api.clone(),
        field: person.grant.config.field.clone(),
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
    let request = renewal(person.clone(), &shared);
    let watching = watch_store(person, Arc::clone(&shared), context.proxy.clone());
    let (tokens, task) = RefreshTask::with_status(shared, inputs, request, read_secrets, polls);
    let task = task.for_proxy(context.proxy).beside(watching);
    Some((tokens, task.for_client(TokenClient::of(config))))
}

/// Renews the token of the person whose refresh token is in the store, for a command. `None` if `token.store` keeps it
/// in the memory of the running proxy. If this is abandoned, the renewal goes on: see [`LoginSessions::close`].
pub async fn renew_login(
    config: &TokenConfig,
    client: Client,
    read_secrets: ReadSecrets,
    sessions: &LoginSessions,
) -> Option<Result<AccessToken, GrantError>> {
    let grant = config.grant()?;
    let login = grant.login()?;
    let session = sessions.bound_to(&binding(grant, login));
    let grant = Grant::new(grant.clone(), client);
    let person = person_login(grant, login, &read_secrets, session);
    let store = Arc::clone(&person.store);
    let renewing = tokio::spawn(async move {
        person.look().await.map_err(GrantError::Store)?;
        let secrets = person.secrets().await?;
        person.renew(&secrets).await
    });
    let renewed = renewing.await.unwrap_or(Err(GrantError::Internal));
    store.is_durable().then_some(renewed)
}

/// What the store holds for this configuration, for the doctor, which uses no refresh token: where the store is, and
/// who is signed in. `None` if nobody signs in with it.
///
/// # Errors
/// Why the store cannot be used.
pub async fn stored_login(config: &TokenConfig) -> Option<Result<StoredLogin, StoreError>> {
    let grant = config.grant()?;
    let login = grant.login()?;
    let store = SessionStore::new(&login.store, &binding(grant, login));
    let found = match store.read().await {
        Ok(found) => found,
        Err(error) => return Some(Err(error)),
    };
    Some(Ok(StoredLogin {
        place: store.is_durable().then(|| store.describe()),
        has_session: found.is_some(),
        who: found.and_then(|found| found.person.who),
    }))
}

/// What a store holds.
pub struct StoredLogin {
    /// Where it is; `None` if that is the memory of the running proxy.
    pub place: Option<String>,
    /// Whether there is a refresh token.
    pub has_session: bool,
    /// Whose it is, if that is known.
    pub who: Option<String>,
}

fn person_login(
    grant: Grant,
    login: &LoginConfig,
    read_secrets: &ReadSecrets,
    session: Arc<LoginSession>,
) -> PersonLogin {
    let store = SessionStore::new(&login.store, &binding(&grant.config, login));
    PersonLogin {
        session,
        config: Arc::new(login.clone()),
        read_secrets: Arc::clone(read_secrets),
        store: Arc::new(store),
        grant: Arc::new(grant),
    }
}

/// Renews the token in a task of its own: if the attempt is abandoned, the next refresh token must be kept all the
/// same.
fn renewal(person: PersonLogin, shared: &Arc<SharedStatus>) -> RequestToken {
    let shared = Arc::clone(shared);
    Arc::new(move |secrets| {
        let (person, shared) = (person.clone(), Arc::clone(&shared));
        Box::pin(async move {
            let renewing = tokio::spawn(async move {
                let renewed = person.renew(&secrets).await;
                match &renewed {
                    Err(GrantError::SignedOut) => shared.sign_out_elsewhere(),
                    Err(GrantError::OtherPerson) => shared.sign_out_here(),
                    Err(error) if error.ends_session() => shared.end_renewal(),
                    Ok(_) | Err(_) => shared.follow_person(&person),
                }
                renewed
            });
            renewing.await.unwrap_or(Err(GrantError::Internal))
        })
    })
}

/// Looks at the store: before the first token is requested, and whenever nobody is signed in, since a person may have
/// signed in to another process, or unlocked the keyring. Only the first look may ask the person to unlock it.
async fn watch_store(person: PersonLogin, shared: Arc<SharedStatus>, proxy: Option<String>) {
    let mut logged = None;
    let mut has_asked = false;
    while !shared.is_superseded() {
        let mut interval = person.store.look_interval();
        if person.session.is_unknown() || !person.session.can_renew() {
            let looked = if has_asked {
                person.look_again().await
            } else {
                Some(person.look().await)
            };
            person.session.set_known();
            interval = person.store.look_interval();
            match looked {
                None => return, // the keyring would ask each time
                Some(Ok(true)) => shared.follow_person(&person),
                Some(Ok(false)) => {}
                Some(Err(error)) => {
                    has_asked |= error.is_of_keyring();
                    if error.is_of_locked_keyring() {
                        interval = Some(LOCKED_INTERVAL);
                    }
                    let text = error.chain();
                    if logged.as_ref() != Some(&text) {
                        let proxy = proxy.as_deref();
                        tracing::error!(
                            proxy,
                            error = text,
                            "nobody is signed in: the store cannot be read"
                        );
                        logged = Some(text);
                    }
                }
            }
            shared.note_session();
        }
        match interval {
            Some(interval) => sleep(interval).await,
            None => return,
        }
    }
}

/// What a session is bound to: another server or client never gets its tokens, nor does another request for rights.
fn binding(grant: &GrantConfig, login: &LoginConfig) -> String {
    let bound_to = (
        &login.issuer,
        grant.endpoint.as_str(),
        &grant.client_id,
        &grant.scope,
        &grant.params,
    );
    serde_json::to_string(&bound_to).expect("strings are always JSON")
}
