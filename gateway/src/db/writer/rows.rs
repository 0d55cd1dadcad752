//! Loads and locks what a batch touches, and writes what was decided: a few statements, whatever its size.
//!
//! Rows are locked in the order of their ids, holds before balances, so that no two gateways wait for each
//! other.

use std::{collections::BTreeSet, ops::Range};

use assay_ledger::{
    Account, AccountId, AccountKind, Command, Digest, Entry, Hold, HoldId, HoldState, Nano,
};

use super::{
    Request,
    batch::{Batch, KeyDay, Loaded, StoredJob, day_of},
};
use crate::db::{
    DbError, KeyId, LeaseId, admin_log,
    bulk::bulks,
    jobs::{self, NewJob, hold_of},
    transaction::Tx,
    value::{Arg, Record, Row},
};

bulks! { "writer";
    locking LOCK_HOLDS = "select id, account, amount, state from hold where id in (", "$", ") order by id";
    locking LOCK_BALANCES = "select account, available, held, holds_open,
            (select kind from account where id = balance.account) as kind
        from balance where account in (", "$", ") order by account";
    plain JOBS = "select id, model, api_key, created_ms, prompt_tokens, end_digest from job
        where id in (", "$", ")";
    plain BUDGETS = "select id, budget_day from api_key where id in (", "$", ")";
    locking LOCK_KEY_DAYS = "select api_key, day, jobs, held, spent, prompt_tokens, completion_tokens
        from key_day where (api_key, day) in (values ", "(cast($ as bigint), cast($ as bigint))",
        ") order by api_key, day";
    plain LEASES = "select id from lease where state = 'held' and id in (", "$", ")";
    plain POSTED = "select key, digest from journal where key in (", "$", ")";
    plain INSERT_JOURNALS = "insert into journal (id, key, kind, digest, note, at_ms) values ",
        "($, $, $, $, $, $)", "";
    plain INSERT_ENTRIES = "insert into entry (journal, account, bucket, amount) values ",
        "($, $, $, $)", "";
    plain SET_BALANCES = "update balance set available = new.column2, held = new.column3,
            holds_open = new.column4
        from (values ",
        "(cast($ as bigint), cast($ as bigint), cast($ as bigint), cast($ as bigint))",
        ") as new where balance.account = new.column1";
    plain INSERT_HOLDS = "insert into hold (id, account, amount, state) values ", "($, $, $, 'open')", "";
    plain END_HOLDS = "update hold set state = new.column2 from (values ",
        "(cast($ as text), cast($ as text))",
        ") as new where hold.id = new.column1 and hold.state = 'open'";
    plain SET_KEY_DAYS = "insert into key_day
            (api_key, day, jobs, held, spent, prompt_tokens, completion_tokens) values ",
        "($, $, $, $, $, $, $)",
        " on conflict (api_key, day) do update set jobs = excluded.jobs, held = excluded.held,
            spent = excluded.spent, prompt_tokens = excluded.prompt_tokens,
            completion_tokens = excluded.completion_tokens";
    plain SET_CHECKPOINTS = "insert into checkpoint (job, completion_tokens, settlement) values ",
        "($, $, $)",
        " on conflict (job) do update set completion_tokens = excluded.completion_tokens,
            settlement = excluded.settlement";
    plain DROP_CHECKPOINTS = "delete from checkpoint where job in (", "$", ")";
}

/// Loads and locks what these requests touch.
pub(in crate::db) async fn load(tx: &mut Tx, requests: &[&Request]) -> Result<Loaded, DbError> {
    let mut loaded = Loaded::default();
    let (mut holds, mut accounts) = (BTreeSet::new(), BTreeSet::new());
    for request in requests {
        match request {
            Request::Post { command, .. } | Request::Act { command, .. } => {
                holds.extend(command.hold());
                accounts.extend(command.accounts());
            }
            Request::Open(jobs) => {
                holds.extend(jobs.iter().map(|job| hold_of(job.id)));
                accounts.extend(jobs.iter().map(|job| job.account));
            }
            Request::End(end) => {
                holds.insert(hold_of(end.id));
                accounts.extend(end.charge.pays.iter().map(|(account, _)| *account));
            }
            Request::Checkpoint(checkpoints) => {
                holds.extend(checkpoints.iter().map(|checkpoint| hold_of(checkpoint.job)));
            }
        }
    }
    let hold_keys: Vec<Arg> = holds.into_iter().map(Arg::from).collect();
    for StoredHold(id, hold) in tx.all_of(&LOCK_HOLDS, &hold_keys).await? {
        accounts.insert(hold.account);
        loaded.balances.holds.insert(id, hold);
    }
    let known: Vec<Arg> = loaded.balances.holds.keys().copied().map(Arg::from).collect();
    for StoredJobRow(id, job) in tx.all_of(&JOBS, &known).await? {
        loaded.jobs.insert(id, job);
    }
    let accounts: Vec<Arg> = accounts.into_iter().map(Arg::from).collect();
    for StoredBalance(id, account, holds_open) in tx.all_of(&LOCK_BALANCES, &accounts).await? {
        loaded.balances.accounts.insert(id, account);
        loaded.holds_open.insert(id, holds_open);
    }
    load_keys(tx, requests, &mut loaded).await?;
    let leases: BTreeSet<LeaseId> = opened(requests).filter_map(|job| job.lease).collect();
    let leases: Vec<Arg> = leases.into_iter().map(Arg::from).collect();
    for StoredLease(id) in tx.all_of(&LEASES, &leases).await? {
        loaded.leases_held.insert(id);
    }
    // Last, when nobody else can be posting them.
    let keys: Vec<Arg> = keys(requests, &loaded).map(Arg::from).collect();
    for StoredKey(key, digest) in tx.all_of(&POSTED, &keys).await? {
        loaded.balances.posted.insert(key, digest);
    }
    Ok(loaded)
}

/// The jobs that these requests open.
fn opened<'a>(requests: &'a [&Request]) -> impl Iterator<Item = &'a NewJob> {
    let jobs = requests.iter().map(|request| match request {
        Request::Open(jobs) => jobs.as_slice(),
        _ => &[],
    });
    jobs.flatten()
}

