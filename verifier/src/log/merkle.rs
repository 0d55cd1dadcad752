//! Merkle trees as in RFC 6962, section 2.1: hashes, roots, proofs that an entry is in a tree and that one tree
//! goes on from another. Checking follows RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use std::collections::BTreeMap;

use assay_protocol::Bytes32;
use sha2::{Digest, Sha256};

/// A node of the tree.
pub type Hash = Bytes32;

/// A proof of a tree of 2^63 entries has no more.
pub const PROOF_HASHES_MAX: usize = 64;

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("entry {index} is not among the {size} entries of the tree")]
    OutsideTree { index: u64, size: u64 },
    #[error("the proof has {found} hashes; for this place in this tree it needs another number")]
    Length { found: usize },
    #[error("the proof does not lead to the root of the tree")]
    Root,
    #[error("the proof does not lead to the root of the earlier tree")]
    EarlierRoot,
    #[error("the later tree has {later} entries, fewer than the {earlier} of the earlier one")]
    Shrunk { earlier: u64, later: u64 },
}

/// The root of no entries.
pub fn empty_root() -> Hash {
    Bytes32(Sha256::digest([]).into())
}

/// A leaf: SHA-256 over 0 and the entry.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Bytes32(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// An inner node: SHA-256 over 1 and both children.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Bytes32(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// The root over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
            node_hash(root(left), root(right))
        }
    }
}

/// The full subtrees that a growing log consists of, the largest first: all that it takes to add leaves and to know the
/// root, in a handful of hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Each with its height.
    peaks: Vec<(u32, Hash)>,
}

impl Peaks {
    /// Of hashes of full subtrees, each list with their height, the highest first; of each fewer than make up one of the
    /// list before.
    pub fn of<'a>(levels: impl Iterator<Item = (u32, &'a [Hash])>) -> Self {
        let mut all = Self::default();
        for (height, hashes) in levels {
            let mut level = Self::default();
            hashes.iter().for_each(|hash| level.add(height, *hash));
            all.peaks.extend(level.peaks);
        }
        all
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.add(0, leaf);
    }

    fn add(&mut self, mut height: u32, mut hash: Hash) {
        while let Some((_, left)) = self.peaks.pop_if(|(other, _)| *other == height) {
            (height, hash) = (height + 1, node_hash(left, hash));
        }
        self.peaks.push((height, hash));
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(last, |right, left| node_hash(left, right))
    }
}

/// The largest power of two smaller than `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// A run of leaves that starts and ends where a full subtree does: level 0 is single leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    pub level: u32,
    /// Among the subtrees of its level, from 0.
    pub index: u64,
}

/// Whoever can say the hash of a full subtree.
pub trait Subtrees {
    type Error;

    fn hash(&self, subtree: Subtree) -> Result<Hash, Self::Error>;
}

/// The full subtrees that make up the leaves `from..to`, where a subtree starts at `from`.
fn cover(from: u64, to: u64) -> Vec<Subtree> {
    let mut found = Vec::new();
    let mut at = from;
    while at < to {
        let fits = (to - at).ilog2();
        let level = if at == 0 { fits } else { fits.min(at.trailing_zeros()) };
        found.push(Subtree { level, index: at >> level });
        at += 1 << level;
    }
    found
}

/// The hash over the leaves `from..to`, a range that RFC 6962's recursion can reach.
fn range_hash<S: Subtrees>(tree: &S, from: u64, to: u64) -> Result<Hash, S::Error> {
    let mut parts = cover(from, to).into_iter().rev();
    let Some(last) = parts.next() else { return Ok(empty_root()) };
    let mut hash = tree.hash(last)?;
    for part in parts {
        hash = node_hash(tree.hash(part)?, hash);
    }
    Ok(hash)
}

/// The root of the first `size` entries.
pub fn root_of<S: Subtrees>(tree: &S, size: u64) -> Result<Hash, S::Error> {
    range_hash(tree, 0, size)
}

