//! Secrets that we make: API keys, the admin's secret, enrolment tokens. Shown once, stored as hashes.

use std::fmt;

use assay_protocol::Bytes32;
use sha2::{Digest, Sha256};

/// 160 random bits: nobody guesses one, so a plain hash of it may be stored.
const RANDOM_BYTES: usize = 20;
/// Enough to tell a mistyped or cut-off secret from an unknown one.
const CHECKSUM_BYTES: usize = 4;
/// Random characters that lists may show, so that an owner can tell keys apart.
const SHOWN_CHARS: usize = 6;

/// What a secret opens; its letters come first in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    ApiKey,
    Admin,
    Enrolment,
    /// Logs an operator in.
    Operator,
    Invitation,
    Refresh,
}

impl SecretKind {
    fn letters(self) -> &'static str {
        match self {
            Self::ApiKey => "ak-",
            Self::Admin => "as-",
            Self::Enrolment => "et-",
            Self::Operator => "os-",
            Self::Invitation => "iv-",
            Self::Refresh => "rt-",
        }
    }
}

/// `ak-` + 40 hex digits at random + 8 hex digits of checksum.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret of these random bytes.
    pub fn new(kind: SecretKind, random: [u8; RANDOM_BYTES]) -> Self {
        let body = hex::encode(random);
        Self(format!("{}{body}{}", kind.letters(), checksum(kind, &body)))
    }

    /// Reads a secret of this kind; nothing when it has another form or a wrong checksum.
    pub fn parse(kind: SecretKind, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(kind.letters())?;
        let (body, sum) = rest.split_at_checked(2 * RANDOM_BYTES)?;
        (sum == checksum(kind, body)).then(|| Self(text.to_owned()))
    }

    /// The text itself; for the one answer or line that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The start of the text, which lists may show.
    pub fn shown_prefix(&self) -> &str {
        &self.0[..3 + SHOWN_CHARS]
    }

    /// What the store keeps.
    pub fn hash(&self) -> Bytes32 {
        secret_hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}…)", self.shown_prefix())
    }
}

/// SHA-256 of a secret. Plain and unsalted: what is hashed here cannot be guessed.
pub fn secret_hash(secret: &str) -> Bytes32 {
    Bytes32(Sha256::digest(secret.as_bytes()).into())
}

fn checksum(kind: SecretKind, body: &str) -> String {
    let digest = Sha256::new_with_prefix(b"assay/secret/1\0")
        .chain_update(kind.letters())
        .chain_update(body)
        .finalize();
    hex::encode(&digest[..CHECKSUM_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_as_its_own_kind_only() {
        let key = Secret::new(SecretKind::ApiKey, [7; 20]);
        assert_eq!(Secret::parse(SecretKind::ApiKey, key.reveal()), Some(key.clone()));
        assert_eq!(Secret::parse(SecretKind::Admin, key.reveal()), None);
        assert!(key.reveal().starts_with("ak-0707"));
        assert_eq!(key.shown_prefix(), "ak-070707");
    }

    #[test]
    fn mistyped_and_cut_off_secrets_are_told_apart_before_any_look_up() {
        let text = Secret::new(SecretKind::ApiKey, [7; 20]).reveal().to_owned();
        for end in 0..text.len() {
            assert_eq!(Secret::parse(SecretKind::ApiKey, &text[..end]), None);
        }
        let mistyped = text.replacen("07", "08", 1);
        assert_eq!(Secret::parse(SecretKind::ApiKey, &mistyped), None);
        assert_eq!(Secret::parse(SecretKind::ApiKey, "ak-ключ"), None);
    }

    #[test]
    fn debug_output_keeps_the_secret() {
        let key = Secret::new(SecretKind::ApiKey, [7; 20]);
        assert_eq!(format!("{key:?}"), "Secret(ak-070707…)");
    }
}
