//! Posts one command: loads what it touches under lock, asks the rules, writes what they say.

use assay_ledger::{
    Account, AccountId, AccountKind, Balances, Command, Digest, Entry, Hold, HoldState, Nano,
    Posting, apply,
};

use super::{
    DbError,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "posting";
    locking LOCK_HOLD = "select account, amount, state from hold where id = $1";
    locking LOCK_BALANCE = "select available, held from balance where account = $1";
    plain KIND = "select kind from account where id = $1";
    plain POSTED = "select digest from journal where key = $1";
    plain INSERT_JOURNAL = "insert into journal (id, key, kind, digest, note, at_ms)
        values ($1, $2, $3, $4, $5, $6)";
    plain INSERT_ENTRY = "insert into entry (journal, account, bucket, amount) values ($1, $2, $3, $4)";
    plain SET_BALANCE = "update balance set available = $2, held = $3 where account = $1";
    plain INSERT_HOLD = "insert into hold (id, account, amount, state) values ($1, $2, $3, 'open')";
    plain END_HOLD = "update hold set state = $2 where id = $1 and state = 'open'";
}

/// What a journal says besides its entries.
#[derive(Debug)]
pub(super) struct JournalHead<'a> {
    /// From [`super::Db::next_journal_id`].
    pub id: i64,
    pub note: &'a str,
    pub at_ms: i64,
}

/// Posts `command` in this transaction; a repeated one changes nothing.
///
/// # Errors
/// `Rejected` by the rules, else what the store says. The caller must then drop the transaction.
pub(super) async fn post(
    tx: &mut Tx,
    head: JournalHead<'_>,
    command: &Command,
) -> Result<Posting, DbError> {
    let mut balances = load(tx, command).await?;
    let posting = apply(&mut balances, command)?;
    if !posting.repeated {
        write_journal(tx, head, &posting).await?;
        write_balances(tx, &balances, &posting.entries).await?;
        write_hold(tx, &balances, command).await?;
    }
    Ok(posting)
}

/// Loads what the command touches; balances are locked in the order of their numbers, so that no two
/// transactions wait for each other. The key is looked up last, when nobody else can be posting it.
async fn load(tx: &mut Tx, command: &Command) -> Result<Balances, DbError> {
    let mut balances = Balances::default();
    let mut accounts = command.accounts();
    if let Some(id) = command.hold()
        && let Some(StoredHold(hold)) = tx.optional(&LOCK_HOLD, args![id]).await?
    {
        accounts.push(hold.account);
        balances.holds.insert(id, hold);
    }
    accounts.sort_unstable();
    accounts.dedup();
    for id in accounts {
        if let Some(account) = load_account(tx, id).await? {
            balances.accounts.insert(id, account);
        }
    }
    let key = command.key();
    if let Some(StoredDigest(digest)) = tx.optional(&POSTED, args![&key]).await? {
        balances.posted.insert(key, digest);
    }
    Ok(balances)
}

async fn load_account(tx: &mut Tx, id: AccountId) -> Result<Option<Account>, DbError> {
    let Some(StoredBalance { available, held }) = tx.optional(&LOCK_BALANCE, args![id]).await?
    else {
        return Ok(None);
    };
    let kind: Option<StoredKind> = tx.optional(&KIND, args![id]).await?;
    Ok(kind.map(|StoredKind(kind)| Account { kind, available, held }))
}

async fn write_journal(
    tx: &mut Tx,
    head: JournalHead<'_>,
    posting: &Posting,
) -> Result<(), DbError> {
    let Posting { key, kind, digest, entries, repeated: _ } = posting;
    let JournalHead { id, note, at_ms } = head;
    tx.execute(&INSERT_JOURNAL, args![id, key, *kind, *digest, note, at_ms]).await?;
    for Entry { account, bucket, amount } in entries {
        tx.execute(&INSERT_ENTRY, args![id, *account, *bucket, *amount]).await?;
    }
    Ok(())
}

async fn write_balances(
    tx: &mut Tx,
    balances: &Balances,
    entries: &[Entry],
) -> Result<(), DbError> {
    // Entries ascend by account; one that moves both buckets is written once.
    let mut moved: Vec<AccountId> = entries.iter().map(|entry| entry.account).collect();
    moved.dedup();
    for (id, account) in moved.iter().filter_map(|id| balances.accounts.get_key_value(id)) {
        let changed = tx.execute(&SET_BALANCE, args![*id, account.available, account.held]).await?;
        assert_eq!(changed, 1, "{id:?} was locked and must be there");
    }
    Ok(())
}

async fn write_hold(tx: &mut Tx, balances: &Balances, command: &Command) -> Result<(), DbError> {
    let Some((id, hold)) = command.hold().and_then(|id| balances.holds.get_key_value(&id)) else {
        return Ok(());
    };
    let changed = match hold.state {
        HoldState::Open => tx.execute(&INSERT_HOLD, args![*id, hold.account, hold.amount]).await?,
        ended => tx.execute(&END_HOLD, args![*id, ended]).await?,
    };
    assert_eq!(changed, 1, "{id:?} begins once and ends once");
    Ok(())
}

struct StoredHold(Hold);
struct StoredKind(AccountKind);
struct StoredDigest(Digest);
struct StoredBalance {
    available: Nano,
    held: Nano,
}

impl Record for StoredHold {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (account, amount) = (row.get("account")?, row.get("amount")?);
        Ok(Self(Hold { account, amount, state: row.get("state")? }))
    }
}

impl Record for StoredBalance {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { available: row.get("available")?, held: row.get("held")? })
    }
}

impl Record for StoredKind {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("kind").map(Self)
    }
}

impl Record for StoredDigest {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("digest").map(Self)
    }
}
