//! The gateway's log of receipts: entries that wait for their place, sealed ones, full tiles and the signed head.

use assay_protocol::JobId;

use super::{
    Db, DbError, KeyId,
    audits::{self, NewAudit},
    bulk::bulks,
    engine::retried,
    jobs::JobState,
    statement::statements,
    transaction::Tx,
    value::{Arg, Record, Row, args},
};

statements! { "log";
    plain INSERT = "insert into log_entry (gateway, key, entry, receipt) values ($1, $2, $3, $4)
        on conflict do nothing";
    plain WAITING = "select key, entry from log_entry
        where gateway = $1 and position is null order by key limit $2";
    plain PLACE_OF = "select position from log_entry
        where gateway = $1 and key = $2 and position is not null";
    plain SET_HEAD = "insert into log_head (gateway, size, note) values ($1, $2, $3)
        on conflict (gateway) do update set size = excluded.size, note = excluded.note";
    plain HEAD = "select size, note from log_head where gateway = $1";
    plain RANGE = "select entry, position from log_entry
        where gateway = $1 and position >= $2 and position < $3 order by position limit $4";
    plain TILE = "select hashes from log_tile where gateway = $1 and level = $2 and number = $3";
    plain TILES = "select count(*) as tiles from log_tile where gateway = $1 and level = $2";
    plain RECEIPT = "select job.gateway, job.state, log_entry.receipt, log_entry.position
        from job left join log_entry on log_entry.gateway = job.gateway and log_entry.key = job.id
        where job.id = $1 and job.api_key = $2";
}

bulks! { "log";
    plain INSERT_ALL = "insert into log_entry (gateway, key, entry, receipt) values ",
        "($, $, $, $)", " on conflict do nothing";
    /// An entry that waits gets its place; one that has a place keeps it.
    plain PLACE_ALL = "insert into log_entry (gateway, key, entry, position) values ",
        "($, $, $, $)", " on conflict (gateway, key) do update set position = excluded.position
            where log_entry.position is null";
    plain INSERT_TILES = "insert into log_tile (gateway, level, number, hashes) values ", "($, $, $, $)", "";
}

/// Rows that one call returns at most: a bundle, or a batch of the sealer.
pub const ENTRIES_MAX: u32 = 1_024;

/// An entry that waits for its place. An answer's key is its job's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub gateway: String,
    pub key: String,
    /// Base64.
    pub entry: String,
    /// Base64.
    pub receipt: Option<String>,
}

/// An entry in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Base64.
    pub entry: String,
    pub position: i64,
}

/// The last checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadRow {
    pub size: i64,
    pub note: String,
}

/// A full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileRow {
    pub level: i64,
    pub number: i64,
    /// Base64.
    pub hashes: String,
}

/// What is known of a job's receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// The gateway whose job it is, and whose log has it.
    pub gateway: String,
    pub state: JobState,
    /// Base64; none while the job runs, or where none was written.
    pub receipt: Option<String>,
    /// None before it is sealed.
    pub position: Option<i64>,
}

/// An entry that waits, as the sealer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingEntry {
    pub key: String,
    /// Base64.
    pub entry: String,
}

/// What one sealing writes, all or nothing.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// What is kept of the answers whose draws it seals.
    pub audits: Vec<NewAudit>,
    /// Where the first of `entries` has its place; the others follow.
    pub from: i64,
    /// The last one is the seal.
    pub entries: Vec<WaitingEntry>,
    pub tiles: Vec<TileRow>,
    pub head: HeadRow,
}

/// Adds an entry, once.
pub async fn append(db: &Db, entry: &NewEntry) -> Result<(), DbError> {
    let NewEntry { gateway, key, entry, receipt } = entry;
    db.execute(&INSERT, args![gateway, key, entry, receipt.as_ref()]).await?;
    Ok(())
}

/// Adds entries with whatever else is written.
pub(super) async fn append_all(
    tx: &mut Tx,
    entries: impl Iterator<Item = &NewEntry>,
) -> Result<(), DbError> {
    let row = |entry: &NewEntry| -> [Arg; 4] {
        let NewEntry { gateway, key, entry, receipt } = entry;
        [gateway.into(), key.into(), entry.into(), receipt.as_ref().into()]
    };
    let rows: Vec<Arg> = entries.flat_map(row).collect();
    tx.execute_all(&INSERT_ALL, &rows).await?;
    Ok(())
}

