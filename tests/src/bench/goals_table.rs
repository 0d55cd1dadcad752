//! The goals of verification beside what was measured, in Markdown; where nothing was, why.

use std::fmt::{self, Write};

use assay_verifier::{bounds::bounds_95, record::false_ban_per_check};

use super::{
    goals::Seen,
    honest::Honest,
    report::{Report, percent},
    table::Row,
};

/// Kind, tokens and what is wanted of long answers.
const LONG: [(&str, usize, &str); 6] = [
    ("random", 32, STRANGERS),
    ("ignore-seed", 32, STRANGERS),
    ("other-prompt", 32, STRANGERS),
    ("smaller", 64, MODELS),
    ("earlier", 64, MODELS),
    ("q4", 128, "≥ 99 % at 1e-3"),
];
const STRANGERS: &str = "≥ 99.9999 % in 32 non-trivial tokens";
const MODELS: &str = "≥ 99.99 % at 1e-6";
/// Kinds whose whole answers are looked at.
const SHORT: [&str; 3] = ["truncate", "pad", "edit"];

/// Writes a row for each goal of which this run knows something.
pub(super) fn write(text: &mut impl Write, report: &Report) -> fmt::Result {
    writeln!(text, "| | goal | measured |")?;
    writeln!(text, "|---|---|---|")?;
    for (kind, tokens, goal) in LONG {
        if let Some(seen) = seen(report, kind, tokens) {
            writeln!(text, "| {kind}, {tokens} tokens | {goal} | {} |", long(seen))?;
        }
    }
    for kind in SHORT {
        if let Some(row) = report.attackers.iter().find(|row| row.name == kind) {
            writeln!(
                text,
                "| {kind} | ≥ 99.9 % where the margin exceeds τ_gap | {} |",
                short(row)
            )?;
        }
    }
    if let Some(prefill) = seen(report, "prefill", 128) {
        let caught = of(prefill.by_tokens, prefill.answers);
        writeln!(text, "| prefill, 128 tokens | ≥ 99 % | {caught}, by tokens alone |")?;
    }
    if report.honest.answers > 0 {
        writeln!(text, "| honest answer rejected | ≤ 1e-4 | {} |", rejected(&report.honest))?;
        writeln!(text, "| honest node slashed | ≤ 1e-6 | {} |", slashed(&report.honest))?;
    }
    if let (Some(cost), Some(alone), Some(prefill)) =
        (&report.cost, report.score_over_generate, report.score_over_prefill)
    {
        let batch = cost.score_s / cost.generate_batch_8_s;
        writeln!(
            text,
            "| cost of checking, processor | ≤ 1.1 of a bare prefill; about 10 % of generating | {prefill:.1} of a prefill, \
             {:.0} % of generating (alone), {:.0} % (eight in step) |",
            100.0 * alone,
            100.0 * batch
        )?;
        writeln!(text, "| cost of checking, graphics card | ≤ 1 % of generating | {NO_GPU} |")?;
    }
    let overhead = &report.overhead;
    if let (Some(low), Some(standard), Some(high)) =
        (overhead.low, overhead.standard, overhead.high)
    {
        writeln!(
            text,
            "| overhead, all compute over useful compute | ≤ 1.3 for `low` | low {low:.2}, standard {standard:.2}, \
             high {high:.2} |"
        )?;
    }
    writeln!(text, "| bytes a token for proof | 4 with R5 | 4: one 32-bit logit |\n")
}

/// What stands where a graphics card would.
const NO_GPU: &str = "not measured: no graphics card ran this. One pass reads the weights once for all tokens, writing \
     reads them once a token, so the share falls with the answer's length; others report about 1 % (claimed) and 6.8 %";

fn seen<'a>(report: &'a Report, kind: &str, tokens: usize) -> Option<&'a Seen> {
    report.seen_after.iter().find(|seen| seen.name == kind && seen.tokens == tokens)
}

fn long(seen: &Seen) -> String {
    let (all, tokens) = (of(seen.by_all, seen.answers), of(seen.by_tokens, seen.answers));
    let found = format!("by all {all}; by tokens {tokens}");
    if seen.tokens != 32 {
        return found;
    }
    let passes = seen.nontrivial_token_passes;
    format!(
        "{found}; a non-trivial token passes with {passes:.3}, 32 in a row with {:.0e} if they were independent",
        passes.powi(32)
    )
}

fn short(row: &Row) -> String {
    format!("{}, whatever the margin", of(row.lies_failed, row.lies_checked))
}

fn rejected(honest: &Honest) -> String {
    let bound = honest.rejected_at_most;
    format!("{} of {}; the bound is {bound:.1e}", honest.rejected, honest.answers)
}

/// A node is slashed by a ban with a proof. Two scorers of one class see the same noise, so that the second is not
/// counted as an independent event; the four failures that a ban needs are different answers.
fn slashed(honest: &Honest) -> String {
    let bound = honest.rejected_at_most;
    format!(
        "{} of {} answers failed a check, so at most {bound:.1e} of all do (95 %); a ban takes at least four failures \
         close together: {:.0e} a check at that rate, if failures of different answers are independent and passes have full \
         weight. That a second scorer must refute one of them is not counted",
        honest.rejected,
        honest.answers,
        false_ban_per_check(bound)
    )
}

/// So many of so many, and the least that is not ruled out.
fn of(hits: u64, trials: u64) -> String {
    format!("{hits} of {trials} (at least {})", percent(bounds_95(hits, trials).low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_has_no_row_and_what_was_says_how_many() {
        let mut report = Report::new("a model".into());
        let text = |report: &Report| {
            let mut text = String::new();
            write(&mut text, report).unwrap();
            text
        };
        assert_eq!(text(&report).lines().count(), 4, "only what needs no run");
        report.honest = Honest { answers: 100_000, rejected_at_most: 3.7e-5, ..Honest::default() };
        let full = text(&report);
        assert!(full.contains("| 0 of 100000; the bound is 3.7e-5 |"), "{full}");
        assert!(full.contains("e-16 a check at that rate"), "{full}");
        assert_eq!(of(120, 120), "120 of 120 (at least 97.0 %)");
    }
}
