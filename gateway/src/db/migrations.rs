//! The schema and its versions: one portable text, and the few lines that differ by engine.

use std::borrow::Cow;

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

use super::{Db, DbError, engine::Store};

/// Version, what it does, and its text for SQLite and for PostgreSQL.
type Step = (i64, &'static str, &'static str, &'static str);

const STEPS: [Step; 22] = [
    (
        1,
        "founding",
        include_str!("../../../migrations/common/0001_founding.sql"),
        include_str!("../../../migrations/common/0001_founding.sql"),
    ),
    (
        2,
        "immutable",
        include_str!("../../../migrations/sqlite/0002_immutable.sql"),
        include_str!("../../../migrations/postgres/0002_immutable.sql"),
    ),
    (
        3,
        "standing",
        include_str!("../../../migrations/common/0003_standing.sql"),
        include_str!("../../../migrations/common/0003_standing.sql"),
    ),
    (
        4,
        "ledger",
        concat!(
            include_str!("../../../migrations/common/0004_ledger.sql"),
            include_str!("../../../migrations/sqlite/0004_ledger.sql"),
        ),
        concat!(
            include_str!("../../../migrations/common/0004_ledger.sql"),
            include_str!("../../../migrations/postgres/0004_ledger.sql"),
        ),
    ),
    (
        5,
        "receipts",
        include_str!("../../../migrations/common/0005_receipts.sql"),
        include_str!("../../../migrations/common/0005_receipts.sql"),
    ),
    (
        6,
        "payments",
        concat!(
            include_str!("../../../migrations/common/0006_payments.sql"),
            include_str!("../../../migrations/sqlite/0006_payments.sql"),
        ),
        concat!(
            include_str!("../../../migrations/common/0006_payments.sql"),
            include_str!("../../../migrations/postgres/0006_payments.sql"),
        ),
    ),
    (
        7,
        "seals",
        include_str!("../../../migrations/common/0007_seals.sql"),
        include_str!("../../../migrations/common/0007_seals.sql"),
    ),
    (
        8,
        "operators",
        include_str!("../../../migrations/common/0008_operators.sql"),
        include_str!("../../../migrations/common/0008_operators.sql"),
    ),
    (
        9,
        "forfeit",
        include_str!("../../../migrations/common/0009_forfeit.sql"),
        include_str!("../../../migrations/common/0009_forfeit.sql"),
    ),
    (
        11,
        "receipts",
        include_str!("../../../migrations/common/0011_receipts.sql"),
        include_str!("../../../migrations/common/0011_receipts.sql"),
    ),
    (
        12,
        "kept",
        include_str!("../../../migrations/sqlite/0012_ledger.sql"),
        include_str!("../../../migrations/postgres/0012_ledger.sql"),
    ),
    (
        13,
        "party",
        include_str!("../../../migrations/common/0013_party.sql"),
        include_str!("../../../migrations/common/0013_party.sql"),
    ),
    (
        14,
        "places",
        include_str!("../../../migrations/common/0014_places.sql"),
        include_str!("../../../migrations/common/0014_places.sql"),
    ),
    (
        15,
        "keys",
        include_str!("../../../migrations/common/0015_keys.sql"),
        include_str!("../../../migrations/common/0015_keys.sql"),
    ),
    (
        16,
        "presence",
        include_str!("../../../migrations/common/0016_presence.sql"),
        include_str!("../../../migrations/common/0016_presence.sql"),
    ),
    (
        17,
        "payments",
        include_str!("../../../migrations/common/0017_payments.sql"),
        include_str!("../../../migrations/common/0017_payments.sql"),
    ),
    (
        18,
        "idempotency",
        include_str!("../../../migrations/common/0018_idempotency.sql"),
        include_str!("../../../migrations/common/0018_idempotency.sql"),
    ),
    (
        20,
        "record",
        include_str!("../../../migrations/common/0020_record.sql"),
        include_str!("../../../migrations/common/0020_record.sql"),
    ),
    (
        21,
        "reasons",
        include_str!("../../../migrations/common/0021_reasons.sql"),
        include_str!("../../../migrations/common/0021_reasons.sql"),
    ),
    (
        22,
        "money",
        include_str!("../../../migrations/common/0022_money.sql"),
        include_str!("../../../migrations/common/0022_money.sql"),
    ),
    (
        23,
        "settled",
        concat!(
            include_str!("../../../migrations/common/0023_settled.sql"),
            include_str!("../../../migrations/sqlite/0023_settled.sql"),
        ),
        concat!(
            include_str!("../../../migrations/common/0023_settled.sql"),
            include_str!("../../../migrations/postgres/0023_settled.sql"),
        ),
    ),
    (
        24,
        "codes",
        include_str!("../../../migrations/common/0024_codes.sql"),
        include_str!("../../../migrations/common/0024_codes.sql"),
    ),
];

impl Db {
    /// Brings the schema to this program's version. Safe to call at every start, and from several
    /// gateways at once.
    ///
    /// # Errors
    /// `Unusable` when the database is of a newer program or was changed by hand.
    pub async fn migrate(&self) -> Result<(), DbError> {
        let done = match &**self {
            Store::Sqlite(db) => migrator(|step| step.2).run(&db.writer).await,
            Store::Postgres(db) => migrator(|step| step.3).run(&db.pool).await,
        };
        done.map_err(|error| DbError::Unusable(format!("the database's schema: {error}")))
    }
}

fn migrator(text: impl Fn(&Step) -> &'static str) -> Migrator {
    let migration = |step: &Step| {
        let (version, name, kind) = (step.0, Cow::Borrowed(step.1), MigrationType::Simple);
        Migration::new(version, name, kind, SqlStr::from_static(text(step)), false)
    };
    Migrator::with_migrations(STEPS.iter().map(migration).collect())
}