/// The budgets and days of the API keys that these requests are about.
async fn load_keys(tx: &mut Tx, requests: &[&Request], loaded: &mut Loaded) -> Result<(), DbError> {
    let opened: BTreeSet<(KeyId, i64)> =
        opened(requests).map(|job| (job.key, day_of(job.created_ms))).collect();
    let keys: BTreeSet<KeyId> = opened.iter().map(|(key, _)| *key).collect();
    let keys: Vec<Arg> = keys.into_iter().map(Arg::from).collect();
    for StoredBudget(key, budget) in tx.all_of(&BUDGETS, &keys).await? {
        loaded.budgets.insert(key, budget);
    }
    let days: BTreeSet<_> =
        opened.into_iter().chain(loaded.jobs.values().map(|job| job.key_day)).collect();
    let days: Vec<Arg> = days.into_iter().flat_map(|(key, day)| [key.into(), day.into()]).collect();
    for StoredKeyDay(key_day, day) in tx.all_of(&LOCK_KEY_DAYS, &days).await? {
        loaded.key_days.insert(key_day, day);
    }
    Ok(())
}

/// The keys that may have been posted before. A hold that has no row never began; one that is open has not
/// ended: their keys need not be looked for.
fn keys(requests: &[&Request], loaded: &Loaded) -> impl Iterator<Item = String> {
    let holds = &loaded.balances.holds;
    let ended = |hold| holds.get(hold).is_some_and(|hold| hold.state != HoldState::Open);
    let opened = opened(requests).filter_map(|job| {
        let hold = hold_of(job.id);
        let command = Command::Hold { hold, account: job.account, amount: job.hold };
        holds.contains_key(&hold).then(|| command.key())
    });
    let keys = requests.iter().filter_map(|request| match request {
        Request::Post { command, .. } | Request::Act { command, .. } => match command {
            Command::Grant { .. }
            | Command::TopUp { .. }
            | Command::Correct { .. }
            | Command::Forfeit { .. } => Some(command.key()),
            Command::Hold { hold, .. } => holds.contains_key(hold).then(|| command.key()),
            Command::Settle { hold, .. } | Command::Void { hold } | Command::SendOut { hold } => {
                ended(hold).then(|| command.key())
            }
        },
        // An ended job's row knows its end.
        Request::Open(_) | Request::End(_) | Request::Checkpoint(_) => None,
    });
    keys.chain(opened).collect::<BTreeSet<_>>().into_iter()
}

/// Writes a batch; its journals take their numbers from `journal_ids`, in order.
pub(in crate::db) async fn write(
    tx: &mut Tx,
    batch: &Batch<'_>,
    journal_ids: &mut Range<i64>,
) -> Result<(), DbError> {
    write_journals(tx, batch, journal_ids).await?;
    write_balances(tx, batch).await?;
    write_holds(tx, batch).await?;
    jobs::insert_all(tx, &batch.opened).await?;
    jobs::write_ends(tx, &batch.ended).await?;
    write_key_days(tx, batch).await?;
    write_checkpoints(tx, batch).await?;
    admin_log::write(tx, &batch.lines).await
}

async fn write_journals(
    tx: &mut Tx,
    batch: &Batch<'_>,
    journal_ids: &mut Range<i64>,
) -> Result<(), DbError> {
    let mut journals = Vec::with_capacity(batch.journals.len() * 6);
    let mut entries = Vec::with_capacity(batch.journals.len() * 20);
    for journal in &batch.journals {
        let id = journal_ids.next().expect("numbers for all commands were taken");
        let posting = &journal.posting;
        journals.extend([id.into(), Arg::from(&posting.key), posting.kind.into()]);
        journals.extend([posting.digest.into(), journal.note.into(), journal.at_ms.into()]);
        for Entry { account, bucket, amount } in &posting.entries {
            entries.extend([id.into(), (*account).into(), (*bucket).into(), (*amount).into()]);
        }
    }
    tx.execute_all(&INSERT_JOURNALS, &journals).await?;
    tx.execute_all(&INSERT_ENTRIES, &entries).await?;
    Ok(())
}

