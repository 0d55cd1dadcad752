//! Seals: the hash chain over journals, made after they are committed, so that no posting waits for it.
//!
//! Journals take their numbers from blocks, and within a block they are committed in ascending order: a seal
//! covers the next journals of one block.

use assay_ledger::{ChainLink, Digest, PostingKind};

use super::{
    Db, DbError,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "seals";
    plain HEAD = "select number, first, last, journals, height, previous, hash, gateway, at_ms, signature
        from seal order by number desc limit 1";
    plain UNSEALED = "select first, id, key, kind, digest, note, at_ms,
            coalesce((select string_agg(account || ' ' || bucket || ' ' || amount, ','
                order by account, bucket) from entry where entry.journal = next.id), '') as entries
        from (select journal_block.first, journal.* from journal_block
            join journal on journal.id > journal_block.sealed and journal.id <= journal_block.last
            where journal_block.sealed < journal_block.last
            order by journal_block.first, journal.id limit $1) as next
        order by first, id";
    plain INSERT = "insert into seal
            (number, first, last, journals, height, previous, hash, gateway, at_ms, signature)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    plain ADVANCE = "update journal_block set sealed = $2 where first = $1 and sealed < $2";
    plain DROP = "delete from journal_block where first = $1 and sealed >= last";
    plain DROP_UNUSED = "delete from journal_block
        where taken_ms < (select now_ms from clock) - $1 and not exists (
            select 1 from journal where id > journal_block.sealed and id <= journal_block.last)";
    plain KEY = "insert into gateway_key (gateway, public_key) values ($1, $2) on conflict do nothing";
    plain KEYS = "select gateway, public_key from gateway_key order by gateway";
    plain BY_NUMBER = "select number, first, last, journals, height, previous, hash, gateway, at_ms, signature
        from seal where number > $1 order by number limit $2";
    plain BY_FIRST = "select number, first, last, journals, height, previous, hash, gateway, at_ms, signature
        from seal where first > $1 order by first limit $2";
}

/// Blocks that were taken longer ago than this are not posted under any more; writers change theirs in a
/// fraction of it.
const BLOCK_UNUSED_MS: i64 = 24 * 3_600_000;

/// One seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// From 1.
    pub number: i64,
    /// The journals that it covers: those with a number from here …
    pub first: i64,
    /// … to here.
    pub last: i64,
    pub journals: i64,
    /// Journals sealed so far, these included.
    pub height: i64,
    /// The chain's hash before them.
    pub previous: Digest,
    /// The chain's hash after them: the head, while this is the last seal.
    pub hash: Digest,
    /// Whose signature it is.
    pub gateway: String,
    pub at_ms: i64,
    /// Hex; over [`Digest::head`].
    pub signature: String,
}

/// A journal that no seal covers yet.
#[derive(Clone, Debug)]
pub struct Unsealed {
    /// Where its block of numbers begins.
    pub block: i64,
    pub id: i64,
    key: String,
    kind: PostingKind,
    digest: String,
    note: String,
    at_ms: i64,
    entries: String,
}

impl Unsealed {
    /// As the chain takes it.
    pub fn link(&self) -> ChainLink<'_> {
        let Self { id, kind, at_ms, .. } = *self;
        let Self { key, digest, note, entries, .. } = self;
        ChainLink { id, key, kind, digest, note, at_ms, entries }
    }
}

/// The last seal: the ledger's head.
pub async fn head(db: &Db) -> Result<Option<Seal>, DbError> {
    db.optional(&HEAD, args![]).await
}

/// The next journals to seal, by block and number, at most `limit`.
pub async fn unsealed(db: &Db, limit: i64) -> Result<Vec<Unsealed>, DbError> {
    db.all(&UNSEALED, args![limit]).await
}

/// Adds a seal over journals of this block; false when another gateway added one first.
pub async fn append(db: &Db, block: i64, seal: &Seal) -> Result<bool, DbError> {
    let appended = retried(async || {
        let mut tx = db.begin().await?;
        let Seal { number, first, last, journals, height, previous, hash, .. } = seal;
        let args = args![
            *number,
            *first,
            *last,
            *journals,
            *height,
            *previous,
            *hash,
            &seal.gateway,
            seal.at_ms,
            &seal.signature
        ];
        tx.execute(&INSERT, args).await?;
        tx.execute(&ADVANCE, args![block, *last]).await?;
        tx.execute(&DROP, args![block]).await?;
        tx.commit().await
    });
    match appended.await {
        Ok(()) => Ok(true),
        // Its number is taken.
        Err(DbError::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Forgets the blocks of numbers that nobody uses any more, because whoever took them stopped or gave them up;
/// how many. All that was posted under them is sealed.
pub async fn drop_unused_blocks(db: &Db) -> Result<u64, DbError> {
    db.execute(&DROP_UNUSED, args![BLOCK_UNUSED_MS]).await
}

/// Keeps the key that a gateway signs with.
pub async fn keep_key(db: &Db, gateway: &str, public_key: &str) -> Result<(), DbError> {
    db.execute(&KEY, args![gateway, public_key]).await?;
    Ok(())
}

/// All keys that gateways sign with: gateway and key, hex.
pub(super) async fn keys(tx: &mut Tx) -> Result<Vec<(String, String)>, DbError> {
    let keys: Vec<Key> = tx.all(&KEYS, args![]).await?;
    Ok(keys.into_iter().map(|key| (key.0, key.1)).collect())
}

/// The next seals by number.
pub(super) async fn by_number(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<Seal>, DbError> {
    tx.all(&BY_NUMBER, args![after, limit]).await
}

/// The next seals by the journals that they cover.
pub(super) async fn by_first(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<Seal>, DbError> {
    tx.all(&BY_FIRST, args![after, limit]).await
}

struct Key(String, String);

impl Record for Key {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self(row.get("gateway")?, row.get("public_key")?))
    }
}

impl Record for Unsealed {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            block: row.get("first")?,
            id: row.get("id")?,
            key: row.get("key")?,
            kind: row.get("kind")?,
            digest: row.get("digest")?,
            note: row.get("note")?,
            at_ms: row.get("at_ms")?,
            entries: row.get("entries")?,
        })
    }
}

impl Record for Seal {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            number: row.get("number")?,
            first: row.get("first")?,
            last: row.get("last")?,
            journals: row.get("journals")?,
            height: row.get("height")?,
            previous: row.get("previous")?,
            hash: row.get("hash")?,
            gateway: row.get("gateway")?,
            at_ms: row.get("at_ms")?,
            signature: row.get("signature")?,
        })
    }
}
