//! The log's end, in memory: its signed size, and the hashes that are not in a full tile yet.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use assay_protocol::Bytes32;
use assay_verifier::log::{
    Checkpoint, Entry, Hash, SignedCheckpoint,
    merkle::{Peaks, leaf_hash},
    tiles::{HEIGHT, LEVELS_MAX, WIDTH, tile_root},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use tokio::sync::{Notify, watch};

use super::{Draws, corrupt};
use crate::{
    auth::GatewayKeys,
    db::{
        self, Db, DbError,
        audits::NewAudit,
        log::{HeadRow, Sealed, TileRow, WaitingEntry},
    },
};

/// Another gateway's log is read again this often while it grows.
const READS_MAX: u32 = 8;

/// The log of this gateway.
#[derive(Debug)]
pub struct Log {
    head: watch::Sender<Arc<Head>>,
    news: Notify,
    draws: Draws,
    drawn: Notify,
    /// Since when the oldest entry waits that this run knows of.
    waiting_since: Mutex<Option<Instant>>,
    /// Epochs whose commitments have their places.
    opened: Mutex<BTreeSet<i64>>,
    /// The store may know more than this head, since it did not say what became of the last seal.
    doubtful: AtomicBool,
}

/// The log at one checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// Whose log it is.
    gateway: String,
    size: u64,
    /// Level by level: the hashes after the last full tile.
    edge: Vec<Vec<Hash>>,
    peaks: Peaks,
    /// Of the last seal.
    time_ms: u64,
    note: String,
}

impl Log {
    /// Goes on where the store says that the log ends, and makes sure that it does.
    pub async fn open(db: &Db, keys: &GatewayKeys) -> Result<Self, DbError> {
        let head = Head::load(db, keys).await?;
        Ok(Self {
            head: watch::Sender::new(Arc::new(head)),
            news: Notify::new(),
            draws: Draws::default(),
            drawn: Notify::new(),
            waiting_since: Mutex::default(),
            opened: Mutex::default(),
            doubtful: AtomicBool::default(),
        })
    }

