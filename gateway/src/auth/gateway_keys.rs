//! The gateway's own keys: who it is to nodes, what it signs with, what its seeds come from.
//!
//! All of them derive from one 32-byte seed in `<data_dir>/gateway.key` (mode 0600), so one small file is
//! all there is to back up, and the gateway's id follows from its signing key and can be pinned.

use std::{
    fmt, fs,
    io::{self, Write},
    path::Path,
};

use assay_ledger::Digest as LedgerDigest;
use assay_protocol::Bytes32;
use assay_verifier::{
    Receipt,
    log::{Checkpoint, SignedCheckpoint},
    receipt::SignedReceipt,
};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::{Audience, Secret, SecretKind, SessionTokens};

/// See the head of this file.
pub struct GatewayKeys {
    gateway_id: String,
    signing: SigningKey,
    k_seed: [u8; 32],
    sessions: SessionTokens,
    operator_sessions: SessionTokens,
    refresh: [u8; 32],
}

impl GatewayKeys {
    /// The keys of this seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(&derive(&seed, b"assay/gateway/signing/1"));
        let gateway_id = gateway_id_of(&signing.verifying_key());
        let tokens = |purpose: &[u8], audience| {
            SessionTokens::new(&derive(&seed, purpose), &gateway_id, audience)
        };
        let sessions = tokens(b"assay/gateway/admin-jwt/1", Audience::Admin);
        let operator_sessions = tokens(b"assay/gateway/operator-jwt/1", Audience::Operator);
        let k_seed = derive(&seed, b"assay/gateway/sampling-seed/1");
        let refresh = derive(&seed, b"assay/gateway/refresh/1");
        Self { gateway_id, signing, k_seed, sessions, operator_sessions, refresh }
    }

    /// Reads the key file of this folder, or makes it from `fresh` when there is none.
    pub fn open(data_dir: &Path, fresh: [u8; 32]) -> io::Result<Self> {
        let path = data_dir.join("gateway.key");
        match create_private(&path, &fresh) {
            Ok(()) => return Ok(Self::from_seed(fresh)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let text = fs::read_to_string(&path)?;
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "gateway.key is not 32 bytes of hex")
        })?;
        Ok(Self::from_seed(seed))
    }

    /// The name that nodes sign at log-in: `gw-` and 16 hex digits of the signing key's hash.
    pub fn gateway_id(&self) -> &str {
        &self.gateway_id
    }

    /// What clients pin.
    pub fn public_key(&self) -> Bytes32 {
        Bytes32(self.signing.verifying_key().to_bytes())
    }

    /// Signs a receipt.
    pub fn sign_receipt(&self, receipt: &Receipt) -> SignedReceipt {
        receipt.sign(&self.signing)
    }

    /// Signs the state of the log.
    pub fn sign_checkpoint(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        checkpoint.sign(&self.signing)
    }

    /// The key that sampling seeds come from when the client gives none.
    pub fn k_seed(&self) -> &[u8; 32] {
        &self.k_seed
    }

    /// Makes and reads operators' session tokens.
    pub fn operator_sessions(&self) -> &SessionTokens {
        &self.operator_sessions
    }

    /// The refresh token that comes after this one: the same for whoever asks again, and nobody else can tell it.
    pub fn refresh_after(&self, used: &Secret) -> Secret {
        let next = derive(&self.refresh, used.reveal().as_bytes());
        let mut random = [0; 20];
        random.copy_from_slice(&next[..20]);
        Secret::new(SecretKind::Refresh, random)
    }

    /// Makes and reads the admin's session tokens.
    pub fn sessions(&self) -> &SessionTokens {
        &self.sessions
    }
}

/// The name of the gateway that has this key.
pub fn gateway_id_of(key: &VerifyingKey) -> String {
    format!("gw-{}", hex::encode(&Sha256::digest(key.to_bytes())[..8]))
}

/// What is signed for a head of the ledger.
pub fn ledger_head_message(head: LedgerDigest) -> Vec<u8> {
    [b"assay/ledger-head/1\n".as_slice(), &head.0].concat()
}

impl GatewayKeys {
    /// The key that the ledger's heads are signed with, hex; the gateway's name is its hash.
    pub fn ledger_key(&self) -> String {
        hex::encode(self.signing.verifying_key().to_bytes())
    }

    /// Signs a head of the ledger; hex.
    pub fn sign_ledger_head(&self, head: LedgerDigest) -> String {
        hex::encode(self.signing.sign(&ledger_head_message(head)).to_bytes())
    }
}

impl fmt::Debug for GatewayKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayKeys").field("gateway_id", &self.gateway_id).finish_non_exhaustive()
    }
}

fn derive(seed: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(seed).expect("HMAC takes keys of any length");
    mac.update(purpose);
    mac.finalize().into_bytes().into()
}

/// Writes the seed to a new file that only its owner may read.
fn create_private(path: &Path, seed: &[u8; 32]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{}", hex::encode(seed))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_folder_gives_the_same_gateway() {
        let dir = tempfile::tempdir().unwrap();
        let first = GatewayKeys::open(dir.path(), [1; 32]).unwrap();
        let again = GatewayKeys::open(dir.path(), [2; 32]).unwrap();
        assert_eq!(first.gateway_id(), again.gateway_id());
        assert_eq!(first.k_seed(), again.k_seed());
        assert_ne!(first.gateway_id(), GatewayKeys::from_seed([2; 32]).gateway_id());
    }

    #[test]
    fn a_broken_key_file_is_an_error_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("gateway.key"), "abc").unwrap();
        assert!(GatewayKeys::open(dir.path(), [1; 32]).is_err());
        assert_eq!(fs::read_to_string(dir.path().join("gateway.key")).unwrap(), "abc");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_key_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        GatewayKeys::open(dir.path(), [1; 32]).unwrap();
        let mode = fs::metadata(dir.path().join("gateway.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