/// The audit path of an entry, `index < size`: siblings from the leaf up.
pub fn inclusion_proof<S: Subtrees>(
    tree: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
    let (mut from, mut to) = (0, size);
    let mut ranges = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
        }
    }
    ranges.into_iter().rev().map(|(from, to)| range_hash(tree, from, to)).collect()
}

/// Proves that the tree of `later` entries begins with that of `earlier`, `0 < earlier ≤ later`.
pub fn consistency_proof<S: Subtrees>(
    tree: &S,
    earlier: u64,
    later: u64,
) -> Result<Vec<Hash>, S::Error> {
    let (mut from, mut to) = (0, later);
    let mut ranges = Vec::new();
    let mut whole = true;
    while earlier < to {
        let middle = from + split(to - from);
        if earlier <= middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
            whole = false;
        }
    }
    if !whole {
        ranges.push((from, to));
    }
    ranges.into_iter().rev().map(|(from, to)| range_hash(tree, from, to)).collect()
}

/// Whether `leaf` is entry `index` of the tree with this size and root.
pub fn check_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutsideTree { index, size });
    }
    let length = ProofError::Length { found: proof.len() };
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return Err(length);
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(*sibling, hash);
            while at % 2 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(hash, *sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match (last, hash == root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        _ => Err(length),
    }
}

/// Whether the later tree begins with the earlier one.
pub fn check_consistency(
    (earlier, earlier_root): (u64, Hash),
    (later, later_root): (u64, Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    let length = ProofError::Length { found: proof.len() };
    if later < earlier {
        return Err(ProofError::Shrunk { earlier, later });
    }
    if earlier == later || earlier == 0 {
        let same = earlier == 0 || earlier_root == later_root;
        return match (proof.is_empty(), same) {
            (false, _) => Err(length),
            (true, false) => Err(ProofError::Root),
            (true, true) if earlier == 0 && earlier_root != empty_root() => {
                Err(ProofError::EarlierRoot)
            }
            (true, true) => Ok(()),
        };
    }
    let mut proof = proof.iter().copied();
    let first = if earlier.is_power_of_two() { Some(earlier_root) } else { proof.next() };
    let first = first.ok_or(length)?;
    let (mut at, mut last) = (earlier - 1, later - 1);
    while at % 2 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut old, mut new) = (first, first);
    for sibling in proof {
        if last == 0 {
            return Err(length);
        }
        if at % 2 == 1 || at == last {
            (old, new) = (node_hash(sibling, old), node_hash(sibling, new));
            while at % 2 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new = node_hash(new, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match (last, old == earlier_root, new == later_root) {
        (0, true, true) => Ok(()),
        (0, false, _) => Err(ProofError::EarlierRoot),
        (0, true, false) => Err(ProofError::Root),
        _ => Err(length),
    }
}

/// A tree in memory: all full subtrees, for tests and for auditors.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    hashes: BTreeMap<Subtree, Hash>,
    size: u64,
}

impl Tree {
    /// Adds a leaf, and every subtree that it completes.
    pub fn push(&mut self, leaf: Hash) {
        let mut at = Subtree { level: 0, index: self.size };
        let mut hash = leaf;
        self.hashes.insert(at, hash);
        while at.index % 2 == 1 {
            let left = Subtree { index: at.index - 1, ..at };
            hash = node_hash(self.hashes[&left], hash);
            at = Subtree { level: at.level + 1, index: at.index / 2 };
            self.hashes.insert(at, hash);
        }
        self.size += 1;
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of everything so far.
    pub fn root(&self) -> Hash {
        root_of(self, self.size).unwrap_or_else(|NoSubtree(_)| empty_root())
    }
}

/// The tree has no such full subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree has no full subtree {0:?}")]
pub struct NoSubtree(pub Subtree);

impl Subtrees for Tree {
    type Error = NoSubtree;

    fn hash(&self, subtree: Subtree) -> Result<Hash, NoSubtree> {
        self.hashes.get(&subtree).copied().ok_or(NoSubtree(subtree))
    }
}

#[cfg(test)]
mod tests;
