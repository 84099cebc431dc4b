//! A value that cannot be printed, serialised or left behind in memory.
//!
//! There is no `Display`, no `Serialize`, no `Deref`: `grep -rn expose src/` lists every place that
//! uses the bytes, and each place says why it needs them.

use std::fmt;

use zeroize::Zeroizing;

/// A client secret, a private key or a caller's key. Wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes ownership of the bytes. If the caller kept a copy, the caller must wipe it.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves, for the one exchange or comparison that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether the secret has no bytes. An empty secret is always a mistake.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests;
