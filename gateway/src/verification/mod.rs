//! Runs the checks that crate `verifier` decides on, and keeps each node's standing.

pub mod candidates;
mod explanation;
pub mod judgement;
pub mod reputation;
pub mod scorer;

pub use reputation::ReputationBook;
