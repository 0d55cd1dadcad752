//! The rules of money: what a job costs, who is paid, and which postings are allowed. Pure: no I/O, no
//! clock, no float. Amounts are integers of a billionth of a credit; 1 credit is 1 US dollar.

mod account;
mod apply;
mod balances;
mod chain;
mod command;
mod digest;
mod maturity;
mod nano;
mod payout;
mod price;

pub use account::{AccountId, AccountKind};
pub use apply::{Rejected, apply};
pub use balances::{Account, Balances, Hold, HoldState};
pub use chain::ChainLink;
pub use command::{Bucket, Command, Entry, HoldId, Posting, PostingKind};
pub use digest::{Digest, DigestWriter};
pub use maturity::{Earned, Immature, Maturity};
pub use nano::{Nano, NotAnAmount};
pub use payout::{PayRules, Round, Settlement, Share, payout};
pub use price::{Price, PriceOverflow, Quote, cost};
