//! A person's sign-in: a token that the person hands over, in memory only. No file and no other process ever has it.
//!
//! The token stands where a granted one would, so requests use it in the same way. Nothing here requests a token.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, watch};

use super::grant_revocation::RevokedToken;
use super::handle::Tokens;
use super::login_session::{StoredCopy, is_same};
use super::pasted::{PasteDefect, PastedToken};
use super::person::{Sessions, SignedIn};
use super::person_login::PersonLogin;
use super::response::AccessToken;
use super::schedule;
use super::status::SharedStatus;
use crate::config::role_doubts;
use crate::credentials::Secret;

/// Why a paste changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasteError {
    /// Nobody hands tokens over to this proxy.
    #[error("this proxy takes no token from a person: token.grant is not \"paste\"")]
    NotExpected,
    /// There is no token in it.
    #[error("this is not a token that can be sent: {0}")]
    Defect(#[from] PasteDefect),
}

impl Tokens {
    /// Takes a token that a person has pasted. It replaces the current one at once.
    ///
    /// # Errors
    /// There is no token in the text, or this proxy wants none. The current token then stays in use.
    pub fn paste(&self, text: &[u8]) -> Result<SignedIn, PasteError> {
        let sign_in = self.shared.sign_in.as_ref();
        let sign_in = sign_in.filter(|sign_in| sign_in.login.is_none());
        let sign_in = sign_in.ok_or(PasteError::NotExpected)?;
        let pasted = PastedToken::read(text, &sign_in.config.field)?;
        let now = self.shared.clock.now();
        let mut doubts = pasted.doubts(now.wall);
        doubts.extend(
            pasted
                .claims()
                .into_iter()
                .flat_map(|claims| role_doubts(sign_in.config.api.as_ref(), claims)),
        );
        let signed_in = SignedIn {
            who: pasted.name(),
            until: pasted.end(),
            doubts,
            subject: pasted.subject(),
            is_renewed: false,
        };
        let lifetime = match pasted.end() {
            None => schedule::LONGEST_LIFETIME,
            Some(end) => end.duration_since(now.wall).unwrap_or_default(),
        };
        let token = AccessToken {
            header: pasted.header,
            token_start: pasted.token_start,
            lifetime: lifetime.min(schedule::LONGEST_LIFETIME),
            is_untyped: false,
        };
        // One that has expired already is of no use.
        if !lifetime.is_zero() {
            self.shared.attempts.count_success(now.wall);
        }
        // The tunnels of the session before end afterwards, so that none begins with its token in the new one.
        sign_in.replace(Some(signed_in.clone()), |session| {
            self.shared.status.send_modify(|status| {
                status.adopt(now, token, session, lifetime);
            });
        });
        self.shared.share_person();
        self.shared.wake.notify_one();
        Ok(signed_in)
    }

    /// Whether both are handles on the tokens of the same identity.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Who has signed in last, even if the token has ended since.
    #[must_use]
    pub fn signed_in(&self) -> Option<SignedIn> {
        self.shared.sign_in.as_ref()?.signed_in()
    }

    /// Forgets the tokens and ends the tunnels that were opened with them.
    ///
    /// # Errors
    /// [`PasteError::NotExpected`].
    pub fn sign_out(&self) -> Result<SignOut, PasteError> {
        if !self.is_sign_in() {
            return Err(PasteError::NotExpected);
        }
        let mut ended = Vec::from_iter(self.shared.end_session());
        for before in self.shared.before.all() {
            if before.has_other_session(&ended) {
                ended.extend(before.end_session());
            }
        }
        Ok(SignOut(ended))
    }

    /// Takes over the person of another identity for the same API or the same client, whose configuration this one
    /// replaces.
    pub fn take_over_sign_in(&self, from: &Self) {
        let (Some(own), Some(other)) = (&self.shared.sign_in, &from.shared.sign_in) else {
            return;
        };
        if !own.is_of_person_of(other) {
            return;
        }
        let token = from.shared.status.borrow().token.clone();
        if let (Some(_), Some(token)) = (other.signed_in(), token) {
            // The tunnels of both end with the same session, which only a person ends.
            own.share_person_of(other);
            own.continue_sessions_of(other);
            self.shared.join_person_of(&from.shared);
            if own.has_field_of(other) {
                self.shared
                    .status
                    .send_modify(|status| status.take_over(token));
            }
            self.shared.wake.notify_one();
        }
    }

    /// Serves in the place of `before` from now on. The tunnels of the person who signed in there end, unless this one
    /// has taken over that person.
    pub fn replace_identity(&self, before: &Self) {
        let Some(replaced) = &before.shared.sign_in else {
            return;
        };
        let own = self.shared.sign_in.as_ref();
        if let Some(own) = own.filter(|own| own.is_taken_over()) {
            if replaced.signed_in().is_some() {
                self.take_over_sign_in(before);
            } else {
                // The person has signed out since this one was prepared.
                own.replace(None, |_| self.shared.forget_token());
            }
        }
        replaced.end_unless_continued(own);
        if replaced.login.is_some() {
            before.shared.supersede();
        }
        let Some(own) = own else {
            return;
        };
        let shared = &self.shared;
        shared
            .before
            .join(shared, &before.shared, &before.shared.before);
        if own.is_of_person_of(replaced) {
            // Also if nobody is signed in now: the next sign-out concerns both.
            shared.join_person_of(&before.shared);
        }
        if let Some(login) = own.login.clone().filter(PersonLogin::has_moved) {
            tokio::spawn(async move { login.move_session().await });
        }
    }

