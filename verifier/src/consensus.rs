//! Which answers are equal, and whether one group of them is a majority.

use std::collections::BTreeSet;

use crate::{Answer, OwnerId};

/// What two different owners need to have said for it to count as agreed.
pub const OWNERS_MIN: usize = 2;

/// The answers, grouped by what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consensus {
    /// Every answer is in one group. Most owners first, then by content, so the order in which answers
    /// came does not matter.
    pub groups: Vec<Group>,
    /// Whether the first group is a majority: at least two owners, and more than any other.
    pub has_majority: bool,
}

/// Equal answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Indices of the answers, rising; not empty.
    pub members: Vec<usize>,
    /// How many different owners they have.
    pub owners: usize,
}

impl Group {
    /// The answer that stands for the group.
    pub fn representative(&self) -> usize {
        self.members[0]
    }
}

/// Groups equal answers; a 1–1 tie, or any tie, is no majority.
pub fn consensus(answers: &[Answer]) -> Consensus {
    among(answers, 0..answers.len())
}

/// The consensus of some of the answers, given by their indices in rising order.
pub(crate) fn among(answers: &[Answer], indices: impl Iterator<Item = usize>) -> Consensus {
    let mut members: Vec<Vec<usize>> = Vec::new();
    for index in indices {
        match members.iter_mut().find(|group| answers[group[0]].is_equal_to(&answers[index])) {
            Some(group) => group.push(index),
            None => members.push(vec![index]),
        }
    }
    let mut groups: Vec<Group> = members
        .into_iter()
        .map(|members| Group { owners: owners(answers, &members), members })
        .collect();
    groups.sort_by(|a, b| {
        let content = |group: &Group| {
            let answer = &answers[group.representative()];
            (&answer.ids, answer.finish.as_str())
        };
        b.owners.cmp(&a.owners).then_with(|| content(a).cmp(&content(b)))
    });
    let most = groups.first().map_or(0, |group| group.owners);
    let next = groups.get(1).map_or(0, |group| group.owners);
    Consensus { has_majority: most >= OWNERS_MIN && most > next, groups }
}

fn owners(answers: &[Answer], members: &[usize]) -> usize {
    members.iter().map(|index| answers[*index].owner).collect::<BTreeSet<OwnerId>>().len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::fixtures::{END, answer, answers};

    #[test]
    fn two_owners_against_one_are_a_majority_and_one_against_one_is_none() {
        let (a, b) = ([5, END], [6, END]);
        let consensus_of = |said: &[(i64, &[u32])]| {
            consensus(&said.iter().map(|(owner, ids)| answer(*owner, ids)).collect::<Vec<_>>())
        };
        let found = consensus_of(&[(1, &a), (2, &b), (3, &a)]);
        assert!(found.has_majority);
        assert_eq!(found.groups[0], Group { members: vec![0, 2], owners: 2 });
        assert!(!consensus_of(&[(1, &a), (2, &b)]).has_majority);
        assert!(!consensus_of(&[(1, &a), (2, &a), (3, &b), (4, &b)]).has_majority);
        assert!(!consensus_of(&[]).has_majority);
    }

    proptest! {
        #[test]
        fn the_order_of_answers_does_not_matter(
            (answers, shuffled) in answers().prop_flat_map(|answers| {
                (Just(answers.clone()), Just(answers).prop_shuffle())
            }),
        ) {
            let by_node = |answers: &[Answer]| {
                let found = consensus(answers);
                let groups: Vec<BTreeSet<_>> = found
                    .groups
                    .iter()
                    .map(|group| group.members.iter().map(|index| answers[*index].node).collect())
                    .collect();
                (groups, found.has_majority)
            };
            prop_assert_eq!(by_node(&answers), by_node(&shuffled));
        }

        #[test]
        fn one_owner_is_never_a_majority(answers in answers()) {
            let answers: Vec<_> =
                answers.into_iter().map(|answer| Answer { owner: OwnerId(7), ..answer }).collect();
            prop_assert!(!consensus(&answers).has_majority);
        }

        #[test]
        fn every_answer_is_in_one_group(answers in answers()) {
            let mut all: Vec<usize> =
                consensus(&answers).groups.into_iter().flat_map(|group| group.members).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..answers.len()).collect::<Vec<_>>());
        }
    }
}
