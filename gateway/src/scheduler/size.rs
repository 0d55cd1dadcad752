//! How many nodes a job asks: fewer than usual when one of them is trusted and a scorer could check it. Pure.

/// How far a node is trusted with one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trust {
    /// The lower bound of its share of good answers, 0 to 1.
    pub correctness: f64,
    /// Whether it may stand for a pair, and serve alone.
    pub proven: bool,
}

impl Trust {
    /// Whether it is proven and at least this correct.
    pub fn is_proven_to(self, correctness_min: f64) -> bool {
        self.proven && self.correctness >= correctness_min
    }
}

/// How many nodes do when one of them is proven and at least this correct.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fewer {
    pub nodes: usize,
    pub correctness_min: f64,
}

/// The number of nodes to ask. `members` are in the set already; `free` could join it.
pub fn set_size(
    usual: usize,
    fewer: Option<Fewer>,
    members: &[Trust],
    mut free: impl Iterator<Item = Trust>,
) -> usize {
    let Some(Fewer { nodes, correctness_min }) = fewer else { return usual };
    let enough = |trust: Trust| trust.is_proven_to(correctness_min);
    let is_in = members.iter().copied().any(enough);
    let may_join = members.len() < nodes && free.any(enough);
    if is_in || may_join { nodes } else { usual }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Trust = Trust { correctness: 0.05, proven: false };
    const PROVEN: Trust = Trust { correctness: 0.92, proven: true };
    const BEST: Trust = Trust { correctness: 0.97, proven: true };
    /// Good for long, but every job of it is checked since a failure.
    const FALLEN: Trust = Trust { correctness: 0.97, proven: false };
    const LOW: Option<Fewer> = Some(Fewer { nodes: 1, correctness_min: 0.9 });
    const STANDARD: Option<Fewer> = Some(Fewer { nodes: 2, correctness_min: 0.95 });

    fn low(members: &[Trust], free: &[Trust]) -> usize {
        set_size(2, LOW, members, free.iter().copied())
    }

    fn standard(members: &[Trust], free: &[Trust]) -> usize {
        set_size(3, STANDARD, members, free.iter().copied())
    }

    #[test]
    fn a_proven_node_may_serve_alone_and_a_stranger_is_paired() {
        assert_eq!(low(&[], &[NEW, PROVEN]), 1);
        assert_eq!(low(&[PROVEN], &[NEW]), 1);
        assert_eq!(low(&[], &[NEW, FALLEN]), 2);
        assert_eq!(low(&[NEW], &[PROVEN]), 2, "whoever is in stays in");
    }

    #[test]
    fn two_do_when_one_of_them_is_trusted_enough() {
        assert_eq!(standard(&[], &[NEW, BEST]), 2);
        assert_eq!(standard(&[NEW], &[BEST]), 2);
        assert_eq!(standard(&[NEW, NEW], &[BEST]), 3);
        assert_eq!(standard(&[BEST, NEW], &[]), 2);
        assert_eq!(standard(&[PROVEN], &[NEW, PROVEN]), 3, "proven, but not enough");
    }

    #[test]
    fn without_a_rule_for_fewer_the_usual_number_is_asked() {
        assert_eq!(set_size(3, None, &[BEST], [BEST].into_iter()), 3);
    }
}
