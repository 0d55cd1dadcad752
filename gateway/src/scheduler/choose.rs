//! Picks the nodes for one job: gate on correctness, then the cheapest of a few random candidates,
//! sometimes anybody, and never two that may belong together.

use assay_protocol::NodeId;
use rand::{Rng, seq::IndexedRandom};

use super::{Party, Trust};

/// Best of this many: enough to avoid slow nodes, few enough that no node gets every job.
const CANDIDATES_COMPARED: usize = 3;
/// One pick in twenty ignores the cost, so that new and slow nodes stay measured.
const EXPLORATION_PER_MILLE: u32 = 50;
/// What a node that never finishes would cost, in milliseconds.
const UNRELIABILITY_MS: f64 = 1_500.0;
/// A node starts at 0.05 (nothing known) and falls below this after two failed checks; from then on
/// it is asked only when too few others are there.
pub const CORRECTNESS_GATE: f64 = 0.02;

/// A node that could take the job.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub node: NodeId,
    /// Whose it is.
    pub party: Party,
    pub trust: Trust,
    /// Share of accepted jobs that it finished, 0 to 1.
    pub reliability: f64,
    /// Jobs that it holds now.
    pub jobs: u32,
    pub slots_free: u32,
    pub first_token_ms: f64,
    pub ms_per_token: f64,
}

impl Candidate {
    /// Expected milliseconds until the answer is there, with unreliability as a surcharge.
    fn cost_ms(&self, output_tokens: u32) -> f64 {
        let write = self.ms_per_token * f64::from(output_tokens);
        let queue = f64::from(self.jobs) * (self.first_token_ms + write);
        queue + self.first_token_ms + write + UNRELIABILITY_MS * (1.0 - self.reliability)
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Nodes, each of another party.
    pub count: usize,
    /// The first of them is to be proven and at least this correct, if there is any.
    pub proven: Option<f64>,
    /// Output tokens to expect.
    pub output_tokens: u32,
    /// Who has a part in this job already: the client, and whoever was asked.
    pub taken: &'a [Party],
}

/// At most `wanted.count` nodes, no two related; fewer when there are not as many.
pub fn choose(
    candidates: &[Candidate],
    wanted: &Wanted<'_>,
    rng: &mut (impl Rng + ?Sized),
) -> Vec<NodeId> {
    let mut taken = wanted.taken.to_vec();
    let mut chosen = Vec::with_capacity(wanted.count);
    while chosen.len() < wanted.count {
        let eligible: Vec<&Candidate> = free(candidates, &taken).collect();
        let least = wanted.proven.filter(|_| chosen.is_empty());
        let enough = |c: &&Candidate| least.is_some_and(|least| c.trust.is_proven_to(least));
        let proven: Vec<&Candidate> = eligible.iter().copied().filter(enough).collect();
        let among = if proven.is_empty() { eligible } else { proven };
        let Some(pick) = next(among, wanted.output_tokens, rng) else { break };
        taken.push(pick.party.clone());
        chosen.push(pick.node);
    }
    chosen
}

/// Those who could take work now, related to nobody of these.
pub fn free<'a>(
    candidates: &'a [Candidate],
    taken: &[Party],
) -> impl Iterator<Item = &'a Candidate> {
    candidates.iter().filter(|c| c.slots_free > 0 && !c.party.is_related_to_any(taken))
}

fn next<'a>(
    eligible: Vec<&'a Candidate>,
    output_tokens: u32,
    rng: &mut (impl Rng + ?Sized),
) -> Option<&'a Candidate> {
    let sound: Vec<&Candidate> =
        eligible.iter().copied().filter(|c| c.trust.correctness >= CORRECTNESS_GATE).collect();
    let pool = if sound.is_empty() { eligible } else { sound };
    if rng.random_ratio(EXPLORATION_PER_MILLE, 1_000) {
        return pool.choose(rng).copied();
    }
    pool.choose_multiple(rng, CANDIDATES_COMPARED)
        .copied()
        .min_by(|a, b| a.cost_ms(output_tokens).total_cmp(&b.cost_ms(output_tokens)))
}

#[cfg(test)]
mod tests {
    use assay_ledger::AccountId;
    use rand::{SeedableRng, rngs::StdRng};
    use uuid::Uuid;

    use super::*;
    use crate::scheduler::{Network, Payouts};

    fn party(account: i64) -> Party {
        Party { account: AccountId(account), payouts: Payouts::default(), network: None }
    }