/// Entries that wait, by their keys, at most [`ENTRIES_MAX`].
pub async fn waiting(db: &Db, gateway: &str) -> Result<Vec<WaitingEntry>, DbError> {
    db.all(&WAITING, args![gateway, ENTRIES_MAX]).await
}

/// Stores a sealing. The log's writer is one: where an entry has a place already, somebody else wrote.
pub async fn seal(db: &Db, gateway: &str, sealed: &Sealed) -> Result<(), DbError> {
    let Sealed { audits, from, entries, tiles, head } = sealed;
    let places = entries.iter().zip(*from..).flat_map(|(row, position)| -> [Arg; 4] {
        [gateway.into(), (&row.key).into(), (&row.entry).into(), position.into()]
    });
    let places: Vec<Arg> = places.collect();
    let tiles = tiles.iter().flat_map(|TileRow { level, number, hashes }| -> [Arg; 4] {
        [gateway.into(), (*level).into(), (*number).into(), hashes.into()]
    });
    let tiles: Vec<Arg> = tiles.collect();
    retried(async || {
        let mut tx = db.begin().await?;
        audits::insert_all(&mut tx, gateway, audits.iter()).await?;
        let placed = tx.execute_all(&PLACE_ALL, &places).await?;
        if placed != entries.len() as u64 {
            return Err(DbError::Corrupt("an entry of the log has its place already".into()));
        }
        tx.execute_all(&INSERT_TILES, &tiles).await?;
        tx.execute(&SET_HEAD, args![gateway, head.size, &head.note]).await?;
        tx.commit().await
    })
    .await
}

/// Whether the entry with this key has its place.
pub async fn is_placed(db: &Db, gateway: &str, key: &str) -> Result<bool, DbError> {
    let found: Option<Place> = db.optional(&PLACE_OF, args![gateway, key]).await?;
    Ok(found.is_some())
}

/// The last checkpoint; none of an empty log.
pub async fn head(db: &Db, gateway: &str) -> Result<Option<HeadRow>, DbError> {
    db.optional(&HEAD, args![gateway]).await
}

/// The sealed entries `from..to`, at most [`ENTRIES_MAX`].
pub async fn range(db: &Db, gateway: &str, from: i64, to: i64) -> Result<Vec<EntryRow>, DbError> {
    db.all(&RANGE, args![gateway, from, to, ENTRIES_MAX]).await
}

/// A full tile, in base64.
pub async fn tile(
    db: &Db,
    gateway: &str,
    level: i64,
    number: i64,
) -> Result<Option<String>, DbError> {
    let found: Option<Text> = db.optional(&TILE, args![gateway, level, number]).await?;
    Ok(found.map(|text| text.0))
}

/// How many full tiles a level has.
pub async fn tiles(db: &Db, gateway: &str, level: i64) -> Result<i64, DbError> {
    let found: Option<Count> = db.optional(&TILES, args![gateway, level]).await?;
    Ok(found.map_or(0, |count| count.0))
}

/// The receipt of a job that this key asked for.
pub async fn receipt(db: &Db, job: JobId, key: KeyId) -> Result<Option<ReceiptRow>, DbError> {
    db.optional(&RECEIPT, args![job, key]).await
}

struct Text(String);
struct Count(i64);
struct Place;

impl Record for Place {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get::<i64>("position").map(|_| Self)
    }
}

impl Record for WaitingEntry {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { key: row.get("key")?, entry: row.get("entry")? })
    }
}

impl Record for Text {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("hashes").map(Self)
    }
}

impl Record for Count {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("tiles").map(Self)
    }
}

impl Record for EntryRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { entry: row.get("entry")?, position: row.get("position")? })
    }
}

impl Record for HeadRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { size: row.get("size")?, note: row.get("note")? })
    }
}

impl Record for ReceiptRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        let receipt = row.maybe("receipt")?;
        let (gateway, state) = (row.get("gateway")?, row.get("state")?);
        Ok(Self { gateway, state, receipt, position: row.maybe("position")? })
    }
}
