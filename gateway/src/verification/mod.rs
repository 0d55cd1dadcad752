//! Runs the checks that crate `verifier` decides on, and keeps each node's standing.

pub mod admission;
pub mod brakes;
mod canary;
pub mod candidates;
pub(crate) mod consequences;
pub mod epochs;
mod explanation;
pub mod judgement;
pub mod reputation;
pub(crate) mod rules;
pub mod scorer;
mod self_test;
pub mod settings;
pub mod weights;

pub use brakes::Brakes;
pub use epochs::Epochs;
pub use reputation::ReputationBook;
pub use scorer::Disputes;
pub use weights::Weights;
