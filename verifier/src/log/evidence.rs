//! What an audit rests on: what each scorer measured of the answer, position by position. Its hash is in the log, so
//! nobody can say afterwards that it was another; the client gets it, and whoever has the model can measure again.
//! It holds no prompt and no token: answers are named by the last link of their salted hash chain.

use assay_protocol::{Bytes32, JobId, NodeId};
use sha2::{Digest, Sha256};

use super::entry::{AuditResult, IntoUuid};
use crate::wire::{Reader, WireError, Writer};

/// What a file of this form begins with.
const MAGIC: [u8; 8] = *b"assay-e1";
/// Scores of one audit, and nodes that gave one answer: more is no audit of ours.
const MEMBERS_MAX: usize = 256;
/// Positions of one answer.
const POSITIONS_MAX: usize = 1 << 20;

/// See the head of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub job: JobId,
    pub round: u8,
    pub result: AuditResult,
    /// Empty where nobody scored the answer.
    pub scored: Vec<Scored>,
}

/// What one scorer measured of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    pub scorer: NodeId,
    /// The last link of the answer's hash chain.
    pub link: Bytes32,
    /// Of each position, in 1e-9 logits: how far the token is from the model's own draw (R1).
    pub margins_nano: Vec<u64>,
    /// Positions that were drawn for the founding rule, rising.
    pub positions: Vec<u32>,
    /// Those who gave this answer.
    pub nodes: Vec<Measured>,
}

/// What was measured of what one node wrote itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    pub node: NodeId,
    /// σ̂² of R2, in 1e-9, where it says anything.
    pub sigma2_nano: Option<u64>,
    /// The mean difference of R5, in 1e-9 logits, where logits were reported.
    pub logit_difference_nano: Option<u64>,
}

impl Evidence {
    /// The file, and what is hashed.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.bytes(&MAGIC).bytes(self.job.0.as_bytes()).byte(self.round).byte(self.result as u8);
        w.number(self.scored.len() as u64);
        for scored in &self.scored {
            w.bytes(scored.scorer.0.as_bytes()).bytes(&scored.link.0);
            w.number(scored.margins_nano.len() as u64);
            scored.margins_nano.iter().for_each(|margin| {
                w.number(*margin);
            });
            w.number(scored.positions.len() as u64);
            scored.positions.iter().for_each(|position| {
                w.number((*position).into());
            });
            w.number(scored.nodes.len() as u64);
            for Measured { node, sigma2_nano, logit_difference_nano } in &scored.nodes {
                w.bytes(node.0.as_bytes());
                for value in [sigma2_nano, logit_difference_nano] {
                    w.option(value.as_ref(), |w, value| {
                        w.number(*value);
                    });
                }
            }
        }
        w.finish()
    }

    /// Reads a file; what it reads is written the same again.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        if r.array("first bytes")? != MAGIC {
            return Err(WireError::Unknown("kind of file"));
        }
        let (job, round) = (JobId(r.array("job")?.into_uuid()), r.byte("round")?);
        let result = AuditResult::of(r.byte("result")?).ok_or(WireError::Unknown("result"))?;
        let scored = list(r, "scores", MEMBERS_MAX, |r| {
            Ok(Scored {
                scorer: NodeId(r.array("scorer")?.into_uuid()),
                link: Bytes32(r.array("answer's link")?),
                margins_nano: list(r, "margins", POSITIONS_MAX, |r| r.number("margin"))?,
                positions: list(r, "positions", POSITIONS_MAX, |r| r.small("position"))?,
                nodes: list(r, "nodes", MEMBERS_MAX, |r| {
                    Ok(Measured {
                        node: NodeId(r.array("node")?.into_uuid()),
                        sigma2_nano: r.option("sigma", |r| r.number("sigma"))?,
                        logit_difference_nano: r.option("logits", |r| r.number("logits"))?,
                    })
                })?,
            })
        })?;
        reader.end()?;
        Ok(Self { job, round, result, scored })
    }

    /// What stands for it in the log.
    pub fn hash(&self) -> Bytes32 {
        Bytes32(Sha256::digest(self.encode()).into())
    }

    /// What was measured of the answer with this last link.
    pub fn of_answer(&self, link: Bytes32) -> impl Iterator<Item = &Scored> {
        self.scored.iter().filter(move |scored| scored.link == link)
    }
}

fn list<'a, T>(
    r: &mut Reader<'a>,
    what: &'static str,
    max: usize,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count: usize = r.small(what)?;
    if count > max {
        return Err(WireError::TooLarge(what));
    }
    (0..count).map(|_| read(r)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn evidence(margins: Vec<u64>, option: Option<u64>, id: u128) -> Evidence {
        let (node, job) = (NodeId(Uuid::from_u128(id)), JobId(Uuid::from_u128(id)));
        let nodes = vec![Measured { node, sigma2_nano: option, logit_difference_nano: Some(7) }];
        let link = Bytes32([3; 32]);
        let scored =
            Scored { scorer: node, link, margins_nano: margins, positions: vec![0, 9], nodes };
        Evidence { job, round: 2, result: AuditResult::Failed, scored: vec![scored; 2] }
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was_written_and_any_other_byte_is_another(
            margins in prop::collection::vec(any::<u64>(), 0..40),
            option in any::<Option<u64>>(),
            id in any::<u128>(),
            at in any::<prop::sample::Index>(),
            flip in 1u8..=255,
        ) {
            let evidence = evidence(margins, option, id);
            let mut bytes = evidence.encode();
            prop_assert_eq!(&Evidence::decode(&bytes).unwrap(), &evidence);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(other) = Evidence::decode(&bytes) {
                prop_assert_eq!(other.encode(), bytes);
                prop_assert_ne!(other.hash(), evidence.hash());
            }
        }

        #[test]
        fn no_bytes_whatever_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Evidence::decode(&[MAGIC.as_slice(), &bytes].concat());
        }
    }
}
