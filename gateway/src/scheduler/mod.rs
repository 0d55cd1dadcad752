//! Who gets a job, and how many: pure choices over a snapshot of the nodes.

pub mod choose;
pub mod party;
pub mod size;

pub use choose::{Candidate, Wanted, choose, free};
pub use party::{Network, Party, Payouts};
pub use size::{Fewer, Trust, set_size};
