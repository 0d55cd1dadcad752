//! The store, and the only code that contains SQL. One text runs on SQLite and on PostgreSQL; times are
//! Unix milliseconds and come in as arguments.

pub mod accounts;
pub mod admin_log;
pub mod audits;
pub mod changes;
pub mod checks;
pub mod credits;
pub mod earnings;
pub mod enrolments;
pub mod epochs;
pub mod forfeits;
pub mod history;
pub mod invitations;
pub mod jobs;
pub mod kept_answers;
pub mod keys;
pub mod leases;
pub mod ledger_state;
pub mod log;
pub mod logins;
pub mod nodes;
pub mod operators;
pub mod pay;
pub mod payout_addresses;
pub mod presence;
pub mod refunds;
pub mod reputation;
pub mod seals;
pub mod settings;
pub mod settled_payments;
pub mod standing;
#[cfg(feature = "crash-points")]
pub mod tampering;
pub mod top_ups;
pub mod withdrawals;
pub mod yardstick;

mod bulk;
mod crash;
mod engine;
mod error;
mod ids;
mod migrations;
mod page;
mod posting;
mod promotion;
mod statement;
mod transaction;
mod value;
mod writer;

#[cfg(test)]
mod tests;

pub use assay_ledger::AccountId;

pub use accounts::{AccountRow, Balance, NewAccount};
pub use admin_log::{ActionRow, Actor, By};
pub use credits::{Granted, NewGrant};
pub use engine::{Db, PostgresDb, SqliteDb, Store};
pub use enrolments::{NewEnrolment, Redeem, RedeemError};
pub use error::{Bound, DbError};
pub use forfeits::{ForfeitRow, Refunded};
pub use jobs::{JobEnd, JobFilter, JobNodeEnd, JobNodeRow, JobRow, JobState, NewJob, OpenJobError};
pub use keys::{KeyId, KeyRow, NewKey};
pub use leases::{
    Checkpoint, CheckpointAsked, CheckpointPart, CheckpointSettlement, FoundOrphan, LeaseId, Orphan,
};
pub use nodes::{NodeRow, Standing};
pub use operators::{NewOperator, OperatorId, OperatorRow};
pub use page::{PAGE_ROWS_MAX, Page, Paged};
pub use reputation::EvidenceDelta;
pub use standing::Out;
pub use statement::Statement;

/// Every statement that the store runs, so that a test can prepare each on each engine.
pub fn statements() -> Vec<&'static Statement> {
    let by_noun = [
        accounts::STATEMENTS,
        admin_log::STATEMENTS,
        audits::STATEMENTS,
        changes::STATEMENTS,
        checks::STATEMENTS,
        enrolments::STATEMENTS,
        epochs::STATEMENTS,
        forfeits::STATEMENTS,
        history::STATEMENTS,
        ids::STATEMENTS,
        jobs::STATEMENTS,
        kept_answers::STATEMENTS,
        keys::STATEMENTS,
        leases::STATEMENTS,
        log::STATEMENTS,
        nodes::STATEMENTS,
        operators::STATEMENTS,
        pay::STATEMENTS,
        payout_addresses::STATEMENTS,
        presence::STATEMENTS,
        promotion::STATEMENTS,
        refunds::STATEMENTS,
        reputation::STATEMENTS,
        reputation::history::STATEMENTS,
        seals::STATEMENTS,
        settings::STATEMENTS,
        settled_payments::STATEMENTS,
        standing::STATEMENTS,
        top_ups::STATEMENTS,
        yardstick::STATEMENTS,
        earnings::STATEMENTS,
        invitations::STATEMENTS,
        jobs::own::STATEMENTS,
        logins::STATEMENTS,
        withdrawals::STATEMENTS,
        withdrawals::advance::STATEMENTS,
    ];
    let sized = writer::bulks()
        .chain(jobs::bulks())
        .chain(yardstick::BULKS)
        .chain(log::BULKS)
        .chain(audits::BULKS)
        .flat_map(|bulk| bulk.statements());
    #[cfg(feature = "crash-points")]
    let sized = sized.chain(tampering::STATEMENTS.iter().copied());
    by_noun.into_iter().flatten().copied().chain(sized).collect()
}
