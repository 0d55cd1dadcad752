//! What the log holds. Entries are public: they name jobs by id and answers by salted hashes only.

use assay_protocol::{Bytes32, Bytes64, JobId};

pub use super::ledger_head::LedgerHead;
use crate::wire::{Reader, WireError, Writer};

/// An entry is read up to this length; C2SP's bundles allow 65,535.
pub const ENTRY_BYTES_MAX: usize = 1_024;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A job ended and its receipt was signed.
    Answer(AnswerEntry),
    /// An answer whose audit is drawn as soon as a checkpoint covers this entry.
    Draw(DrawEntry),
    /// What became of an audit that was drawn.
    Audit(AuditEntry),
    /// From `starts_ms` on, audits are drawn with the secret that hashes to this.
    EpochOpened { epoch: u64, starts_ms: u64, commitment: Bytes32 },
    /// The secret of an epoch that is over: now everybody can draw.
    EpochClosed { epoch: u64, secret: Bytes32 },
    /// The head of the sealed journals: what receipts say was paid is in there.
    LedgerHead(LedgerHead),
    /// Ends a batch: when it was signed, and the root over everything before it.
    Seal { time_ms: u64, root: Bytes32 },
}

/// See [`Entry::Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerEntry {
    pub job: JobId,
    /// SHA-256 of the receipt's signed bytes.
    pub receipt: Bytes32,
    /// The last link of the answer's hash chain; zeros without an answer.
    pub link: Bytes32,
    /// Whose secret draws.
    pub epoch: u64,
    /// The chance of an audit, in millionths, as a [`DrawEntry`] before it says; 0 when there is nothing to audit, or
    /// it was checked already.
    pub q_ppm: u32,
}

/// See [`Entry::Draw`]. Answers whose client left and answers of rounds that came to nothing are drawn alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawEntry {
    pub job: JobId,
    pub round: u8,
    /// The last link of the answer's hash chain.
    pub link: Bytes32,
    pub epoch: u64,
    /// In millionths.
    pub q_ppm: u32,
    /// SHA-256 of what the chance rests on, as the gateway keeps it.
    pub inputs: Bytes32,
}

/// See [`Entry::Audit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub job: JobId,
    pub round: u8,
    pub result: AuditResult,
    /// SHA-256 of the [`Evidence`](super::Evidence) that it rests on.
    pub evidence: Bytes32,
}

/// How an audit came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditResult {
    /// The model confirms the answer.
    Passed,
    /// It does not.
    Failed,
    /// It was not done: no scorer was there, or none could do it.
    Dropped,
    /// One scorer contradicts the answer, another one confirms it: it counts as right.
    Disputed,
}

impl AuditResult {
    const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::Dropped, Self::Disputed];

    /// As it is written, in a byte.
    pub(crate) fn of(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::Disputed => "disputed",
        }
    }
}

