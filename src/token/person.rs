//! The person who hands over tokens: where to sign in, and who has signed in. Never the token itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::bearer::PersonSession;
use super::jwt::DecodedToken;
use super::person_login::PersonLogin;
use crate::config::SignInConfig;
use crate::text::{Unprintable, sanitize, shorten};

/// The address of the page of the admin listener on which a person signs in, once there is such a listener.
#[derive(Debug, Clone, Default)]
pub struct SignInPage(Arc<OnceLock<String>>);

impl SignInPage {
    /// Sets the address, which never changes while the process runs.
    pub fn set(&self, url: String) {
        let _ = self.0.set(url);
    }
}

/// Where a person signs in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignInPlace {
    /// `token.login_url`: where a token can be copied.
    pub login_url: Option<String>,
    /// The page of the admin listener, where it can be pasted, or where a sign-in with a browser begins.
    pub page: Option<String>,
    /// How the person signs in.
    pub way: SignInWay,
}

/// How a person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignInWay {
    /// The person hands a token over.
    #[default]
    Paste,
    /// With a browser on this machine.
    Browser,
    /// With a code on another device.
    Device,
}

impl SignInWay {
    /// The word in `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paste => "paste",
            Self::Browser => "browser",
            Self::Device => "device",
        }
    }
}

/// Who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The person's name, if the token says so.
    pub who: Option<String>,
    /// When the token expires; `None` if it lasts until the API rejects it.
    pub until: Option<SystemTime>,
    /// What speaks against the token.
    pub doubts: Vec<String>,
    /// The person as the authorization server knows them.
    pub(super) subject: Option<String>,
    /// Whether new tokens are obtained as long as the authorization server allows that.
    pub is_renewed: bool,
}

/// How much of a name is shown, in characters.
const MAX_NAME: usize = 100;

/// The claims that say who a person is, the most readable one first (OpenID Connect Core 5.1, RFC 9068 2.2).
const NAMES: [&str; 6] = [
    "name",
    "preferred_username",
    "email",
    "username",
    "sub",
    "client_id",
];

/// Who a token was issued to, as a person reads it.
pub(super) fn name_in(token: &DecodedToken) -> Option<String> {
    let mut names = NAMES.iter().filter_map(|claim| token.text(claim));
    let name = names.find(|name| !name.trim().is_empty())?;
    Some(shorten(&sanitize(name.trim(), Unprintable::Mark), MAX_NAME))
}

/// The sign-in as `/status` shows it.
#[derive(Debug, Clone)]
pub struct SignInSnapshot {
    /// Where a person signs in.
    pub place: SignInPlace,
    /// Who has signed in; `None` also once the token has ended.
    pub signed_in: Option<SignedIn>,
    /// Whether only the person can provide another token.
    pub needs_person: bool,
}

impl SignInSnapshot {
    /// Whether no one knows when the token ends.
    pub(super) fn is_endless(&self) -> bool {
        let signed_in = self.signed_in.as_ref();
        signed_in.is_none_or(|person| person.until.is_none() && !person.is_renewed)
    }
}

impl SignInPlace {
    /// What a person must do, as a clause.
    #[must_use]
    pub fn advice(&self) -> String {
        self.advice_with(Some(""))
    }

    /// The same with `flags`, each after a space, in the command that it names; without them it names a page, if there
    /// is one.
    #[must_use]
    pub fn advice_with(&self, flags: Option<&str>) -> String {
        let of_page = |page: &str| match flags {
            Some(flags) => format!("at {page} or with `cupbearer login{flags}`"),
            None => format!("at {page}"),
        };
        let flags = flags.unwrap_or_default();
        match (self.way, &self.page) {
            (SignInWay::Paste, _) => {}
            // Only that command shows the code.
            (SignInWay::Device, _) => {
                return format!("sign in with `cupbearer login --device{flags}`");
            }
            (SignInWay::Browser, Some(page)) => {
                return format!("sign in {}", of_page(page));
            }
            (SignInWay::Browser, None) => return format!("sign in with `cupbearer login{flags}`"),
        }
        let copy = match &self.login_url {
            Some(url) => format!("sign in at {url} and copy the token, then paste it"),
            None => "paste a token".to_owned(),
        };
        match &self.page {
            Some(page) => format!("{copy} {}", of_page(page)),
            None => format!("{copy} with `cupbearer login{flags}`"),
        }
    }
}

/// A person is reminded this long before the token ends.
pub(super) const FIRST_REMINDER: Duration = Duration::from_mins(10);

/// What one identity knows about the person.
pub(super) struct SignIn {
    pub(super) config: SignInConfig,
    page: SignInPage,
    /// What renews the tokens of a person who signs in with a browser.
    pub(super) login: Option<PersonLogin>,
    /// Locked before the session of `login` and the status of the token, never after.
    signed_in: Mutex<Option<SignedIn>>,
    /// The session of `signed_in`, or of the time since the last person signed out.
    session: Mutex<PersonSession>,
    /// A tunnel ends with the session that it began in. Shared with the identity whose person this one has taken over.
    sessions: Mutex<Arc<watch::Sender<Sessions>>>,
    /// Whether the person has signed in to another identity, and has neither signed in nor out here since.
    is_taken_over: AtomicBool,
}

