//! The trees that RFC 6962's reference implementation tests with, and what must hold for every tree.

use proptest::prelude::*;

use super::*;

/// The eight entries of the reference implementation of RFC 6962.
const ENTRIES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
/// Roots of the first 1 to 8 of them.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hash(hex: &str) -> Hash {
    Hash::from_hex(hex).expect("64 digits")
}

fn place(number: u64) -> usize {
    usize::try_from(number).expect("a small tree")
}

fn tree(leaves: &[Hash]) -> Tree {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree
}

fn vectors() -> Vec<Hash> {
    ENTRIES.iter().map(|entry| leaf_hash(entry)).collect()
}

#[test]
fn peaks_give_the_root_of_every_size_however_they_were_read() {
    let leaves: Vec<Hash> = (0..70u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
    let mut grown = Peaks::default();
    for size in 0..leaves.len() {
        assert_eq!(grown.root(), root(&leaves[..size]), "{size} entries");
        // As if tiles were of four: full subtrees of sixteen, of four, and the rest.
        let (full, rest) = leaves[..size].split_at(size / 4 * 4);
        let fours: Vec<Hash> = full.chunks(4).map(root).collect();
        let (full, fours) = fours.split_at(fours.len() / 4 * 4);
        let sixteens: Vec<Hash> = full.chunks(4).map(root).collect();
        let levels = [(4, sixteens.as_slice()), (2, fours), (0, rest)];
        let mut read = Peaks::of(levels.into_iter());
        assert_eq!(read, grown, "{size} entries");
        read.push(leaves[size]);
        assert_eq!(read.root(), root(&leaves[..=size]));
        grown.push(leaves[size]);
    }
}

#[test]
fn roots_are_those_of_the_reference() {
    let leaves = vectors();
    assert_eq!(
        empty_root(),
        hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
    for (size, expected) in (1..).zip(ROOTS) {
        assert_eq!(root(&leaves[..size]), hash(expected), "{size} entries");
        assert_eq!(tree(&leaves[..size]).root(), hash(expected), "{size} entries");
    }
}

#[test]
fn inclusion_proofs_are_those_of_the_reference() {
    let tree = tree(&vectors());
    let proof = |index, size| inclusion_proof(&tree, index, size).unwrap();
    assert_eq!(proof(0, 1), []);
    assert_eq!(
        proof(0, 8),
        [
            hash("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
            hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
            hash("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
        ]
    );
    assert_eq!(
        proof(5, 8),
        [
            hash("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
            hash("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
            hash("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        ]
    );
    assert_eq!(
        proof(2, 3),
        [hash("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    );
    assert_eq!(
        proof(1, 5),
        [
            hash("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
            hash("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
        ]
    );
}

#[test]
fn consistency_proofs_are_those_of_the_reference() {
    let tree = tree(&vectors());
    let proof = |earlier, later| consistency_proof(&tree, earlier, later).unwrap();
    assert_eq!(proof(1, 1), []);
    assert_eq!(
        proof(1, 8),
        [
            hash("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
            hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
            hash("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
        ]
    );
    assert_eq!(
        proof(6, 8),
        [
            hash("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"),
            hash("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
            hash("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        ]
    );
    assert_eq!(
        proof(2, 5),
        [
            hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
            hash("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
        ]
    );
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

#[test]
fn every_proof_of_small_trees_holds_and_holds_for_nothing_else() {
    let all = leaves(21);
    let whole = tree(&all);
    for size in 1..=21u64 {
        let size_root = root(&all[..place(size)]);
        for index in 0..size {
            let proof = inclusion_proof(&whole, index, size).unwrap();
            let check =
                |index, size| check_inclusion(all[place(index)], index, size, &proof, size_root);
            assert_eq!(check(index, size), Ok(()));
            for other in (0..21).filter(|other| *other != index) {
                assert!(check(other, size).is_err(), "{other} for {index} in {size}");
            }
        }
        for earlier in 0..=size {
            let proof = match earlier {
                0 => Vec::new(),
                _ => consistency_proof(&whole, earlier, size).unwrap(),
            };
            let old = (earlier, root(&all[..place(earlier)]));
            assert_eq!(check_consistency(old, (size, size_root), &proof), Ok(()));
            if earlier > 0 && earlier < size {
                let forked = (earlier, leaf_hash(b"fork"));
                assert!(check_consistency(forked, (size, size_root), &proof).is_err());
                assert!(check_consistency(old, (size, leaf_hash(b"fork")), &proof).is_err());
            }
        }
    }
}

proptest! {
    #[test]
    fn a_proof_with_a_changed_byte_proves_nothing(
        size in 2usize..300,
        at in any::<prop::sample::Index>(),
        earlier in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        flip in 1u8..=255,
    ) {
        let all = leaves(size);
        let whole = tree(&all);
        let (index, later) = (at.index(size), size as u64);
        let change = |proof: &[Hash]| {
            let mut proof = proof.to_vec();
            let byte = byte.index(proof.len() * 32);
            proof[byte / 32].0[byte % 32] ^= flip;
            proof
        };
        let proof = inclusion_proof(&whole, index as u64, later).unwrap();
        let check = |proof: &[Hash]| {
            check_inclusion(all[index], index as u64, later, proof, whole.root())
        };
        prop_assert_eq!(check(&proof), Ok(()));
        prop_assert_eq!(check(&change(&proof)), Err(ProofError::Root));
        prop_assert!(check(&proof[1..]).is_err());

        let earlier = 1 + earlier.index(size - 1) as u64;
        let proof = consistency_proof(&whole, earlier, later).unwrap();
        let old = (earlier, root(&all[..place(earlier)]));
        let check = |proof: &[Hash]| check_consistency(old, (later, whole.root()), proof);
        prop_assert_eq!(check(&proof), Ok(()));
        prop_assert!(check(&change(&proof)).is_err());
        prop_assert!(check(&proof[1..]).is_err());
    }

    #[test]
    fn no_proof_whatever_panics(
        index in any::<u64>(),
        size in any::<u64>(),
        later in any::<u64>(),
        proof in prop::collection::vec(any::<[u8; 32]>().prop_map(Bytes32), 0..70),
    ) {
        let root = empty_root();
        prop_assert!(check_inclusion(root, index, size, &proof, root).is_err());
        if size > 0 && size != later {
            prop_assert!(check_consistency((size, root), (later, root), &proof).is_err());
        }
    }
}
