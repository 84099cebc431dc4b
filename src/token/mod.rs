//! The access token: obtains it from the authorization server (RFC 6749 4.4), or from `token.source`, and keeps it
//! fresh.
//!
//! ```text
//! config -> refresh (the task) -> grant (one request) -> status -> handle -> proxy
//!             uses schedule          uses client_auth (assertion, key), discovery, response
//! ```
//! From the bottom: `schedule`, `clock` and `wait` decide about time; `jwt` and `presented` read tokens that others
//! issue, `request_secrets` is what a request is made with, and `ownership` says whose it is; `key` and `assertion`
//! sign, `client_auth` authenticates the client, and `grant_form` writes the rest of the request; `token_output` finds
//! a token in what `token.source` yields; `unreachable`, `discovery`, `response_error` and `grant_error` say what
//! failed, and `failure_class` what follows from that; `client` sends a request, for which `client_certificate` reads
//! the certificate, and `response` reads what comes back; `identity_memory` is what identities know of each other;
//! `grant` makes one request, `source` takes one look at `token.source`, and `obtain` chooses between the two;
//! `status` is what the task and the `handle` share, and `current_token` the part of it that requests use; the handle
//! says `token_unavailable` if there is no token; `refresh` is
//! the task: it reads the secrets through `watched_secrets` and `secret_reader`, survives a panic through
//! `catch_panic`, sends the requests of an attempt through `overlapping`, and logs failures through `failure_log`.
//! `single_grant` obtains one token without the task.
//!
//! A person's tokens: `sign_in` takes one that was pasted; `person_identities` lets all that use it forget it; `login`
//! is a sign-in with a browser, for which `authorization` makes the request and `id_token` says who has signed in;
//! `device_login` is one with a code on another device, of which `device_authorization` reads the responses;
//! `login_completion` is what the rest of the process does once there are tokens, and `person_subject` says whose these
//! are; `session_store` keeps the refresh token where `token.store` says, in the form of `stored_session`, and
//! `store_error` says why it cannot; `login_session` is what this process knows of it; `person_login` is the client,
//! `renewal` renews with the token, and `login_task` runs the refresh task for that.

mod assertion;
mod attempt_log;
mod authorization;
mod bearer;
mod catch_panic;
mod cause;
mod client;
mod client_auth;
mod client_certificate;
mod clock;
mod current_token;
mod device_authorization;
mod device_login;
mod discovery;
mod failure_class;
mod failure_log;
mod forced;
mod grant;
mod grant_endpoints;
mod grant_error;
mod grant_form;
mod grant_request;
mod grant_revocation;
mod granted_tokens;
mod handle;
mod id_token;
mod identity_memory;
mod jwt;
mod key;
mod login;
mod login_completion;
mod login_session;
mod login_task;
mod obtain;
mod overlapping;
mod ownership;
mod pasted;
mod person;
mod person_identities;
mod person_login;
mod person_subject;
mod person_token;
mod presented;
mod refresh;
mod renewal;
mod request_secrets;
mod response;
mod response_body;
mod response_error;
mod schedule;
mod secret_reader;
mod server_clock;
mod session_store;
mod sign_in;
mod sign_in_task;
mod single_grant;
mod source;
mod status;
mod store_error;
mod stored_session;
#[cfg(test)]
mod tests;
mod token_output;
mod token_unavailable;
mod unreachable;
mod wait;
mod watched_secrets;
mod withheld;

pub use assertion::signed_for_grant;
pub use attempt_log::{AttemptCounter, AttemptCounts, TokenAttempt};
pub use authorization::{
    AuthorizationResponse, ForeignResponse, NoRandomBytes, is_same_word, unguessable,
};
pub use bearer::{Bearer, PersonSession, TokenState};
pub use cause::Cause;
pub use client::{Client, client};
pub use device_authorization::{DevicePollFailure, DevicePrompt, DeviceResponseDefect};
pub use device_login::DeviceAttempt;
pub use discovery::MetadataError;
pub(crate) use discovery::addresses as metadata_addresses;
pub use forced::RequestRoute;
pub use grant_error::{FailureOrigin, GrantError};
pub use handle::{Snapshot, Tokens};
pub use id_token::IdTokenDefect;
pub use jwt::{DecodedToken, decode, is_encrypted};
pub use key::{GeneratedKey, PrivateKeyError, check_private_key, generate_key};
pub use login::LoginAttempt;
pub use login_completion::{LoginCompletion, PersonChange};
pub use login_session::LoginSessions;
pub use login_task::{LoginTaskContext, StoredLogin, login_task, renew_login, stored_login};
pub use ownership::{Ownership, SecretOwnership, SourceOwner};
pub use pasted::PasteDefect;
pub use person::{SignInPage, SignInPlace, SignInSnapshot, SignInWay, SignedIn};
pub use person_login::LoginError;
pub use presented::{PresentedTokenDefect, check_presented};
pub use refresh::{RefreshTask, refresh_task};
pub use request_secrets::{RequestSecrets, UnreadableSecret, is_awaited};
pub use response::AccessToken;
pub use response_error::{ErrorResponse, ResponseDefect};
pub use secret_reader::{ReadSecrets, SecretReader};
pub use sign_in::{PasteError, Session, SignOut};
pub use sign_in_task::{SignInTask, sign_in_task};
pub use single_grant::SingleGrant;
pub use store_error::StoreError;
pub use token_output::{OutputDefect, check_output};
pub use token_unavailable::{NoNewerToken, TokenUnavailable};
pub use unreachable::{EndpointRole, TokenServer, Unreachable, UnreachableCause};