async fn write_balances(tx: &mut Tx, batch: &Batch<'_>) -> Result<(), DbError> {
    let balance = |id: &AccountId| {
        let account = batch.rows.balances.accounts.get(id).expect("it was loaded to be moved");
        let open = batch.rows.holds_open.get(id).copied().unwrap_or_default();
        [(*id).into(), account.available.into(), account.held.into(), open.into()]
    };
    let args: Vec<Arg> = batch.accounts.iter().flat_map(balance).collect();
    let changed = tx.execute_all(&SET_BALANCES, &args).await?;
    assert_eq!(changed, batch.accounts.len() as u64, "balances were locked and must be there");
    Ok(())
}

async fn write_holds(tx: &mut Tx, batch: &Batch<'_>) -> Result<(), DbError> {
    let hold = |id: &HoldId| batch.rows.balances.holds.get(id).expect("it was just decided");
    let begun = batch.holds_begun.iter().flat_map(|id| {
        let hold = hold(id);
        [(*id).into(), hold.account.into(), hold.amount.into()]
    });
    tx.execute_all(&INSERT_HOLDS, &begun.collect::<Vec<Arg>>()).await?;
    let ended = batch.holds_ended.iter().flat_map(|id| [(*id).into(), hold(id).state.into()]);
    let changed = tx.execute_all(&END_HOLDS, &ended.collect::<Vec<Arg>>()).await?;
    assert_eq!(changed, batch.holds_ended.len() as u64, "a hold begins once and ends once");
    Ok(())
}

async fn write_key_days(tx: &mut Tx, batch: &Batch<'_>) -> Result<(), DbError> {
    let day = |key_day: &(KeyId, i64)| {
        let row = batch.rows.key_days.get(key_day).copied().unwrap_or_default();
        let (key, day) = *key_day;
        let tokens = [row.prompt_tokens.into(), row.completion_tokens.into()];
        let [prompt, completion] = tokens;
        [
            key.into(),
            day.into(),
            row.jobs.into(),
            row.held.into(),
            row.spent.into(),
            prompt,
            completion,
        ]
    };
    let args: Vec<Arg> = batch.days.iter().flat_map(day).collect();
    tx.execute_all(&SET_KEY_DAYS, &args).await?;
    Ok(())
}

async fn write_checkpoints(tx: &mut Tx, batch: &Batch<'_>) -> Result<(), DbError> {
    let mut args: Vec<Arg> = Vec::new();
    for (hold, checkpoint) in &batch.checkpoints {
        let settlement = serde_json::to_string(&checkpoint.settlement)
            .map_err(|error| DbError::Wrong(format!("a checkpoint: {error}")))?;
        let tokens = checkpoint.settlement.completion_tokens;
        args.extend([(*hold).into(), tokens.into(), settlement.into()]);
    }
    tx.execute_all(&SET_CHECKPOINTS, &args).await?;
    let ended: Vec<Arg> = batch.ended.iter().map(|ended| ended.end.id.into()).collect();
    tx.execute_all(&DROP_CHECKPOINTS, &ended).await?;
    Ok(())
}

struct StoredHold(HoldId, Hold);
struct StoredJobRow(HoldId, StoredJob);
struct StoredBalance(AccountId, Account, i64);
struct StoredBudget(KeyId, Option<Nano>);
struct StoredKeyDay((KeyId, i64), KeyDay);
struct StoredKey(String, Digest);
struct StoredLease(LeaseId);

impl Record for StoredLease {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("id").map(Self)
    }
}

impl Record for StoredHold {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (account, amount) = (row.get("account")?, row.get("amount")?);
        Ok(Self(row.get("id")?, Hold { account, amount, state: row.get("state")? }))
    }
}

impl Record for StoredJobRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        let key_day = (row.get("api_key")?, day_of(row.get("created_ms")?));
        let (model, prompt_tokens) = (row.get("model")?, row.get("prompt_tokens")?);
        let end_digest = row.maybe("end_digest")?;
        Ok(Self(row.get("id")?, StoredJob { model, key_day, prompt_tokens, end_digest }))
    }
}

impl Record for StoredBalance {
    fn read(row: &Row) -> Result<Self, DbError> {
        let kind: AccountKind = row.get("kind")?;
        let (available, held): (Nano, Nano) = (row.get("available")?, row.get("held")?);
        let account = Account { kind, available, held };
        Ok(Self(row.get("account")?, account, row.get("holds_open")?))
    }
}

impl Record for StoredBudget {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self(row.get("id")?, row.maybe("budget_day")?))
    }
}

impl Record for StoredKeyDay {
    fn read(row: &Row) -> Result<Self, DbError> {
        let day = KeyDay {
            jobs: row.get("jobs")?,
            held: row.get("held")?,
            spent: row.get("spent")?,
            prompt_tokens: row.get("prompt_tokens")?,
            completion_tokens: row.get("completion_tokens")?,
        };
        Ok(Self((row.get("api_key")?, row.get("day")?), day))
    }
}

impl Record for StoredKey {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self(row.get("key")?, row.get("digest")?))
    }
}
