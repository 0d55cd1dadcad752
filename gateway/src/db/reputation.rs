//! What verified checks say of each node and model: decayed sums, as integers of a millionth.

use assay_protocol::NodeId;
use assay_verifier::reputation::{self, Evidence};

use super::{
    Db, DbError,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "reputation";
    // S = kept·S + pass, F = kept·F + fail; kept = λ^weight, in parts per billion, is $6.
    plain RECORD = "insert into reputation (node, model, passes_micro, failures_micro, updated_ms)
        values ($1, $2, $3, $4, $5)
        on conflict (node, model) do update set
            passes_micro = reputation.passes_micro * $6 / 1000000000 + $3,
            failures_micro = reputation.failures_micro * $6 / 1000000000 + $4,
            updated_ms = $5";
    plain LIST = "select node, model, passes_micro, failures_micro from reputation
        where node > $1 or (node = $1 and model > $2) order by node, model limit $3";
}

/// Rows fetched at once by [`load_all`].
const ROWS_PER_FETCH: i64 = 1000;

/// What one verified check adds, in millionths; at most one check's weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceDelta {
    pub pass_micro: u32,
    pub fail_micro: u32,
}

impl EvidenceDelta {
    /// A passed check of this weight, 0 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=10^6"
    )]
    pub fn passed(weight: f64) -> Self {
        Self { pass_micro: (weight.clamp(0.0, 1.0) * 1e6).round() as u32, fail_micro: 0 }
    }

    /// What is left of older evidence, in parts per billion.
    #[expect(clippy::cast_possible_truncation, reason = "at most 10^9")]
    fn kept_per_billion(self) -> i64 {
        let weight = f64::from(self.pass_micro) + f64::from(self.fail_micro);
        (reputation::kept(weight / 1e6) * 1e9).round() as i64
    }

    /// A failed check; all weigh the same.
    pub fn failed() -> Self {
        Self { pass_micro: 0, fail_micro: 1_000_000 }
    }
}

/// Everything known of all nodes and models, for a gateway that starts.
pub async fn load_all(db: &Db) -> Result<Vec<(NodeId, String, Evidence)>, DbError> {
    let mut all: Vec<Sums> = Vec::new();
    loop {
        let after = all.last().map(|sums| (sums.node.to_string(), sums.model.clone()));
        let (node, model) = after.unwrap_or_default();
        let page: Vec<Sums> = db.all(&LIST, args![node, model, ROWS_PER_FETCH]).await?;
        let last = (page.len() as i64) < ROWS_PER_FETCH;
        all.extend(page);
        if last {
            return Ok(all.into_iter().map(Sums::evidence).collect());
        }
    }
}

/// Adds a check's outcome, in the transaction that ends its job.
pub(super) async fn record(
    tx: &mut Tx,
    node: NodeId,
    model: &str,
    delta: EvidenceDelta,
    at_ms: i64,
) -> Result<(), DbError> {
    let EvidenceDelta { pass_micro, fail_micro } = delta;
    let args = args![node, model, pass_micro, fail_micro, at_ms, delta.kept_per_billion()];
    tx.execute(&RECORD, args).await?;
    Ok(())
}

/// A stored row.
struct Sums {
    node: NodeId,
    model: String,
    passes_micro: i64,
    failures_micro: i64,
}

impl Sums {
    #[expect(clippy::cast_precision_loss, reason = "the sums stay under 2^29")]
    fn evidence(self) -> (NodeId, String, Evidence) {
        let passes = self.passes_micro as f64 / 1e6;
        let failures = self.failures_micro as f64 / 1e6;
        (self.node, self.model, Evidence { passes, failures })
    }
}

impl Record for Sums {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            node: row.get("node")?,
            model: row.get("model")?,
            passes_micro: row.get("passes_micro")?,
            failures_micro: row.get("failures_micro")?,
        })
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
            (EvidenceDelta::failed(), 200),
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
