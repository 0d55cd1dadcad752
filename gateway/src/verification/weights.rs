//! How much a passed check counts: questions that a node knows, and clients that may be its friends, teach
//! nothing about it. All of it is bounded memory; a restart forgets it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_ledger::AccountId;
use assay_protocol::{Bytes32, NodeId, TokenId};
use assay_verifier::reputation;
use sha2::{Digest, Sha256};

/// One account may give this share of a node's evidence, however many there are.
const ACCOUNT_SHARE_MIN: f64 = 0.05;
/// Shares are of at least this much evidence, twice what proves a node: otherwise nobody could give the first.
const EVIDENCE_MIN: f64 = 60.0;
/// An account counts as seen for this long.
const SEEN_MS: i64 = 24 * 60 * 60 * 1000;
/// Accounts that are counted; beyond, a share is at its least anyway.
const ACCOUNTS_SEEN_MAX: usize = 1_024;
/// Questions remembered at least; the older half goes when there are twice as many.
const QUESTIONS_MIN: usize = 200_000;
/// Accounts remembered of one node's evidence; the smallest makes room.
const ACCOUNTS_PER_NODE_MAX: usize = 64;
/// Nodes remembered; beyond, all is forgotten.
const NODES_MAX: usize = 100_000;

/// What has been asked lately, and by whom.
#[derive(Debug, Default)]
pub struct Weights(Mutex<Memory>);

/// A passed check.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    pub node: NodeId,
    pub model: &'a str,
    /// The node's owner.
    pub owner: AccountId,
    /// Who asked.
    pub account: AccountId,
    pub prompt: &'a [TokenId],
    pub seed: Bytes32,
    /// What it is worth by itself, 0 to 1.
    pub weight: f64,
    /// The sum of the node's evidence before it.
    pub evidence: f64,
}

#[derive(Debug, Default)]
struct Memory {
    questions: HashSet<[u8; 16]>,
    older_questions: HashSet<[u8; 16]>,
    accounts: BTreeMap<AccountId, i64>,
    /// By node and model: what each account gave, fading as evidence does.
    given: HashMap<(NodeId, String), Vec<(AccountId, f64)>>,
}

impl Weights {
    /// What the pass counts in the end; taken note of.
    pub fn of(&self, pass: &Pass<'_>, now_ms: i64) -> f64 {
        let mut memory = self.lock();
        memory.see(pass.account, now_ms);
        let is_new = memory.ask(question(pass));
        if !is_new || pass.account == pass.owner || pass.weight <= 0.0 {
            return 0.0;
        }
        memory.give(pass)
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // Nothing panics while it holds the lock; if it did, the memory would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn see(&mut self, account: AccountId, now_ms: i64) {
        self.accounts.retain(|_, seen_ms| now_ms - *seen_ms < SEEN_MS);
        if self.accounts.len() < ACCOUNTS_SEEN_MAX || self.accounts.contains_key(&account) {
            self.accounts.insert(account, now_ms);
        }
    }

    /// Whether this node has not met this question before.
    fn ask(&mut self, question: [u8; 16]) -> bool {
        if self.questions.contains(&question) || self.older_questions.contains(&question) {
            return false;
        }
        if self.questions.len() >= QUESTIONS_MIN {
            self.older_questions = mem::take(&mut self.questions);
        }
        self.questions.insert(question)
    }

    fn give(&mut self, pass: &Pass<'_>) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a thousand at most")]
        let share = ACCOUNT_SHARE_MIN.max(1.0 / self.accounts.len().max(1) as f64);
        let room = share * EVIDENCE_MIN.max(pass.evidence + pass.weight);
        if self.given.len() >= NODES_MAX {
            self.given.clear();
        }
        let given = self.given.entry((pass.node, pass.model.to_owned())).or_default();
        let before = given.iter().find(|(account, _)| *account == pass.account);
        if before.map_or(0.0, |(_, sum)| *sum) + pass.weight > room {
            return 0.0;
        }
        let kept = reputation::kept(pass.weight);
        given.iter_mut().for_each(|(_, sum)| *sum *= kept);
        match given.iter_mut().find(|(account, _)| *account == pass.account) {
            Some((_, sum)) => *sum += pass.weight,
            None => given.push((pass.account, pass.weight)),
        }
        if given.len() > ACCOUNTS_PER_NODE_MAX {
            given.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            given.truncate(ACCOUNTS_PER_NODE_MAX);
        }
        pass.weight
    }
}

fn question(pass: &Pass<'_>) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(pass.node.0.as_bytes());
    hash.update(pass.seed.0);
    hash.update((pass.model.len() as u64).to_be_bytes());
    hash.update(pass.model.as_bytes());
    pass.prompt.iter().for_each(|id| hash.update(id.to_le_bytes()));
    let hash: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn pass(account: i64, question: u32) -> (AccountId, [TokenId; 1]) {
        (AccountId(account), [question])
    }

    /// What `count` new questions of one account are worth to a node with this much evidence.
    fn worth(weights: &Weights, account: i64, from: u32, count: u32, evidence: f64) -> f64 {
        (from..from + count).map(|question| asked(weights, pass(account, question), evidence)).sum()
    }

    fn asked(
        weights: &Weights,
        (account, prompt): (AccountId, [TokenId; 1]),
        evidence: f64,
    ) -> f64 {
        let pass = Pass {
            node: NodeId(Uuid::from_u128(1)),
            model: "demo",
            owner: AccountId(7),
            account,
            prompt: &prompt,
            seed: Bytes32([1; 32]),
            weight: 1.0,
            evidence,
        };
        weights.of(&pass, 1_000)
    }

    #[test]
    fn a_question_teaches_once() {
        let weights = Weights::default();
        assert_eq!(asked(&weights, pass(1, 5), 0.0), 1.0);
        assert_eq!(asked(&weights, pass(1, 5), 1.0), 0.0);
        assert_eq!(asked(&weights, pass(2, 5), 1.0), 0.0, "whoever asks it");
        assert_eq!(asked(&weights, pass(1, 6), 1.0), 1.0);
    }

    #[test]
    fn a_nodes_owner_teaches_nothing_about_it() {
        assert_eq!(worth(&Weights::default(), 7, 0, 10, 0.0), 0.0);
    }

    #[test]
    fn of_many_accounts_none_proves_a_node_alone() {
        let weights = Weights::default();
        assert_eq!(worth(&weights, 1, 0, 30, 0.0), 30.0, "the only client there is");
        let many = Weights::default();
        for account in 2..40 {
            let _ = asked(&many, pass(account, 1_000_000), 0.0);
        }
        let farmed = worth(&many, 1, 0, 200, 0.0);
        assert!((3.0..3.1).contains(&farmed), "a twentieth of {EVIDENCE_MIN}: {farmed}");
    }

    #[test]
    fn two_accounts_prove_a_node_together_and_one_of_them_nearly() {
        let weights = Weights::default();
        assert_eq!(asked(&weights, pass(2, 999), 0.0), 1.0);
        let half = worth(&weights, 1, 0, 100, 0.0);
        assert!((29.0..=35.0).contains(&half), "{half}");
    }
}
