//! What a calibration has found so far: by who wrote, in sum as limits rest on it, and held against limits.

use std::fmt;

use assay_model::Manifest;
use assay_verifier::{ClassLimits, Measured, Measures, Rules, SpotChecks};

use super::configurations::{Configurations, Turn};

/// An answer that one configuration wrote and another scored.
pub(super) struct Compared {
    pub(super) measures: Measures,
    pub(super) temperature: f64,
}

pub(super) struct Findings {
    writers: Vec<Writer>,
    scorers: Vec<Scorer>,
    /// Every answer, so that limits can be tried on them.
    answers: Vec<Compared>,
}

/// What one way of writing has shown.
struct Writer {
    name: String,
    share: u64,
    measured: Measured,
}

/// One way of scoring.
struct Scorer {
    name: String,
    share: u64,
    turns: u64,
}

impl Findings {
    pub(super) fn of(configurations: &Configurations) -> Self {
        let writer = |(name, share)| Writer { name, share, measured: Measured::default() };
        let scorer = |(name, share)| Scorer { name, share, turns: 0 };
        Self {
            writers: configurations.writers().into_iter().map(writer).collect(),
            scorers: configurations.scorers().into_iter().map(scorer).collect(),
            answers: Vec::new(),
        }
    }

    pub(super) fn tokens(&self) -> u64 {
        self.writers.iter().map(|writer| writer.measured.tokens).sum()
    }

    pub(super) fn answers(&self) -> usize {
        self.answers.len()
    }

    /// Whether each has written, and each has scored.
    pub(super) fn are_of_all(&self) -> bool {
        self.writers.iter().all(|writer| writer.measured.answers > 0)
            && self.scorers.iter().all(|scorer| scorer.turns > 0)
    }

    /// Those that have done least of their share.
    pub(super) fn next_turn(&self) -> Turn {
        let written = |writer: &Writer| writer.measured.tokens / writer.share;
        let scored = |scorer: &Scorer| scorer.turns / scorer.share;
        Turn {
            writer: least(self.writers.iter().map(written)),
            scorer: least(self.scorers.iter().map(scored)),
        }
    }

    pub(super) fn add(&mut self, turn: Turn, answers: Vec<Compared>) {
        self.scorers[turn.scorer].turns += 1;
        let measured = &mut self.writers[turn.writer].measured;
        answers.iter().for_each(|answer| add(measured, answer));
        self.answers.extend(answers);
    }

    /// Everything together.
    pub(super) fn measured(&self) -> Measured {
        let written = self.writers.iter().map(|writer| format!("written: {}", writer.name));
        let scored = self.scorers.iter().map(|scorer| format!("scored: {}", scorer.name));
        let configurations = written.chain(scored).collect();
        let mut sum = Measured { configurations, ..Measured::default() };
        self.answers.iter().for_each(|answer| add(&mut sum, answer));
        sum
    }

    /// How many of the answers would not have passed.
    pub(super) fn rejected(&self, limits: &ClassLimits, manifest: &Manifest) -> usize {
        self.answers.iter().filter(|answer| !passes(answer, limits, manifest)).count()
    }
}

/// Whether an answer keeps the limits.
pub(super) fn passes(answer: &Compared, limits: &ClassLimits, manifest: &Manifest) -> bool {
    let rules = Rules {
        tau_gap: limits.tau_gap,
        tau_logit: None,
        sigma2_max: None,
        flips_max_per_mille: None,
        temperature: answer.temperature,
        positions: SpotChecks::All,
        max_tokens: manifest.context_length,
        vocab_size: manifest.vocab_size,
        end_tokens: manifest.end_tokens.clone(),
    };
    let rules = rules.calibrated(limits);
    let measures = &answer.measures;
    measures.largest_margin <= rules.tau_gap && measures.fault(&rules).is_none()
}

/// Where the smallest stands, the first one of equals.
fn least(done: impl Iterator<Item = u64>) -> usize {
    done.enumerate().min_by_key(|(_, done)| *done).map_or(0, |(index, _)| index)
}

fn add(sum: &mut Measured, answer: &Compared) {
    let Compared { measures, temperature } = answer;
    sum.answers += 1;
    sum.tokens += u64::from(measures.tokens);
    sum.flips += u64::from(measures.flips);
    sum.largest_margin = sum.largest_margin.max(measures.largest_margin);
    let difference = measures.logit_difference.unwrap_or_default();
    sum.largest_logit_difference = sum.largest_logit_difference.max(difference);
    let sigma2 = measures.sigma2(*temperature).unwrap_or_default();
    sum.largest_sigma2 = sum.largest_sigma2.max(sigma2);
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<28}{:>9}{:>9}{:>7}{:>16}{:>22}{:>12}",
            "written",
            "answers",
            "tokens",
            "flips",
            "largest margin",
            "mean logit difference",
            "largest σ̂²"
        )?;
        let sum = self.measured();
        let rows = self.writers.iter().map(|writer| (writer.name.as_str(), &writer.measured));
        for (name, measured) in rows.chain([("all", &sum)]) {
            let Measured { answers, tokens, flips, .. } = measured;
            let (margin, sigma2) = (measured.largest_margin, measured.largest_sigma2);
            let difference = measured.largest_logit_difference;
            writeln!(
                f,
                "{name:<28}{answers:>9}{tokens:>9}{flips:>7}{margin:>16.1e}{difference:>22.1e}{sigma2:>12.1e}"
            )?;
        }
        let scored =
            self.scorers.iter().map(|scorer| format!("{} ({})", scorer.name, scorer.turns));
        write!(f, "scored (turns): {}", scored.collect::<Vec<_>>().join("; "))
    }
}
