//! Proofs and tiles of the log, from full tiles in the store and the edge in memory.

use std::{cell::RefCell, collections::BTreeMap, convert::Infallible};

use assay_verifier::log::{
    Hash,
    merkle::{self, Subtree, Subtrees},
    tiles::{HEIGHT, Tile, WIDTH, write_bundle},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    corrupt,
    head::{Head, read_hashes},
};
use crate::{
    app::App,
    db::{self, DbError},
};

/// A tile's place: level and number.
type Place = (u8, u64);

/// Proves that the head has entry `index`, which must be below its size.
pub(crate) async fn inclusion(app: &App, head: &Head, index: u64) -> Result<Vec<Hash>, DbError> {
    prove(app, head, |tree| tree.inclusion(index, head.size())).await
}

/// Proves that the head goes on from the log's first `earlier` entries, `0 < earlier ≤ size`.
pub(crate) async fn consistency(
    app: &App,
    head: &Head,
    earlier: u64,
) -> Result<Vec<Hash>, DbError> {
    prove(app, head, |tree| tree.consistency(earlier, head.size())).await
}

/// The bytes of a tile or bundle; nothing when the log is not that long.
pub(crate) async fn file(app: &App, head: &Head, tile: Tile) -> Result<Option<Vec<u8>>, DbError> {
    let Some(level) = tile.level else { return bundle(app, head, tile).await };
    let Some(hashes) = tile_hashes(app, head, (level, tile.index)).await? else { return Ok(None) };
    let hashes = usize::try_from(tile.width).ok().and_then(|width| hashes.get(..width));
    Ok(hashes.map(|hashes| hashes.iter().flat_map(|hash| hash.0).collect()))
}

async fn bundle(app: &App, head: &Head, tile: Tile) -> Result<Option<Vec<u8>>, DbError> {
    let from = tile.index.saturating_mul(WIDTH);
    let to = from.saturating_add(tile.width);
    let place = |at: u64| i64::try_from(at).ok();
    let (Some(first), Some(end), true) = (place(from), place(to), to <= head.size()) else {
        return Ok(None);
    };
    let rows = db::log::range(&app.db, head.gateway(), first, end).await?;
    let entries = rows.iter().map(|row| BASE64.decode(&row.entry));
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| corrupt("an entry"))?;
    if entries.len() as u64 != tile.width {
        return Err(corrupt("the log"));
    }
    Ok(Some(write_bundle(entries.iter().map(Vec::as_slice))))
}

/// Asks twice: first for the tiles that it takes, then with them.
async fn prove<T>(
    app: &App,
    head: &Head,
    ask: impl Fn(&dyn Prover) -> Result<T, Missing>,
) -> Result<T, DbError> {
    let plan = Plan::default();
    ask(&plan).map_err(|_| corrupt("the log"))?;
    let mut tiles = Tiles::default();
    for place in plan.0.into_inner().into_keys() {
        let hashes = tile_hashes(app, head, place).await?;
        tiles.0.insert(place, hashes.ok_or_else(|| corrupt("the log"))?);
    }
    ask(&tiles).map_err(|Missing| corrupt("the log"))
}

/// A full tile, or what there is of the last one.
async fn tile_hashes(
    app: &App,
    head: &Head,
    (level, number): Place,
) -> Result<Option<Vec<Hash>>, DbError> {
    let hashes_of_level = head.size() >> (HEIGHT * u32::from(level)).min(63);
    if number == hashes_of_level / WIDTH {
        let edge = head.edge(level);
        return Ok((!edge.is_empty()).then(|| edge.to_vec()));
    }
    if number > hashes_of_level / WIDTH {
        return Ok(None);
    }
    let number = i64::try_from(number).map_err(|_| corrupt("a tile's number"))?;
    let text = db::log::tile(&app.db, head.gateway(), level.into(), number).await?;
    let hashes = text.as_deref().and_then(read_hashes);
    hashes.map(Some).ok_or_else(|| corrupt("a tile"))
}

/// The tile that a subtree's hash comes from, and where in it.
fn place(subtree: Subtree) -> (Place, std::ops::Range<usize>) {
    let Subtree { level, index } = subtree;
    let first = index << (level % HEIGHT);
    let width = 1 << (level % HEIGHT);
    let from = usize::try_from(first % WIDTH).unwrap_or(0);
    let level = u8::try_from(level / HEIGHT).unwrap_or(u8::MAX);
    ((level, first / WIDTH), from..from + width)
}

/// The tree has no such hash.
#[derive(Debug)]
struct Missing;

/// Both kinds of proof, over any tree.
trait Prover {
    fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, Missing>;
    fn consistency(&self, earlier: u64, later: u64) -> Result<Vec<Hash>, Missing>;
}

impl<S: Subtrees> Prover for S {
    fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, Missing> {
        merkle::inclusion_proof(self, index, size).map_err(|_| Missing)
    }

    fn consistency(&self, earlier: u64, later: u64) -> Result<Vec<Hash>, Missing> {
        merkle::consistency_proof(self, earlier, later).map_err(|_| Missing)
    }
}

/// Notes which tiles are asked for.
#[derive(Debug, Default)]
struct Plan(RefCell<BTreeMap<Place, ()>>);

impl Subtrees for Plan {
    type Error = Infallible;

    fn hash(&self, subtree: Subtree) -> Result<Hash, Infallible> {
        self.0.borrow_mut().insert(place(subtree).0, ());
        Ok(merkle::empty_root())
    }
}

/// The tiles that were asked for.
#[derive(Debug, Default)]
struct Tiles(BTreeMap<Place, Vec<Hash>>);

impl Subtrees for Tiles {
    type Error = Missing;

    fn hash(&self, subtree: Subtree) -> Result<Hash, Missing> {
        let (tile, range) = place(subtree);
        let hashes = self.0.get(&tile).and_then(|tile| tile.get(range)).ok_or(Missing)?;
        Ok(merkle::root(hashes))
    }
}
