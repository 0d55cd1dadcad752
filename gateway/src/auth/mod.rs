//! Who may do what: the gateway's own keys, secrets that we make, the admin's session.
//! The extractors that ask here are in `api`.

mod admin_secret;
mod gateway_keys;
mod issue;
mod known_keys;
pub mod operator_login;
mod permissions;
mod secret;
mod session_token;

use assay_ledger::AccountId;

use crate::{db::KeyId, scheduler::Network, serving::Risk};

pub use admin_secret::{AdminSecret, AdminSecretError};
pub use gateway_keys::{GatewayKeys, gateway_id_of, ledger_head_message};
pub use issue::{KeyAsk, issue_key, rotate_key};
pub use known_keys::KnownKeys;
pub use permissions::{Permissions, Scope};
pub use secret::{Secret, SecretKind, secret_hash};
pub use session_token::{AdminSession, Audience, SessionTokens};

/// A client whose API key is good: whoever has one is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: AccountId,
    pub key: KeyId,
    /// The policy of requests that name none.
    pub risk: Risk,
    /// Where it asks from, if that says anything.
    pub network: Option<Network>,
}
