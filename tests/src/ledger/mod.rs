//! The ledger under attack: processes that move money until they are killed, what they were told, and whether the
//! books say the same afterwards.

pub mod books;
pub mod crowd;
pub mod history;
pub mod worker;

pub use books::Books;
pub use crowd::Crowd;
pub use history::History;
