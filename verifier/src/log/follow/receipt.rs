//! What a log says of one receipt: that it is in there, what its epoch committed to, and how its audit was drawn.

use assay_protocol::Bytes32;

use super::{Follower, LogFault, Round};
use crate::{
    log::{
        Evidence,
        entry::{AuditResult, DrawEntry},
        merkle::{Subtree, Subtrees, leaf_hash},
    },
    receipt::{Audit, Bundle, Receipt},
};

/// What a receipt says whose answer was never to be audited.
const NOT_DRAWN: Audit = Audit { epoch: 0, commitment: Bytes32([0; 32]), q_ppm: 0 };

/// How the audit of a receipt's answer was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The receipt names no chance of an audit: the answer was scored, or is none.
    NoDraw,
    /// The epoch's secret is not out yet.
    Undisclosed,
    /// The draw was repeated, and did not fall on an audit.
    Spared,
    /// The draw was repeated, and fell on an audit, which came out like this if it is done.
    Drawn(Option<AuditResult>),
}

impl Follower {
    /// Holds a receipt, whose own signatures were checked, to all entries that were read.
    pub fn receipt(&self, bundle: &Bundle, receipt: &Receipt) -> Result<Told, LogFault> {
        let (job, index) = (receipt.job, bundle.index);
        let leaf = leaf_hash(&receipt.entry(bundle.receipt.hash()).encode());
        let is_there = index < self.tree.size()
            && self.tree.hash(Subtree { level: 0, index }).is_ok_and(|found| found == leaf);
        if !is_there {
            return Err(LogFault::NotLogged { job, index });
        }
        let audit = receipt.audit;
        if audit == NOT_DRAWN {
            return Ok(Told::NoDraw);
        }
        self.commits(receipt, audit.commitment)?;
        let fits = |draw: &DrawEntry| {
            (draw.link, draw.epoch, draw.q_ppm) == (receipt.answer_link, audit.epoch, audit.q_ppm)
        };
        let mut draws = self.drawn_for.range((job, 0)..=(job, u8::MAX));
        let (round, _) = draws.find(|(_, draw)| fits(draw)).ok_or(LogFault::NeverDrawn(job))?;
        Ok(self.told(round, audit.epoch))
    }

    /// Whether this is what the log says that an audit rests on.
    pub fn evidence(&self, evidence: &Evidence) -> Result<(), LogFault> {
        let Evidence { job, round, result, .. } = *evidence;
        match self.done.get(&(job, round)) {
            Some(logged) if *logged == (result, evidence.hash()) => Ok(()),
            _ => Err(LogFault::OtherEvidence { job, round }),
        }
    }

    fn commits(&self, receipt: &Receipt, commitment: Bytes32) -> Result<(), LogFault> {
        let (job, epoch) = (receipt.job, receipt.audit.epoch);
        match self.epochs.get(&epoch) {
            Some(logged) if *logged == commitment => Ok(()),
            _ => Err(LogFault::OtherCommitment { job, epoch }),
        }
    }

    fn told(&self, round: &Round, epoch: u64) -> Told {
        match () {
            () if !self.secrets.contains_key(&epoch) => Told::Undisclosed,
            () if self.due.contains_key(round) => {
                Told::Drawn(self.done.get(round).map(|(result, _)| *result))
            }
            () => Told::Spared,
        }
    }
}
