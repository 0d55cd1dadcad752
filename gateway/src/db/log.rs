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
    plain PLACE = "update log_entry set position = placed.position from (
            select key, row_number() over (order by key) + $2 - 1 as position from (
                select key from log_entry where gateway = $1 and position is null order by key limit $3
            ) as waiting
        ) as placed
        where log_entry.gateway = $1 and log_entry.key = placed.key";
    plain INSERT_SEAL = "insert into log_entry (gateway, key, entry, position) values ($1, $2, $3, $4)";
    plain INSERT_TILE = "insert into log_tile (gateway, level, number, hashes) values ($1, $2, $3, $4)";
    plain SET_HEAD = "insert into log_head (gateway, size, note) values ($1, $2, $3)
        on conflict (gateway) do update set size = excluded.size, note = excluded.note";
    plain HEAD = "select size, note from log_head where gateway = $1";
    plain RANGE = "select entry, position from log_entry
        where gateway = $1 and position >= $2 and position < $3 order by position limit $4";
    plain TILE = "select hashes from log_tile where gateway = $1 and level = $2 and number = $3";
    plain TILES = "select count(*) as tiles from log_tile where gateway = $1 and level = $2";
    plain RECEIPT = "select job.state, log_entry.receipt, log_entry.position
        from job left join log_entry on log_entry.gateway = job.gateway and log_entry.key = job.id
        where job.id = $1 and job.api_key = $2";
}

bulks! { "log";
    plain INSERT_ALL = "insert into log_entry (gateway, key, entry, receipt) values ",
        "($, $, $, $)", " on conflict do nothing";
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
    pub state: JobState,
    /// Base64; none while the job runs, or where none was written.
    pub receipt: Option<String>,
    /// None before it is sealed.
    pub position: Option<i64>,
}

/// An answer's draw: its row, and its entry in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDraw {
    pub audit: NewAudit,
    pub entry: NewEntry,
}

/// What one sealing adds beside the places.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The seal's own entry, in base64.
    pub seal: String,
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

/// Adds these draws, gives waiting entries their places from `size` on, at most [`ENTRIES_MAX`], and stores what `seal`
/// makes of them: all or nothing. None when nothing waits.
pub async fn place<T>(
    db: &Db,
    gateway: &str,
    size: i64,
    draws: &[NewDraw],
    seal: impl Fn(Vec<EntryRow>) -> Result<(Sealed, T), DbError>,
) -> Result<Option<T>, DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        for draw in draws {
            audits::insert(&mut tx, gateway, &draw.audit).await?;
        }
        append_all(&mut tx, draws.iter().map(|draw| &draw.entry)).await?;
        let placed = tx.execute(&PLACE, args![gateway, size, ENTRIES_MAX]).await?;
        if placed == 0 {
            return Ok(None);
        }
        let to = size + i64::try_from(placed).unwrap_or(i64::MAX);
        let rows: Vec<EntryRow> = tx.all(&RANGE, args![gateway, size, to, ENTRIES_MAX]).await?;
        let (Sealed { seal, tiles, head }, made) = seal(rows)?;
        let key = format!("seal:{to}");
        tx.execute(&INSERT_SEAL, args![gateway, key, seal, to]).await?;
        for TileRow { level, number, hashes } in tiles {
            tx.execute(&INSERT_TILE, args![gateway, level, number, hashes]).await?;
        }
        tx.execute(&SET_HEAD, args![gateway, head.size, head.note]).await?;
        tx.commit().await?;
        Ok(Some(made))
    })
    .await
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
        Ok(Self { state: row.get("state")?, receipt, position: row.maybe("position")? })
    }
}
