//! What may be released of an answer that is still being written: the part that two owners agree on.

use std::collections::{BTreeMap, BTreeSet};

use assay_protocol::{TokenId, ToldToken};

use crate::{OwnerId, Rules, consensus::OWNERS_MIN};

/// The agreed answer, if it is longer than what was `released` already; it begins with that.
///
/// Token by token, each needs two owners who agree on everything up to it, and more owners than any other
/// token there. A branch that does not begin with what was released has no say.
pub fn agreed_prefix<'a>(
    branches: &[(OwnerId, &'a [TokenId])],
    released: &[TokenId],
) -> Option<&'a [TokenId]> {
    let mut alive: Vec<_> =
        branches.iter().copied().filter(|(_, ids)| ids.starts_with(released)).collect();
    let mut len = released.len();
    while let Some(id) = agreed_token(&alive, len) {
        alive.retain(|(_, ids)| ids.get(len) == Some(&id));
        len += 1;
    }
    let (_, ids) = alive.first().filter(|_| len > released.len())?;
    Some(&ids[..len])
}

/// What two owners tell alike of a token: their log probabilities are within what two honest nodes may differ by. The
/// earlier one's is taken.
pub fn agreed_told<'a>(told: &'a [(OwnerId, ToldToken)], rules: &Rules) -> Option<&'a ToldToken> {
    let limit = 2.0 * rules.tau_gap;
    let mut pairs = told.iter().enumerate().flat_map(|(at, one)| {
        let later = told[at + 1..].iter();
        later.map(move |other| (one, other))
    });
    let alike =
        |((owner, one), (other_owner, other)): &(&(OwnerId, ToldToken), &(OwnerId, ToldToken))| {
            owner != other_owner && one.difference(other) <= limit
        };
    pairs.find(alike).map(|((_, one), _)| one)
}

/// The token that most owners have at this position, if they are enough and no other has as many.
fn agreed_token(branches: &[(OwnerId, &[TokenId])], position: usize) -> Option<TokenId> {
    let mut owners: BTreeMap<TokenId, BTreeSet<OwnerId>> = BTreeMap::new();
    for (owner, ids) in branches {
        if let Some(id) = ids.get(position) {
            owners.entry(*id).or_default().insert(*owner);
        }
    }
    let most = owners.values().map(BTreeSet::len).max().filter(|most| *most >= OWNERS_MIN)?;
    let mut leading = owners.into_iter().filter(|(_, owners)| owners.len() == most);
    let (id, _) = leading.next()?;
    leading.next().is_none().then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agreed(branches: &[(i64, &[TokenId])], released: &[TokenId]) -> Vec<TokenId> {
        let branches: Vec<_> =
            branches.iter().map(|(owner, ids)| (OwnerId(*owner), *ids)).collect();
        agreed_prefix(&branches, released).unwrap_or_default().to_vec()
    }

    #[test]
    fn a_stream_runs_at_the_speed_of_the_second_fastest() {
        assert_eq!(agreed(&[(1, &[5, 6, 7]), (2, &[5, 6]), (3, &[5])], &[]), [5, 6]);
        assert_eq!(agreed(&[(1, &[5, 6, 7])], &[]), [] as [u32; 0]);
        assert_eq!(agreed(&[(1, &[5, 6]), (1, &[5, 6])], &[]), [] as [u32; 0]);
    }

    #[test]
    fn a_split_holds_the_stream_until_most_agree_again() {
        assert_eq!(agreed(&[(1, &[5, 6]), (2, &[5, 7])], &[]), [5]);
        assert_eq!(agreed(&[(1, &[5, 6]), (2, &[5, 7]), (3, &[5, 7])], &[5]), [5, 7]);
        assert_eq!(agreed(&[(1, &[6]), (2, &[6]), (3, &[7]), (4, &[7])], &[]), [] as [u32; 0]);
    }

    #[test]
    fn nothing_that_was_released_is_taken_back() {
        let longer_but_other: [(i64, &[TokenId]); 4] =
            [(1, &[5, 6]), (2, &[5, 6]), (3, &[5, 9, 9, 9]), (4, &[5, 9, 9, 9])];
        assert_eq!(agreed(&longer_but_other, &[5, 6]), [] as [u32; 0]);
    }

    proptest! {
        #[test]
        fn a_release_only_grows_and_always_has_two_owners(
            texts in prop::collection::vec((0i64..4, prop::collection::vec(0u32..2, 0..8)), 0..6),
            steps in prop::collection::vec((0usize..6, 1usize..4), 0..20),
        ) {
            let mut written = vec![0; texts.len()];
            let mut released: Vec<TokenId> = Vec::new();
            for (branch, more) in steps {
                let Some((_, ids)) = texts.get(branch) else { continue };
                written[branch] = ids.len().min(written[branch] + more);
                let branches: Vec<_> = texts
                    .iter()
                    .zip(&written)
                    .map(|((owner, ids), len)| (OwnerId(*owner), &ids[..*len]))
                    .collect();
                if let Some(agreed) = agreed_prefix(&branches, &released) {
                    prop_assert!(agreed.starts_with(&released) && agreed.len() > released.len());
                    let owners: BTreeSet<_> = branches
                        .iter()
                        .filter(|(_, ids)| ids.starts_with(agreed))
                        .map(|(owner, _)| *owner)
                        .collect();
                    prop_assert!(owners.len() >= OWNERS_MIN);
                    released = agreed.to_vec();
                }
            }
        }
    }
}
