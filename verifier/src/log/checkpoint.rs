//! Signed checkpoints: what the gateway says its log is, in the text form of C2SP's tlog-checkpoint and signed-note,
//! so that tools of others read them too.
//!
//! ```text
//! gw-0123456789abcdef
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — gw-0123456789abcdef Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```

use assay_protocol::{Bytes32, Bytes64};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::Hash;

/// Longest note that is read: a checkpoint with a few witnesses' lines.
pub const NOTE_BYTES_MAX: usize = 4_096;
/// Names the signature algorithm in a key's hash: Ed25519.
const ALGORITHM: u8 = 1;
/// Before each signature: an em dash and a space.
const SIGNED_BY: &str = "\u{2014} ";

/// The size and root of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name: the gateway's id.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

/// A checkpoint whose signature was checked, with the text that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    pub checkpoint: Checkpoint,
    pub note: String,
}

/// Why a note is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("the checkpoint is longer than {NOTE_BYTES_MAX} bytes")]
    TooLong,
    #[error("the checkpoint is not a signed note of origin, size and root")]
    Form,
    #[error("the checkpoint is of another log")]
    Origin,
    #[error("the checkpoint has no signature by the pinned key")]
    Unsigned,
    #[error("the checkpoint's signature does not fit its text")]
    Signature,
}

impl Checkpoint {
    /// The text that is signed; three lines, the last one ended too.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.0))
    }

    /// Signs as the gateway.
    pub fn sign(self, key: &SigningKey) -> SignedCheckpoint {
        let text = self.text();
        let public = Bytes32(key.verifying_key().to_bytes());
        let mut signature = key_hash(&self.origin, public).to_vec();
        signature.extend(key.sign(text.as_bytes()).to_bytes());
        let signature = BASE64.encode(signature);
        let note = format!("{text}\n{SIGNED_BY}{} {signature}\n", self.origin);
        SignedCheckpoint { checkpoint: self, note }
    }
}

impl SignedCheckpoint {
    /// Reads a note of the log named `origin` and checks its signature by `key`. Other signatures are let be.
    pub fn open(note: &str, origin: &str, key: Bytes32) -> Result<Self, NoteError> {
        let (checkpoint, signature) = split(note, origin, key)?;
        let text = checkpoint.text();
        VerifyingKey::from_bytes(&key.0)
            .and_then(|key| {
                key.verify_strict(text.as_bytes(), &Signature::from_bytes(&signature.0))
            })
            .map_err(|_| NoteError::Signature)?;
        Ok(Self { checkpoint, note: note.to_owned() })
    }

    /// Whether a witness of this name and key signed the same text.
    pub fn is_signed_by(&self, name: &str, key: Bytes32) -> bool {
        let text = self.checkpoint.text();
        let prefix = format!("{SIGNED_BY}{name} ");
        let signatures = self.note.lines().filter_map(|line| line.strip_prefix(&prefix));
        signatures.filter_map(base64_of::<68>).any(|bytes| {
            let (hash, signature) = bytes.split_at(4);
            let signature = signature.try_into().map(|bytes| Signature::from_bytes(&bytes));
            let verified = VerifyingKey::from_bytes(&key.0).is_ok_and(|key| {
                signature
                    .is_ok_and(|signature| key.verify_strict(text.as_bytes(), &signature).is_ok())
            });
            hash == key_hash(name, key) && verified
        })
    }
}

fn split(note: &str, origin: &str, key: Bytes32) -> Result<(Checkpoint, Bytes64), NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong);
    }
    let (text, signatures) = note.split_once("\n\n").ok_or(NoteError::Form)?;
    let mut lines = text.split('\n');
    let (first, size, root) = (lines.next(), lines.next(), lines.next());
    if lines.next().is_some() || !signatures.ends_with('\n') {
        return Err(NoteError::Form);
    }
    if first != Some(origin) {
        return Err(NoteError::Origin);
    }
    let checkpoint = Checkpoint {
        origin: origin.to_owned(),
        size: size.and_then(decimal).ok_or(NoteError::Form)?,
        root: root.and_then(base64_of).map(Bytes32).ok_or(NoteError::Form)?,
    };
    // Signatures of others may stand there too: each line has the note's own form.
    let mut ours = None;
    for line in signatures.trim_end_matches('\n').split('\n') {
        let rest = line.strip_prefix(SIGNED_BY).ok_or(NoteError::Form)?;
        let (name, encoded) = rest.split_once(' ').ok_or(NoteError::Form)?;
        if name == origin && ours.is_none() {
            let bytes: [u8; 68] = base64_of(encoded).ok_or(NoteError::Form)?;
            let (hash, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Form)?;
            if *hash != key_hash(origin, key) {
                return Err(NoteError::Unsigned);
            }
            ours = signature.try_into().ok().map(Bytes64);
        }
    }
    Ok((checkpoint, ours.ok_or(NoteError::Unsigned)?))
}

/// Names a key in a signature line.
fn key_hash(name: &str, key: Bytes32) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ALGORITHM])
        .chain_update(key.0)
        .finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// A decimal number without leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn base64_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = BASE64.decode(text).ok()?.try_into().ok()?;
    (BASE64.encode(bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signed() -> (SignedCheckpoint, Bytes32) {
        let key = SigningKey::from_bytes(&[3; 32]);
        let checkpoint = Checkpoint { origin: "gw-1".into(), size: 7, root: Bytes32([9; 32]) };
        (checkpoint.sign(&key), Bytes32(key.verifying_key().to_bytes()))
    }

    #[test]
    fn a_signed_checkpoint_is_read_back() {
        let (signed, key) = signed();
        assert_eq!(SignedCheckpoint::open(&signed.note, "gw-1", key), Ok(signed.clone()));
        assert_eq!(SignedCheckpoint::open(&signed.note, "gw-2", key), Err(NoteError::Origin));
        assert_eq!(
            SignedCheckpoint::open(&signed.note, "gw-1", Bytes32([1; 32])),
            Err(NoteError::Unsigned)
        );
    }

    #[test]
    fn witnesses_may_sign_as_well() {
        let (signed, key) = signed();
        let note = format!("{}\u{2014} other.example AAAA\n", signed.note);
        let found = SignedCheckpoint::open(&note, "gw-1", key).unwrap();
        let witness = SigningKey::from_bytes(&[4; 32]);
        let witness_key = Bytes32(witness.verifying_key().to_bytes());
        assert!(!found.is_signed_by("other.example", witness_key));
        let mut line = key_hash("w.example", witness_key).to_vec();
        line.extend(witness.sign(signed.checkpoint.text().as_bytes()).to_bytes());
        let note = format!("{note}\u{2014} w.example {}\n", BASE64.encode(line));
        let found = SignedCheckpoint::open(&note, "gw-1", key).unwrap();
        assert!(found.is_signed_by("w.example", witness_key));
        assert!(!found.is_signed_by("w.example", key) && !found.is_signed_by("x", witness_key));
    }

    /// The name and the published key of the checksum database of Go.
    #[test]
    fn keys_are_named_as_other_tools_name_them() {
        let bytes = BASE64.decode("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8").unwrap();
        let key = Bytes32(bytes[1..].try_into().unwrap());
        assert_eq!(hex_of(key_hash("sum.golang.org", key)), "033de0ae");
    }

    fn hex_of(bytes: [u8; 4]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_refused(at in any::<prop::sample::Index>(), flip in 1u8..=255) {
            let (signed, key) = signed();
            let mut bytes = signed.note.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(note) = String::from_utf8(bytes) {
                prop_assert!(SignedCheckpoint::open(&note, "gw-1", key).is_err(), "{note}");
            }
        }

        #[test]
        fn no_note_whatever_panics(note in ".{0,200}") {
            prop_assert!(SignedCheckpoint::open(&note, "gw-1", Bytes32([1; 32])).is_err());
        }
    }
}
