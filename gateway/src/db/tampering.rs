//! What only tests do and look at: damage that an audit must find, and notes that the next run would go by.

use assay_ledger::{AccountId, AccountKind, Nano};
use assay_protocol::JobId;

use super::{
    Db, DbError, Store,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "tampering";
    plain ADD = "update balance set available = available + $2 where account = $1";
    plain SET_KIND = "update account set kind = $2 where id = $1";
    plain AGE_TOP_UPS = "update top_up set created_ms = created_ms - $1";
    plain AGE_REFUNDS = "update refund set created_ms = created_ms - $1";
    plain NOTED = "select completion_tokens from checkpoint where job = $1";
}

/// Gives an account credit that nobody posted.
pub async fn add_credit(db: &Db, account: AccountId, amount: Nano) -> Result<(), DbError> {
    db.execute(&ADD, args![account, amount]).await?;
    Ok(())
}

/// Makes an account another's: what is to be paid to it is refused from then on.
pub async fn set_kind(db: &Db, account: AccountId, kind: AccountKind) -> Result<(), DbError> {
    db.execute(&SET_KIND, args![account, kind]).await?;
    Ok(())
}

/// All payments and refunds were asked for that much earlier.
pub async fn age_payments(db: &Db, by_ms: i64) -> Result<(), DbError> {
    db.execute(&AGE_TOP_UPS, args![by_ms]).await?;
    db.execute(&AGE_REFUNDS, args![by_ms]).await?;
    Ok(())
}

/// The tokens that a running job's last checkpoint says were delivered.
pub async fn noted_tokens(db: &Db, job: JobId) -> Result<Option<u32>, DbError> {
    let noted: Option<Noted> = db.optional(&NOTED, args![job]).await?;
    Ok(noted.map(|noted| noted.0))
}

/// On PostgreSQL: commits of new jobs wait until [`let_commits_go`].
///
/// # Panics
/// On SQLite, which has nobody who could commit later.
pub async fn hold_commits(db: &Db) -> Result<(), DbError> {
    let Store::Postgres(postgres) = &**db else { panic!("only PostgreSQL commits by itself") };
    let sql = "create table gate (shut bigint not null);
        insert into gate (shut) values (1);
        create function wait_at_gate() returns trigger language plpgsql as $$ begin
            while exists (select 1 from gate) loop perform pg_sleep(0.02); end loop;
            return null;
        end $$;
        create constraint trigger wait_at_gate after insert on job
            deferrable initially deferred for each row execute function wait_at_gate();";
    sqlx::raw_sql(sql).execute(&postgres.pool).await?;
    Ok(())
}

/// Lets them commit.
pub async fn let_commits_go(db: &Db) -> Result<(), DbError> {
    let Store::Postgres(postgres) = &**db else { panic!("only PostgreSQL commits by itself") };
    sqlx::raw_sql("delete from gate").execute(&postgres.pool).await?;
    Ok(())
}

struct Noted(u32);

impl Record for Noted {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("completion_tokens").map(Self)
    }
}