    /// Asks the store once more where the log ends, if that is not known.
    pub(super) async fn settle(&self, db: &Db, keys: &GatewayKeys) -> Result<(), DbError> {
        if self.doubtful.load(Ordering::Acquire) {
            self.publish(Head::load(db, keys).await?);
            self.doubtful.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// The store did not say that it took the seal.
    pub(super) fn doubt(&self) {
        self.doubtful.store(true, Ordering::Release);
    }

    /// Whether this epoch's commitment is known to have its place.
    pub(super) fn is_opened(&self, epoch: i64) -> bool {
        self.opened().contains(&epoch)
    }

    pub(super) fn set_opened(&self, epoch: i64) {
        self.opened().insert(epoch);
    }

    fn opened(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log as it is signed now.
    pub(crate) fn head(&self) -> Arc<Head> {
        self.head.borrow().clone()
    }

    /// Hears of each new checkpoint.
    pub(crate) fn heads(&self) -> watch::Receiver<Arc<Head>> {
        self.head.subscribe()
    }

    /// Says that an entry waits.
    pub(crate) fn has_news(&self) {
        self.waiting_since().get_or_insert_with(Instant::now);
        self.news.notify_one();
    }

    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    pub(super) fn draws(&self) -> &Draws {
        &self.draws
    }

    /// Says that a draw waits.
    pub(super) fn has_draws(&self) {
        self.drawn.notify_one();
    }

    pub(super) async fn drawn(&self) {
        self.drawn.notified().await;
    }

    /// How long the oldest entry waits for its seal now.
    pub(crate) fn seal_lag(&self) -> Duration {
        self.waiting_since().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whatever waited is about to be sealed; how long it waited.
    pub(super) fn begin_seal(&self) -> Option<Instant> {
        self.waiting_since().take()
    }

    /// The seal did not come to be.
    pub(super) fn seal_failed(&self, since: Option<Instant>) {
        let mut waiting = self.waiting_since();
        *waiting = since.or(*waiting);
    }

    fn waiting_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, head: Head) {
        self.head.send_replace(Arc::new(head));
    }
}

impl Head {
    pub(super) fn gateway(&self) -> &str {
        &self.gateway
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The signed checkpoint; empty before the first one.
    pub(crate) fn note(&self) -> &str {
        &self.note
    }

    /// The hashes of a level after its last full tile.
    pub(super) fn edge(&self, level: u8) -> &[Hash] {
        self.edge.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// The root over all entries.
    pub(super) fn root(&self) -> Hash {
        self.peaks.root()
    }

    /// Adds an entry; the tiles that it fills are for the store.
    fn push(&mut self, entry: &[u8], filled: &mut Vec<TileRow>) {
        let mut hash = leaf_hash(entry);
        let mut number = self.size;
        self.peaks.push(hash);
        self.size += 1;
        for level in 0..usize::from(LEVELS_MAX) {
            if self.edge.len() == level {
                self.edge.push(Vec::new());
            }
            self.edge[level].push(hash);
            if (self.edge[level].len() as u64) < WIDTH {
                return;
            }
            let hashes = std::mem::take(&mut self.edge[level]);
            number /= WIDTH;
            hash = tile_root(&hashes);
            filled.push(TileRow {
                level: i64::try_from(level).unwrap_or(i64::MAX),
                number: i64::try_from(number).unwrap_or(i64::MAX),
                hashes: write_hashes(&hashes),
            });
        }
    }

    /// Adds these entries and the seal over them. Time in a log never goes back, whatever a clock does.
    pub(super) fn sealed(
        &self,
        mut entries: Vec<WaitingEntry>,
        audits: Vec<NewAudit>,
        keys: &GatewayKeys,
        now_ms: u64,
    ) -> Result<(Sealed, Self), DbError> {
        let from = i64::try_from(self.size).map_err(|_| corrupt("the size of the log"))?;
        let mut next = self.clone();
        let mut tiles = Vec::new();
        for row in &entries {
            next.push(&bytes(&row.entry)?, &mut tiles);
        }
        next.time_ms = self.time_ms.max(now_ms);
        let seal = Entry::Seal { time_ms: next.time_ms, root: next.root() }.encode();
        entries
            .push(WaitingEntry { key: format!("seal:{}", next.size), entry: BASE64.encode(&seal) });
        next.push(&seal, &mut tiles);
        let origin = keys.gateway_id().to_owned();
        let checkpoint = Checkpoint { origin, size: next.size, root: next.root() };
        next.note = keys.sign_checkpoint(checkpoint).note;
        let size = i64::try_from(next.size).map_err(|_| corrupt("the size of the log"))?;
        let head = HeadRow { size, note: next.note.clone() };
        Ok((Sealed { audits, from, entries, tiles, head }, next))
    }

    async fn load(db: &Db, keys: &GatewayKeys) -> Result<Self, DbError> {
        let gateway = keys.gateway_id();
        let head = Self::stored(db, gateway).await?;
        if head.size == 0 {
            return Ok(head);
        }
        let signed = SignedCheckpoint::open(&head.note, gateway, keys.public_key());
        match signed {
            Ok(signed) if signed.checkpoint.root == head.root() => Ok(head),
            _ => Err(DbError::Corrupt("the log is not the one that was signed".into())),
        }
    }

    /// What the store says of this gateway's log; whoever gets its note checks the signature.
    async fn stored(db: &Db, gateway: &str) -> Result<Self, DbError> {
        let empty = Self { gateway: gateway.to_owned(), ..Self::default() };
        let Some(HeadRow { size, note }) = db::log::head(db, gateway).await? else {
            return Ok(empty);
        };
        let width = i64::try_from(WIDTH).unwrap_or(i64::MAX);
        let full = size / width;
        let rows = db::log::range(db, gateway, full * width, size).await?;
        let leaves = rows.iter().map(|row| bytes(&row.entry).map(|entry| leaf_hash(&entry)));
        let mut edge = vec![leaves.collect::<Result<Vec<_>, _>>()?];
        let mut below = full;
        for level in 0..i64::from(LEVELS_MAX) - 1 {
            let mut hashes = Vec::new();
            for number in below / width * width..below {
                let tile = db::log::tile(db, gateway, level, number).await?;
                let tile =
                    tile.as_deref().and_then(read_hashes).ok_or_else(|| corrupt("a tile"))?;
                hashes.push(tile_root(&tile));
            }
            edge.push(hashes);
            below /= width;
        }
        let size = u64::try_from(size).map_err(|_| corrupt("the size of the log"))?;
        let time_ms = last_seal_ms(db, gateway, size).await?;
        let levels: Vec<(u32, &[Hash])> =
            (0..).map(|level| level * HEIGHT).zip(edge.iter().map(Vec::as_slice)).collect();
        let peaks = Peaks::of(levels.into_iter().rev());
        Ok(Self { size, edge, peaks, time_ms, note, ..empty })
    }
}

/// The end of a log that another gateway on this store writes, or wrote.
pub(super) async fn of_another(db: &Db, gateway: &str) -> Result<Arc<Head>, DbError> {
    // It may be sealed between two of the reads: then they do not fit each other, and once more they do.
    for _ in 0..READS_MAX {
        let head = Head::stored(db, gateway).await?;
        if db::log::head(db, gateway).await?.is_none_or(|now| now.note == head.note) {
            return Ok(Arc::new(head));
        }
    }
    Err(DbError::Busy)
}

/// The time of the entry that the log ends with.
async fn last_seal_ms(db: &Db, gateway: &str, size: u64) -> Result<u64, DbError> {
    let size = i64::try_from(size).map_err(|_| corrupt("the size of the log"))?;
    let last = db::log::range(db, gateway, size - 1, size).await?;
    let last = last.first().ok_or_else(|| corrupt("the log's end"))?;
    match Entry::decode(&bytes(&last.entry)?) {
        Ok(Entry::Seal { time_ms, .. }) => Ok(time_ms),
        _ => Err(corrupt("the last seal")),
    }
}

fn bytes(entry: &str) -> Result<Vec<u8>, DbError> {
    BASE64.decode(entry).map_err(|_| corrupt("an entry of the log"))
}

fn write_hashes(hashes: &[Hash]) -> String {
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    BASE64.encode(bytes)
}

/// The hashes of a stored tile.
pub(super) fn read_hashes(text: &str) -> Option<Vec<Hash>> {
    let bytes = BASE64.decode(text).ok()?;
    let (hashes, []) = bytes.as_chunks::<32>() else { return None };
    Some(hashes.iter().map(|hash| Bytes32(*hash)).collect())
}