    /// The session of the person who is signed in now. `None` if no person is needed.
    #[must_use]
    pub fn session(&self) -> Option<Session> {
        let sign_in = self.shared.sign_in.as_ref()?;
        let sessions = sign_in.sessions().subscribe();
        let ended = sessions.borrow().ended;
        Some(Session { sessions, ended })
    }
}

/// A sign-out that has taken place here, and of which the store and the authorization server have yet to be told.
#[must_use]
pub struct SignOut(Vec<EndedLogin>);

/// A session that has ended here.
struct EndedLogin {
    login: Box<PersonLogin>,
    /// What a store held of it, perhaps another than the one of now.
    copy: Option<StoredCopy>,
    /// What is revoked, unless the store holds a newer one.
    token: Option<(Secret, RevokedToken)>,
    /// A stop waits until this is dropped. `None` if it is too late for that.
    stop_waits: Option<OwnedRwLockReadGuard<()>>,
}

impl SignOut {
    /// Removes the refresh token from the store, where another process may have replaced it, and revokes the token at
    /// the authorization server, if there is one. Returns what the person should know if that failed. It goes on if
    /// whoever asked for it goes away.
    pub fn revoke(self) -> impl Future<Output = Option<String>> + Send {
        let revoking = tokio::spawn(self.finish());
        async { revoking.await.unwrap_or_default() }
    }

    /// This one and another one, in which no token is revoked twice: two identities may share a session.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    async fn finish(self) -> Option<String> {
        let (mut problem, mut revoked) = (None, Vec::new());
        for ended in self.0 {
            problem = problem.or(ended.finish(&mut revoked).await);
        }
        problem
    }
}

impl SharedStatus {
    /// Forgets the token, and ends the session with it.
    fn end_session(&self) -> Option<EndedLogin> {
        let sign_in = self.sign_in.as_ref()?;
        let Some(login) = &sign_in.login else {
            sign_in.replace(None, |_| self.forget_token());
            self.share_person();
            return None;
        };
        let access = self.usable_token();
        let stop_waits = Arc::clone(&login.session.changing).try_read_owned().ok();
        let copy = login.session.copy();
        let mut refresh = None;
        sign_in.replace(None, |session| {
            refresh = login.session.begin(None, None, || {
                sign_in.set_session(session);
                self.forget_token();
            });
        });
        self.share_person();
        let refresh = refresh.map(|token| (token, RevokedToken::Refresh));
        let revoked = refresh.or_else(|| Some((access?, RevokedToken::Access)));
        Some(EndedLogin {
            login: Box::new(login.clone()),
            copy,
            token: revoked,
            stop_waits,
        })
    }

    /// Whether a person is still signed in here, in none of the sessions that have ended.
    fn has_other_session(&self, ended: &[EndedLogin]) -> bool {
        let login = self.sign_in.as_ref().and_then(|one| one.login.as_ref());
        let is_ended = login.is_some_and(|login| {
            let mut ended = ended.iter();
            ended.any(|ended| Arc::ptr_eq(&ended.login.session, &login.session))
        });
        let is_renewed = login.is_some_and(|login| login.session.current().is_some());
        !is_ended && (is_renewed || self.usable_token().is_some())
    }

    /// What ends the token of one of the two ends it for the other.
    fn join_person_of(self: &Arc<Self>, other: &Arc<Self>) {
        self.of_person.join(self, other, &other.of_person);
    }
}

impl EndedLogin {
    /// Revokes nothing that is in `revoked`, and adds to it what it revokes.
    async fn finish(self, revoked: &mut Vec<Secret>) -> Option<String> {
        let Self {
            login,
            copy,
            token,
            stop_waits: _until_done,
        } = self;
        login.leave_store(copy).await;
        let (stored, failure) = login.remove_from_store().await;
        let token = stored.map(|token| (token, RevokedToken::Refresh)).or(token);
        let is_new = |(token, _): &(Secret, RevokedToken)| {
            !revoked.iter().any(|known| is_same(known, token))
        };
        let unrevoked = match token.filter(is_new) {
            Some((token, kind)) => {
                revoked.push(token.clone());
                login.revoke(&token, kind).await
            }
            None => None,
        };
        let failure = failure.map(|failure| {
            let failure = failure.chain();
            tracing::error!(
                error = failure,
                "the refresh token could not be removed from the store"
            );
            format!("the refresh token could not be removed from the store: {failure}")
        });
        failure.or(unrevoked)
    }
}

/// The session of a person, which ends when the person signs out or another one signs in, and with the identity that
/// the person signed in to.
pub struct Session {
    sessions: watch::Receiver<Sessions>,
    /// How many had ended when it began.
    ended: u64,
}

impl Session {
    /// Completes once it has ended.
    pub async fn ended(mut self) {
        let began_after = self.ended;
        let is_over = |sessions: &Sessions| sessions.are_over || sessions.ended != began_after;
        // Without a sender, no identity is left that the person could sign out of.
        let _ = self.sessions.wait_for(is_over).await;
    }
}
