//! Everything that the benchmark found out: as JSON, and as the tables of docs/verification.md.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, ensure};
use assay_verifier::bounds::Bounds;
use serde::Serialize;

use super::{
    cheats, cost::Cost, goals::Seen, goals_table, honest::Honest, overhead::Overhead, table::Row,
};

/// The version of the JSON's shape: keys are added, never renamed.
const FORMAT: &str = "assay-bench/1";

/// The results; empty where a part was left out.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub format: &'static str,
    pub bench: &'static str,
    pub model: String,
    pub attackers: Vec<Row>,
    pub honest: Honest,
    pub score_over_generate: Option<f64>,
    pub score_over_prefill: Option<f64>,
    pub cost: Option<Cost>,
    pub overhead: Overhead,
    pub seen_after: Vec<Seen>,
}

impl Report {
    /// Nothing is measured yet.
    pub fn new(model: String) -> Self {
        Self {
            format: FORMAT,
            bench: "verification",
            model,
            attackers: Vec::new(),
            honest: Honest::default(),
            score_over_generate: None,
            score_over_prefill: None,
            cost: None,
            overhead: Overhead::default(),
            seen_after: Vec::new(),
        }
    }

    pub(super) fn costs(&mut self, cost: Cost) {
        self.score_over_generate = Some(cost.score_over_generate());
        self.score_over_prefill = Some(cost.score_over_prefill());
        self.cost = Some(cost);
    }

    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }

    /// What must hold of every run.
    pub fn check(&self) -> anyhow::Result<()> {
        let honest = &self.honest;
        let rejected = honest.rejected + honest.classes.iter().map(|c| c.rejected).sum::<u64>();
        ensure!(rejected == 0, "{rejected} honest answers are rejected");
        self.overhead.check()
    }

    /// The tables, in Markdown.
    pub fn tables(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        if self.honest.answers > 0 {
            let _ = self.write_honest(&mut text);
        }
        if !self.attackers.is_empty() {
            let _ = cheats::write(&mut text, &self.attackers);
        }
        if !self.seen_after.is_empty() {
            let _ = self.write_seen(&mut text);
        }
        let _ = self.write_costs(&mut text);
        let _ = goals_table::write(&mut text, self);
        text
    }

    fn write_honest(&self, text: &mut String) -> std::fmt::Result {
        let honest = &self.honest;
        writeln!(
            text,
            "{} honest answers ({} tokens): {} rejected (at most {:.1e} with 95 % confidence), {} vindicated; largest \
             margin {:.1e}, largest mean logit difference {:.1e}.\n",
            honest.answers,
            honest.tokens,
            honest.rejected,
            honest.rejected_at_most,
            honest.vindicated,
            honest.largest_margin,
            honest.largest_logit_difference
        )?;
        writeln!(
            text,
            "| writer | scorer | answers | other tokens | rejected | vindicated | largest mean logit difference |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|---|")?;
        for class in &honest.classes {
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {:.1e} |",
                class.writer,
                class.scorer,
                class.answers,
                class.flipped,
                class.rejected,
                class.vindicated,
                class.largest_logit_difference
            )?;
        }
        writeln!(text)
    }

    fn write_seen(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "| kind | tokens | answers | caught by tokens (at least) | by tokens and logits (at least) |"
        )?;
        writeln!(text, "|---|---|---|---|---|")?;
        for seen in &self.seen_after {
            writeln!(
                text,
                "| {} | {} | {} | {} ({}) | {} ({}) |",
                seen.name,
                seen.tokens,
                seen.answers,
                share(seen.by_tokens, seen.answers),
                percent(seen.by_tokens_bounds.low),
                share(seen.by_all, seen.answers),
                percent(seen.by_all_bounds.low)
            )?;
        }
        writeln!(text)
    }

    fn write_costs(&self, text: &mut String) -> std::fmt::Result {
        if let Some(cost) = &self.cost {
            writeln!(
                text,
                "Scoring over generating: {:.3} (one by one), {:.3} (batches of 8); over a bare prefill: {:.2}.\n",
                cost.score_over_generate(),
                cost.score_s / cost.generate_batch_8_s,
                cost.score_over_prefill()
            )?;
        }
        match self.overhead.runs.is_empty() {
            true => Ok(()),
            false => writeln!(text, "{}", self.overhead),
        }
    }
}

/// Enough digits that almost all does not read as all.
pub(super) fn percent(rate: f64) -> String {
    let percent = 100.0 * rate;
    if rate == 1.0 || rate == 0.0 {
        format!("{percent:.0} %")
    } else if rate > 0.99 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// The same with the bounds of the rate.
pub(super) fn percent_within(rate: f64, Bounds { low, high }: Bounds) -> String {
    format!("{:.0} % ({:.0}–{:.0})", 100.0 * rate, 100.0 * low, 100.0 * high)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
fn share(hits: u64, trials: u64) -> String {
    percent(hits as f64 / trials.max(1) as f64)
}
