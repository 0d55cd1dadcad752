//! Where a log's files are: C2SP's tlog-tiles. A tile holds 256 hashes of one level, an entry bundle 256 entries;
//! full ones never change, so a mirror copies them once.

use crate::wire::WireError;

use super::{Hash, entry::ENTRY_BYTES_MAX, merkle};

/// Hashes or entries in a full tile.
pub const WIDTH: u64 = 256;
/// Levels of the tree in a tile: 2^8 = 256.
pub const HEIGHT: u32 = 8;
/// A tree of 2^64 entries has no more levels of tiles.
pub const LEVELS_MAX: u8 = 8;

/// A tile, or an entry bundle where there is no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    pub level: Option<u8>,
    pub index: u64,
    /// 1 to 256; fewer than 256 only in the last of its level.
    pub width: u64,
}

impl Tile {
    /// The path under the log's own: `tile/0/x001/067`, `tile/entries/x001/067.p/12`.
    pub fn path(self) -> String {
        let mut groups = vec![format!("{:03}", self.index % 1_000)];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1_000));
            rest /= 1_000;
        }
        groups.reverse();
        let level = self.level.map_or("entries".to_owned(), |level| level.to_string());
        let partial = if self.width < WIDTH { format!(".p/{}", self.width) } else { String::new() };
        format!("tile/{level}/{}{partial}", groups.join("/"))
    }

    /// Reads what follows after `tile/`; only the one spelling counts.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let level = match level {
            "entries" => None,
            digits => Some(digits.parse().ok().filter(|level| *level < LEVELS_MAX)?),
        };
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, width.parse().ok().filter(|width| *width < WIDTH)?),
            None => (rest, WIDTH),
        };
        let mut index = 0u64;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Self { level, index, width };
        (width > 0 && tile.path().strip_prefix("tile/") == Some(path)).then_some(tile)
    }

    /// The bundles that hold the entries `from..to` of a log with `size` entries.
    pub fn bundles(from: u64, to: u64, size: u64) -> impl Iterator<Item = Self> {
        let last = to.div_ceil(WIDTH);
        (from / WIDTH..last).map(move |index| {
            let width = (size - index * WIDTH).min(WIDTH);
            Self { level: None, index, width }
        })
    }
}

/// The root of a full tile: a hash of the level above.
pub fn tile_root(hashes: &[Hash]) -> Hash {
    merkle::root(hashes)
}

/// Entries as a bundle: each with its length before it, two bytes.
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let len = u16::try_from(entry.len()).expect("an entry is short");
        bytes.extend(len.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    bytes
}

/// The entries of a bundle.
pub fn read_bundle(mut bytes: &[u8]) -> Result<Vec<&[u8]>, WireError> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk().ok_or(WireError::Short("entry's length"))?;
        let len = usize::from(u16::from_be_bytes(*len));
        if len > ENTRY_BYTES_MAX {
            return Err(WireError::TooLarge("entry"));
        }
        let (entry, rest) = rest.split_at_checked(len).ok_or(WireError::Short("entry"))?;
        entries.push(entry);
        bytes = rest;
        if entries.len() as u64 > WIDTH {
            return Err(WireError::TooLarge("bundle"));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |level, index, width| Tile { level, index, width }.path();
        assert_eq!(path(Some(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(Some(3), 0, 5), "tile/3/000.p/5");
        assert_eq!(path(None, 1_000, 256), "tile/entries/x001/000");
        for other in ["0/1", "0/0001", "0/x001", "0/000.p/256", "0/000.p/0", "9/000", "x/000", "0/"]
        {
            assert_eq!(Tile::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_path_says_which_tile(
            level in prop::option::of(0..LEVELS_MAX),
            index in any::<u64>(),
            width in 1..=WIDTH,
        ) {
            let tile = Tile { level, index, width };
            prop_assert_eq!(Tile::parse(tile.path().strip_prefix("tile/").unwrap()), Some(tile));
        }

        #[test]
        fn no_path_and_no_bundle_panics(path in "[0-9x/.p]{0,30}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Tile::parse(&path);
            if let Ok(entries) = read_bundle(&bytes) {
                prop_assert_eq!(write_bundle(entries), bytes);
            }
        }
    }
}
