//! What the rest of this process does to complete a sign-in, in whatever way the person signs in.

use super::handle::Tokens;

/// Someone else than before has signed in, or perhaps someone else: the tokens do not say whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonChange {
    /// Who has signed in now, if the tokens say so.
    pub who: Option<String>,
    /// Who is signed in until then.
    pub before: Option<String>,
}

/// Completes a sign-in whose tokens have been granted.
pub trait LoginCompletion: Send + Sync {
    /// The tokens that a person signs in to by now.
    fn serving(&self) -> Tokens;

    /// Asks the person whether someone else is to be signed in from now on. Returns false if not, also if the sign-in
    /// no longer counts.
    fn confirm(&self, change: PersonChange) -> impl Future<Output = bool> + Send;

    /// Calls `adopt`, which makes requests use the tokens, unless this sign-in no longer counts.
    fn commit(&self, adopt: &mut dyn FnMut());
}
