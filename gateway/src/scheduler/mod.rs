//! Who gets a job: a pure choice over a snapshot of the nodes.

pub mod choose;

pub use choose::{Candidate, Wanted, choose};