/// The sessions of one identity, or of several that have served one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sessions {
    /// How many have ended.
    pub(super) ended: u64,
    /// No identity continues them any more, so one that has just begun ends too.
    pub(super) are_over: bool,
}

impl SignIn {
    pub(super) fn new(config: SignInConfig, page: SignInPage) -> Self {
        Self {
            config,
            page,
            login: None,
            signed_in: Mutex::new(None),
            session: Mutex::default(),
            sessions: Mutex::default(),
            is_taken_over: AtomicBool::new(false),
        }
    }

    /// The same for a person who signs in with a browser.
    pub(super) fn with_login(self, login: PersonLogin) -> Self {
        Self {
            login: Some(login),
            ..self
        }
    }

    /// Whether new tokens can be obtained without the person.
    pub(super) fn can_renew(&self) -> bool {
        let login = self.login.as_ref();
        login.is_some_and(|login| login.session.can_renew())
    }

    pub(super) fn place(&self) -> SignInPlace {
        SignInPlace {
            login_url: self.config.login_url.as_ref().map(ToString::to_string),
            page: self.page.0.get().cloned(),
            way: self.way(),
        }
    }

    fn way(&self) -> SignInWay {
        match &self.login {
            None => SignInWay::Paste,
            Some(login) if login.config.is_device_only => SignInWay::Device,
            Some(_) => SignInWay::Browser,
        }
    }

    pub(super) fn signed_in(&self) -> Option<SignedIn> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<SignedIn>> {
        self.signed_in
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the person, and ends the session of another one. `adopt` puts what belongs to the session of `next`
    /// into use.
    pub(super) fn replace(
        &self,
        next: Option<SignedIn>,
        adopt: impl FnOnce(PersonSession),
    ) -> Option<SignedIn> {
        let subject = |person: &Option<SignedIn>| person.as_ref()?.subject.clone();
        let mut current = self.lock();
        let is_same = subject(&current).is_some() && subject(&current) == subject(&next);
        let session = if is_same {
            self.session()
        } else {
            PersonSession::begin()
        };
        adopt(session);
        self.set_session(session);
        let before = std::mem::replace(&mut *current, next);
        self.is_taken_over.store(false, Ordering::Relaxed);
        drop(current);
        if before.is_some() && !is_same {
            self.sessions().send_modify(|sessions| sessions.ended += 1);
        }
        before
    }

    /// The person of another identity, who has signed in or out there. That one has ended the sessions.
    pub(super) fn share_person_of(&self, other: &Self) {
        let (person, session) = {
            let person = other.lock();
            (person.clone(), other.session())
        };
        let mut current = self.lock();
        self.set_session(session);
        *current = person;
    }

    /// Adds what the person should know.
    pub(super) fn add_doubt(&self, doubt: String) {
        if let Some(person) = &mut *self.lock() {
            person.doubts.push(doubt);
        }
    }

    /// The session to which tokens that are granted now belong.
    pub(super) fn session(&self) -> PersonSession {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the session to which tokens that are granted from now on belong.
    pub(super) fn set_session(&self, session: PersonSession) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// The session that a request without a token belongs to. `None` if nobody is signed in, as far as is known.
    pub(super) fn session_of_person(&self) -> Option<PersonSession> {
        self.lock().as_ref().map(|_| self.session())
    }

    /// Whether whoever signs in to `other` signs in here too.
    pub(super) fn is_of_person_of(&self, other: &Self) -> bool {
        match (&self.login, &other.login) {
            (None, None) => self.config.takes_tokens_of(&other.config),
            (Some(own), Some(other)) => Arc::ptr_eq(&own.session, &other.session),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// Whether a token of `other` can be sent as it is.
    pub(super) fn has_field_of(&self, other: &Self) -> bool {
        let (field, theirs) = (&self.config.field, &other.config.field);
        field.name == theirs.name && field.prefix == theirs.prefix
    }

    /// No new tokens are obtained for the person any more. The session lasts as long as the token.
    pub(super) fn end_renewal(&self, until: Option<SystemTime>) {
        if let Some(person) = &mut *self.lock() {
            (person.is_renewed, person.until) = (false, until);
        }
    }

    /// Whether the person is the one of another identity, which may have lost that person since.
    pub(super) fn is_taken_over(&self) -> bool {
        self.is_taken_over.load(Ordering::Relaxed)
    }

    /// What ends sessions.
    pub(super) fn sessions(&self) -> Arc<watch::Sender<Sessions>> {
        let sessions = self.sessions.lock();
        Arc::clone(&sessions.unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the sessions of `other` whenever it ends its own.
    pub(super) fn continue_sessions_of(&self, other: &Self) {
        let theirs = other.sessions();
        *self.sessions.lock().unwrap_or_else(PoisonError::into_inner) = theirs;
        self.is_taken_over.store(true, Ordering::Relaxed);
    }

    /// Ends the sessions, unless `next` continues them.
    pub(super) fn end_unless_continued(&self, next: Option<&Self>) {
        let sessions = self.sessions();
        if next.is_none_or(|next| !Arc::ptr_eq(&sessions, &next.sessions())) {
            sessions.send_modify(|sessions| sessions.are_over = true);
        }
    }
}