impl Entry {
    /// The bytes that are hashed into the tree.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Self::Answer(AnswerEntry { job, receipt, link, epoch, q_ppm }) => {
                writer.byte(1).bytes(job.0.as_bytes()).bytes(&receipt.0).bytes(&link.0);
                writer.number(*epoch).number((*q_ppm).into())
            }
            Self::Audit(AuditEntry { job, round, result, evidence }) => {
                writer.byte(2).bytes(job.0.as_bytes()).byte(*round).byte(*result as u8);
                writer.bytes(&evidence.0)
            }
            Self::EpochOpened { epoch, starts_ms, commitment } => {
                writer.byte(3).number(*epoch).number(*starts_ms).bytes(&commitment.0)
            }
            Self::EpochClosed { epoch, secret } => writer.byte(4).number(*epoch).bytes(&secret.0),
            Self::LedgerHead(LedgerHead { number, journals, chain, signature }) => {
                writer.byte(5).number(*number).number(*journals).bytes(&chain.0).bytes(&signature.0)
            }
            Self::Seal { time_ms, root } => writer.byte(6).number(*time_ms).bytes(&root.0),
            Self::Draw(DrawEntry { job, round, link, epoch, q_ppm, inputs }) => {
                writer.byte(7).bytes(job.0.as_bytes()).byte(*round).bytes(&link.0);
                writer.number(*epoch).number((*q_ppm).into()).bytes(&inputs.0)
            }
        };
        writer.finish()
    }

    /// Reads an entry; what it reads is written the same again.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let read = &mut reader;
        let entry = match read.byte("kind")? {
            1 => Self::Answer(AnswerEntry {
                job: JobId(read.array("job")?.into_uuid()),
                receipt: Bytes32(read.array("receipt")?),
                link: Bytes32(read.array("answer's link")?),
                epoch: read.number("epoch")?,
                q_ppm: read.small("audit probability")?,
            }),
            2 => Self::Audit(AuditEntry {
                job: JobId(read.array("job")?.into_uuid()),
                round: read.byte("round")?,
                result: AuditResult::of(read.byte("result")?)
                    .ok_or(WireError::Unknown("result"))?,
                evidence: Bytes32(read.array("evidence")?),
            }),
            3 => Self::EpochOpened {
                epoch: read.number("epoch")?,
                starts_ms: read.number("time")?,
                commitment: Bytes32(read.array("commitment")?),
            },
            4 => Self::EpochClosed {
                epoch: read.number("epoch")?,
                secret: Bytes32(read.array("secret")?),
            },
            5 => Self::LedgerHead(LedgerHead {
                number: read.number("seal's number")?,
                journals: read.number("journals")?,
                chain: Bytes32(read.array("chain")?),
                signature: Bytes64(read.array("signature")?),
            }),
            6 => Self::Seal { time_ms: read.number("time")?, root: Bytes32(read.array("root")?) },
            7 => Self::Draw(DrawEntry {
                job: JobId(read.array("job")?.into_uuid()),
                round: read.byte("round")?,
                link: Bytes32(read.array("answer's link")?),
                epoch: read.number("epoch")?,
                q_ppm: read.small("audit probability")?,
                inputs: Bytes32(read.array("inputs")?),
            }),
            _ => return Err(WireError::Unknown("kind")),
        };
        reader.end()?;
        Ok(entry)
    }
}

/// Sixteen bytes as an id.
pub(crate) trait IntoUuid {
    fn into_uuid(self) -> uuid::Uuid;
}

impl IntoUuid for [u8; 16] {
    fn into_uuid(self) -> uuid::Uuid {
        uuid::Uuid::from_bytes(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn entries() -> impl Strategy<Value = Entry> {
        let bytes = || any::<[u8; 32]>().prop_map(Bytes32);
        let job = || any::<u128>().prop_map(|id| JobId(Uuid::from_u128(id)));
        prop_oneof![
            (job(), bytes(), bytes(), any::<u64>(), any::<u32>()).prop_map(
                |(job, receipt, link, epoch, q_ppm)| {
                    Entry::Answer(AnswerEntry { job, receipt, link, epoch, q_ppm })
                }
            ),
            (job(), any::<u8>(), prop::sample::select(AuditResult::ALL.to_vec()), bytes())
                .prop_map(|(job, round, result, evidence)| {
                    Entry::Audit(AuditEntry { job, round, result, evidence })
                }),
            (job(), any::<u8>(), bytes(), any::<u64>(), any::<u32>(), bytes()).prop_map(
                |(job, round, link, epoch, q_ppm, inputs)| {
                    Entry::Draw(DrawEntry { job, round, link, epoch, q_ppm, inputs })
                }
            ),
            (any::<u64>(), any::<u64>(), bytes()).prop_map(|(epoch, starts_ms, commitment)| {
                Entry::EpochOpened { epoch, starts_ms, commitment }
            }),
            (any::<u64>(), bytes())
                .prop_map(|(epoch, secret)| Entry::EpochClosed { epoch, secret }),
            (any::<u64>(), any::<u64>(), bytes()).prop_map(|(number, journals, chain)| {
                let signature = Bytes64([7; 64]);
                Entry::LedgerHead(LedgerHead { number, journals, chain, signature })
            }),
            (any::<u64>(), bytes()).prop_map(|(time_ms, root)| Entry::Seal { time_ms, root }),
        ]
    }

    proptest! {
        #[test]
        fn an_entry_is_read_as_it_was_written(entry in entries()) {
            let bytes = entry.encode();
            prop_assert!(bytes.len() <= ENTRY_BYTES_MAX);
            prop_assert_eq!(Entry::decode(&bytes), Ok(entry));
        }

        #[test]
        fn what_can_be_read_has_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..140)) {
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.encode(), bytes);
            }
        }
    }
}
