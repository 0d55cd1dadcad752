//! What counts as an honest answer: structure, consensus, spot checks by margin, the verdict over a set of
//! answers, and what a verdict says about a node over time; and what of it a client can check by itself: receipts,
//! the log that holds them, the keys to pin. Pure: randomness, clocks and scores are arguments.

pub mod agreement;
pub mod answer;
mod beta;
pub mod bounds;
pub mod brake;
pub mod consensus;
pub mod embedding;
pub mod fuzz;
pub mod judge;
pub mod limits;
pub mod log;
pub mod measures;
pub mod receipt;
pub mod record;
pub mod reputation;
pub mod rules;
pub mod split;
pub mod spot_check;
pub mod trust;
mod wire;

pub use agreement::{agreed_prefix, agreed_told};
pub use answer::{Answer, OwnerId, StructureFault, Told, check_structure};
pub use bounds::{Bounds, bounds_95};
pub use brake::Brake;
pub use consensus::{Consensus, Group, consensus};
pub use judge::{Judgement, Rule, Scored, Scorer, Setting, Verdict, deciding, judge};
pub use limits::{ClassLimits, Limits, LimitsError, Measured};
pub use measures::Measures;
pub use receipt::Receipt;
pub use record::{Consequence, Finding, Record};
pub use rules::{Rules, SpotChecks};
pub use split::{Adjudication, Claim, Ruling, Split, adjudicate, first_split};
pub use spot_check::{BadScores, Fault, FaultKind, SpotCheck, spot_check};
pub use trust::Trust;
pub use wire::WireError;
