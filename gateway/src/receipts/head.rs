//! The log's end, in memory: its signed size, and the hashes that are not in a full tile yet.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use assay_protocol::Bytes32;
use assay_verifier::log::{
    Checkpoint, Entry, Hash, SignedCheckpoint,
    merkle::{self, leaf_hash},
    tiles::{LEVELS_MAX, WIDTH, tile_root},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use tokio::sync::{Notify, watch};

use super::{Draws, corrupt};
use crate::{
    auth::GatewayKeys,
    db::{
        self, Db, DbError,
        log::{EntryRow, HeadRow, Sealed, TileRow},
    },
};

/// The log of this gateway.
#[derive(Debug)]
pub struct Log {
    head: watch::Sender<Arc<Head>>,
    news: Notify,
    draws: Draws,
    drawn: Notify,
    /// Since when the oldest entry waits that this run knows of.
    waiting_since: Mutex<Option<Instant>>,
}

/// The log at one checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    size: u64,
    /// Level by level: the hashes after the last full tile.
    edge: Vec<Vec<Hash>>,
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
        })
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
        self.waiting_since().get_or_insert_with(Instant::now);
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
        let mut partial = None;
        for edge in &self.edge {
            let hashes: Vec<Hash> = edge.iter().copied().chain(partial).collect();
            partial = (!hashes.is_empty()).then(|| merkle::root(&hashes));
        }
        partial.unwrap_or_else(merkle::empty_root)
    }

    /// Adds an entry; the tiles that it fills are for the store.
    fn push(&mut self, entry: &[u8], filled: &mut Vec<TileRow>) {
        let mut hash = leaf_hash(entry);
        let mut number = self.size;
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

    /// Adds these entries and the seal over them.
    pub(super) fn sealed(
        &self,
        entries: &[EntryRow],
        keys: &GatewayKeys,
        time_ms: u64,
    ) -> Result<(Sealed, Self), DbError> {
        let mut next = self.clone();
        let mut tiles = Vec::new();
        for row in entries {
            next.push(&bytes(&row.entry)?, &mut tiles);
        }
        let seal = Entry::Seal { time_ms, root: next.root() }.encode();
        next.push(&seal, &mut tiles);
        let origin = keys.gateway_id().to_owned();
        let checkpoint = Checkpoint { origin, size: next.size, root: next.root() };
        next.note = keys.sign_checkpoint(checkpoint).note;
        let size = i64::try_from(next.size).map_err(|_| corrupt("the size of the log"))?;
        let head = HeadRow { size, note: next.note.clone() };
        Ok((Sealed { seal: BASE64.encode(seal), tiles, head }, next))
    }

    async fn load(db: &Db, keys: &GatewayKeys) -> Result<Self, DbError> {
        let gateway = keys.gateway_id();
        let Some(HeadRow { size, note }) = db::log::head(db, gateway).await? else {
            return Ok(Self::default());
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
        let head = Self { size, edge, note };
        let signed = SignedCheckpoint::open(&head.note, gateway, keys.public_key());
        match signed {
            Ok(signed) if signed.checkpoint.root == head.root() => Ok(head),
            _ => Err(DbError::Corrupt("the log is not the one that was signed".into())),
        }
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
