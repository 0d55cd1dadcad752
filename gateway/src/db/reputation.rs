//! What verified checks say of each node and model: decayed sums, the ban test and what goes with it, as
//! integers of a millionth.

pub mod history;

use assay_protocol::{JobId, NodeId};
use assay_verifier::{
    Record as NodeRecord,
    record::{CHECKS_DUE_AFTER_FAILURE, CUSUM_FAILURE, CUSUM_PASS},
    reputation::{self, Evidence},
};

use super::{
    Db, DbError,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "reputation";
    // S = kept·S + pass, F = kept·F + fail; kept = λ^weight, in parts per billion, is $6. The ban test never
    // falls below 0; a failure sets the checks that are due, a pass takes its weight off them. $10 is 1 for a check
    // that taught something.
    plain RECORD = "insert into reputation (node, model, passes_micro, failures_micro, updated_ms,
            cusum_micro, checks_due_micro, proofs, checks)
        values ($1, $2, $3, $4, $5, case when $7 > 0 then $7 else 0 end, $8, $9, $10)
        on conflict (node, model) do update set
            passes_micro = reputation.passes_micro * $6 / 1000000000 + $3,
            failures_micro = reputation.failures_micro * $6 / 1000000000 + $4,
            cusum_micro = case when reputation.cusum_micro + $7 > 0
                then reputation.cusum_micro + $7 else 0 end,
            checks_due_micro = case when $8 > 0 then $8
                when reputation.checks_due_micro > $3 then reputation.checks_due_micro - $3
                else 0 end,
            proofs = reputation.proofs + $9,
            checks = reputation.checks + $10,
            updated_ms = $5";
    plain LIST = "select node, model, passes_micro, failures_micro, cusum_micro, checks_due_micro, proofs, checks
        from reputation
        where node > $1 or (node = $1 and model > $2) order by node, model limit $3";
    plain OF_NODE = "select node, model, passes_micro, failures_micro, cusum_micro, checks_due_micro, proofs, checks
        from reputation where node = $1 order by model limit $2";
}

/// Rows fetched at once by [`load_all`], and the most of one node.
const ROWS_PER_FETCH: i64 = 1000;

/// What is known of a node with a model, whichever gateways found it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub node: NodeId,
    pub model: String,
    pub record: NodeRecord,
    /// Checks that it comes from: of two records the one with more is the later one.
    pub checks: i64,
}

/// What one verified check adds, in millionths; at most one check's weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceDelta {
    pub pass_micro: u32,
    pub fail_micro: u32,
    /// For the ban test; below zero for a pass.
    pub cusum_micro: i64,
    pub checks_due_micro: i64,
    /// 1 for a failure that is proven.
    pub proofs: u32,
}

impl EvidenceDelta {
    /// A passed check of this weight, 0 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=10^6"
    )]
    pub fn passed(weight: f64) -> Self {
        let pass_micro = (weight.clamp(0.0, 1.0) * 1e6).round() as u32;
        let cusum_micro = -micro(CUSUM_PASS * f64::from(pass_micro) / 1e6);
        Self { pass_micro, cusum_micro, ..Self::default() }
    }

    /// A failed check; all weigh the same.
    pub fn failed(proven: bool) -> Self {
        let cusum_micro = micro(CUSUM_FAILURE);
        Self { cusum_micro, proofs: u32::from(proven), ..Self::spared() }
    }

    /// A failed check that leads to no ban.
    pub fn spared() -> Self {
        let checks_due_micro = micro(CHECKS_DUE_AFTER_FAILURE);
        Self { fail_micro: 1_000_000, checks_due_micro, ..Self::default() }
    }

    /// Whether it moves the sums at all.
    pub fn teaches(self) -> bool {
        self.pass_micro > 0 || self.fail_micro > 0
    }

    /// What is left of older evidence, in parts per billion.
    #[expect(clippy::cast_possible_truncation, reason = "at most 10^9")]
    fn kept_per_billion(self) -> i64 {
        let weight = f64::from(self.pass_micro) + f64::from(self.fail_micro);
        (reputation::kept(weight / 1e6) * 1e9).round() as i64
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few units, in millionths")]
fn micro(value: f64) -> i64 {
    (value * 1e6).round() as i64
}

/// Everything known of all nodes and models, for a gateway that starts.
pub async fn load_all(db: &Db) -> Result<Vec<Known>, DbError> {
    let mut all: Vec<Known> = Vec::new();
    loop {
        let after = all.last().map(|known| (known.node.to_string(), known.model.clone()));
        let (node, model) = after.unwrap_or_default();
        let page: Vec<Known> = db.all(&LIST, args![node, model, ROWS_PER_FETCH]).await?;
        let last = (page.len() as i64) < ROWS_PER_FETCH;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// Everything known of a node by now.
pub async fn of_node(db: &Db, node: NodeId) -> Result<Vec<Known>, DbError> {
    db.all(&OF_NODE, args![node, ROWS_PER_FETCH]).await
}

/// Adds the outcome of a check of its answer in this job, in the transaction that ends the job or a late audit.
pub(super) async fn record(
    tx: &mut Tx,
    node: NodeId,
    model: &str,
    job: JobId,
    delta: EvidenceDelta,
    at_ms: i64,
) -> Result<(), DbError> {
    let EvidenceDelta { pass_micro, fail_micro, cusum_micro, checks_due_micro, proofs } = delta;
    let kept = delta.kept_per_billion();
    let args = args![
        node,
        model,
        pass_micro,
        fail_micro,
        at_ms,
        kept,
        cusum_micro,
        checks_due_micro,
        proofs,
        i64::from(delta.teaches())
    ];
    tx.execute(&RECORD, args).await?;
    history::note(tx, node, model, job, delta, at_ms).await
}

impl Record for Known {
    #[expect(clippy::cast_precision_loss, reason = "the sums stay under 2^40")]
    fn read(row: &Row) -> Result<Self, DbError> {
        let units = |column: &str| Ok::<_, DbError>(row.get::<i64>(column)? as f64 / 1e6);
        let evidence =
            Evidence { passes: units("passes_micro")?, failures: units("failures_micro")? };
        let record = NodeRecord {
            evidence,
            cusum: units("cusum_micro")?,
            proofs: row.get("proofs")?,
            checks_due: units("checks_due_micro")?,
        };
        let (node, model) = (row.get("node")?, row.get("model")?);
        Ok(Self { node, model, record, checks: row.get("checks")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_forgets_as_the_verifier_does() {
        let after = |delta: EvidenceDelta, checks: u32| {
            let kept = delta.kept_per_billion();
            (0..checks).fold(1_000_000_000_i64, |sum, _| sum * kept / 1_000_000_000)
        };
        for (delta, checks) in [
            (EvidenceDelta::failed(false), 200),
            (EvidenceDelta::passed(1.0), 200),
            (EvidenceDelta::passed(0.5), 400),
        ] {
            let left = after(delta, checks);
            assert!((499_999_000..=500_001_000).contains(&left), "{left} after {checks}");
        }
        assert_eq!(
            after(EvidenceDelta::passed(0.0), 100_000),
            1_000_000_000,
            "dust counts nothing"
        );
    }

    #[test]
    fn weights_become_millionths() {
        let micro = |weight| EvidenceDelta::passed(weight).pass_micro;
        assert_eq!(
            (micro(0.25), micro(7.0), micro(-1.0), micro(f64::NAN)),
            (250_000, 1_000_000, 0, 0)
        );
    }
}
