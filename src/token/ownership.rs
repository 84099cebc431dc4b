//! Whose secrets and tokens the sources of an identity hold: a source may belong to another identity by now.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

/// Whose secrets the sources hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceOwner {
    /// The configuration names them for this identity.
    This,
    /// The configuration names them for another token endpoint, client or API, names other sources, or cannot be read:
    /// one that is only half written may be about to do so.
    Another,
}

/// The sources may hold the secrets of another identity.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is not used while the configuration names another token endpoint, client or source, or cannot be read"
)]
pub(super) struct SecretOfAnother;

/// Finds out whose secrets the sources hold now.
pub type SecretOwnership =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = SourceOwner> + Send>> + Send + Sync>;

/// What an identity asks before it uses a secret or a token that it has not used before. Clones share it.
#[derive(Clone, Default)]
pub struct Ownership(Arc<OnceLock<SecretOwnership>>);

impl Ownership {
    /// From now on, what was not used before is used only if it belongs to this identity. The first call decides.
    pub fn bind(&self, ownership: SecretOwnership) {
        let _ = self.0.set(ownership);
    }

    /// To be called after the source was read: whoever changes the configuration first and the source then is noticed,
    /// however little time passes between the two.
    pub(super) async fn owner(&self) -> SourceOwner {
        match self.0.get() {
            Some(owner) => owner().await,
            None => SourceOwner::This,
        }
    }
}
