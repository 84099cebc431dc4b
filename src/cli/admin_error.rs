//! Why a command gets no response of an admin listener, and what to do about it.

use crate::admin;

/// Why there is no response, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// The address is invalid, or `"off"`.
    #[error("{0}")]
    NoAddress(String),
    /// Nothing responds there.
    #[error("no response from {address}: {cause}; {hint}")]
    Unreachable {
        /// The first address that was tried.
        address: String,
        /// Its error.
        cause: String,
        /// What to check.
        hint: String,
        /// Whether it did not respond in time.
        timed_out: bool,
    },
    /// Another program responds there.
    #[error(
        "what responds at {address} is not the admin listener of a cupbearer; set admin.listen to the address of the \
         running one"
    )]
    Foreign {
        /// Where it responds.
        address: String,
    },
    /// A cupbearer with another configuration responds there.
    #[error("{0}")]
    Unrelated(String),
    /// Nothing says which cupbearer is meant.
    #[error(
        "nothing is configured here, so it is unclear which cupbearer is meant: name its file with --config, or its admin \
         listener with --admin (the default is localhost:6750)"
    )]
    Unnamed,
    /// It says nothing to this user, and belongs to another one.
    #[error(
        "the cupbearer at {address} runs as user id {uid} and does not admit this user, so it does not say which \
         configuration it runs: add this user to its guard.local_users, or name the address with --admin to accept any \
         cupbearer"
    )]
    NotAdmitted {
        /// Where it listens.
        address: String,
        /// Its user.
        uid: u32,
    },
    /// A process of another user responds there.
    #[error(
        "the process that listens at {address} runs as user id {uid}, which is neither this user nor root; nothing was \
         sent"
    )]
    OtherUser {
        /// Where it listens.
        address: String,
        /// The user.
        uid: u32,
    },
    /// The system does not tell whose process responds there.
    #[error(
        "this system cannot tell whose process has accepted the connection to {address}, so nothing is sent there; if \
         that is your own cupbearer, sign in on its page instead: http://{address}{}",
        admin::SIGN_IN_PAGE
    )]
    UnknownUser {
        /// Where it listens.
        address: String,
    },
}

impl AdminError {
    /// Whether there was a listener that did not respond in time.
    pub(super) const fn has_timed_out(&self) -> bool {
        matches!(
            self,
            Self::Unreachable {
                timed_out: true,
                ..
            }
        )
    }

    /// Whether it is unknown whose listener it is.
    pub(super) const fn is_owner_unknown(&self) -> bool {
        matches!(self, Self::UnknownUser { .. })
    }
}