    fn candidate(node: u128, owner: i64) -> Candidate {
        Candidate {
            node: NodeId(Uuid::from_u128(node)),
            party: party(owner),
            trust: Trust { correctness: 0.5, proven: false },
            reliability: 1.0,
            jobs: 0,
            slots_free: 1,
            first_token_ms: 100.0,
            ms_per_token: 10.0,
        }
    }

    fn wanted(count: usize) -> Wanted<'static> {
        Wanted { count, proven: None, output_tokens: 50, taken: &[] }
    }

    #[test]
    fn a_set_never_holds_two_nodes_of_one_owner() {
        let pool: Vec<_> = (0..12).map(|i| candidate(i, i64::try_from(i % 4).unwrap())).collect();
        for seed in 0..200 {
            let set = choose(&pool, &wanted(5), &mut StdRng::seed_from_u64(seed));
            let mut owners: Vec<_> =
                pool.iter().filter(|c| set.contains(&c.node)).map(|c| c.party.account.0).collect();
            owners.sort_unstable();
            owners.dedup();
            assert_eq!(owners.len(), 4, "every owner once, and no more sets than owners");
            assert_eq!(set.len(), 4);
        }
    }

    #[test]
    fn owners_who_share_a_network_are_never_asked_together() {
        let network = Network::of([203, 0, 113, 9].into());
        let mut pool = vec![candidate(1, 1), candidate(2, 2), candidate(3, 3)];
        for neighbour in &mut pool[..2] {
            neighbour.party.network = network;
        }
        let client = [Party { network, ..party(9) }];
        for seed in 0..200 {
            let set = choose(&pool, &wanted(3), &mut StdRng::seed_from_u64(seed));
            assert!(set.len() == 2 && set.contains(&pool[2].node), "{set:?}");
            let own = Wanted { taken: &client, ..wanted(3) };
            assert_eq!(choose(&pool, &own, &mut StdRng::seed_from_u64(seed)), [pool[2].node]);
        }
    }

    #[test]
    fn taken_owners_and_full_nodes_are_left_out() {
        let mut full = candidate(1, 1);
        full.slots_free = 0;
        let pool = [full, candidate(2, 2), candidate(3, 3)];
        let taken = Wanted { taken: &[party(3)], ..wanted(3) };
        let set = choose(&pool, &taken, &mut StdRng::seed_from_u64(1));
        assert_eq!(set, [pool[1].node]);
    }

    #[test]
    fn a_node_below_the_gate_is_asked_only_when_nobody_else_is_left() {
        let mut caught = candidate(1, 1);
        caught.trust.correctness = 0.017;
        let pool = [caught, candidate(2, 2), candidate(3, 3)];
        for seed in 0..200 {
            let two = choose(&pool, &wanted(2), &mut StdRng::seed_from_u64(seed));
            assert!(!two.contains(&pool[0].node));
        }
        assert_eq!(choose(&pool, &wanted(3), &mut StdRng::seed_from_u64(1)).len(), 3);
    }

    #[test]
    fn a_set_holds_a_proven_node_when_there_is_one_whatever_it_costs() {
        let mut proven = candidate(1, 1);
        proven.trust = Trust { correctness: 0.96, proven: true };
        proven.ms_per_token = 10_000.0;
        let mut less = candidate(4, 4);
        less.trust = Trust { correctness: 0.92, proven: true };
        let pool = [candidate(2, 2), candidate(3, 3), proven, less];
        let wanted = Wanted { proven: Some(0.95), ..wanted(2) };
        for seed in 0..200 {
            let set = choose(&pool, &wanted, &mut StdRng::seed_from_u64(seed));
            assert!(set.len() == 2 && set.contains(&pool[2].node), "{set:?}");
            let none_proven = choose(&pool[..2], &wanted, &mut StdRng::seed_from_u64(seed));
            assert_eq!(none_proven.len(), 2, "strangers will do when nobody is proven");
        }
    }

    #[test]
    fn the_faster_node_gets_most_of_the_work_and_the_slower_one_some() {
        let mut slow = candidate(1, 1);
        slow.ms_per_token = 100.0;
        let pool = [slow, candidate(2, 2)];
        let mut rng = StdRng::seed_from_u64(7);
        let slow_first =
            (0..2_000).filter(|_| choose(&pool, &wanted(1), &mut rng) == [pool[0].node]).count();
        assert!((10..200).contains(&slow_first), "{slow_first} of 2,000");
    }
}
