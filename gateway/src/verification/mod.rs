//! Runs the checks that crate `verifier` decides on, and keeps each node's standing.

pub mod admission;
pub mod audit_queue;
pub mod audits;
pub mod brakes;
mod canary;
pub mod candidates;
pub(crate) mod consequences;
pub mod epochs;
pub mod evidence;
mod explanation;
pub mod judgement;
pub mod pay;
pub mod reputation;
pub(crate) mod rules;
pub mod scorer;
mod self_test;
pub mod settings;
mod truth;
pub(crate) mod vectors;
mod weighing;
pub mod weights;

pub use audit_queue::AuditQueue;
pub use audits::AuditLog;
pub use brakes::Brakes;
pub use epochs::Epochs;
pub use evidence::PartEvidence;
pub use pay::PayBook;
pub use reputation::ReputationBook;
pub use scorer::Disputes;
pub use weights::Weights;
