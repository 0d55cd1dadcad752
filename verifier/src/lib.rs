//! What counts as an honest answer: structure, consensus, spot checks by margin, the verdict over a set of
//! answers, and what a verdict says about a node over time. Pure: randomness and scores are arguments.

pub mod agreement;
pub mod answer;
pub mod consensus;
pub mod judge;
pub mod reputation;
pub mod spot_check;

pub use agreement::agreed_prefix;
pub use answer::{Answer, OwnerId, Rules, SpotChecks, StructureFault, Told, check_structure};
pub use consensus::{Consensus, Group, consensus};
pub use judge::{Judgement, Rule, Scorer, Setting, Verdict, judge};
pub use spot_check::{BadScores, Fault, FaultKind, SpotCheck, spot_check};
