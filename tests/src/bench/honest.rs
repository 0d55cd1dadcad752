//! Honest answers under the rules: how many are rejected, how many differ from what the scorer would have said and
//! pass, over a large corpus and over every way to run the model.

use assay_engine::Form;
use assay_protocol::GenerateStart;
use assay_verifier::{bounds::bounds_95, check_structure};
use serde::Serialize;

use super::{
    attacks::Studio,
    corpus,
    rules::{Court, said},
    sample::Sample,
    work::Machine,
};

/// Answers that are written and kept at a time.
const PIECE: u64 = 2_000;

/// What the rules say of honest answers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Honest {
    pub answers: u64,
    pub tokens: u64,
    /// Answers that break a rule: each would be a false alarm.
    pub rejected: u64,
    /// The highest rate of false alarms that such a count does not rule out, with 95 % confidence.
    pub rejected_at_most: f64,
    /// Answers with a token that the scorer would not have drawn, and that pass all the same.
    pub vindicated: u64,
    pub largest_margin: f64,
    pub largest_logit_difference: f64,
    pub largest_sigma2: f64,
    pub classes: Vec<Class>,
}

/// One way to run the model against another.
#[derive(Clone, Debug, Serialize)]
pub struct Class {
    pub writer: String,
    pub scorer: String,
    pub answers: u64,
    /// Not the same tokens as the corpus has.
    pub flipped: u64,
    pub rejected: u64,
    pub vindicated: u64,
    pub largest_logit_difference: f64,
}

/// The whole corpus, written eight in step by two engines of one thread each and scored in single passes; and its answers.
pub fn replay(
    studio: &Studio,
    court: &Court,
    answers: u64,
) -> anyhow::Result<(Honest, Vec<Sample>)> {
    let (mut honest, mut all) = (Honest::default(), Vec::new());
    for first in (0..answers).step_by(usize::try_from(PIECE).expect("a small number")) {
        let count = PIECE.min(answers - first);
        let starts: Vec<GenerateStart> =
            (first..first + count).map(|number| corpus::mixed(&studio.model, number)).collect();
        let samples = studio.honest(&format!("mixed-{first}"), &starts)?;
        starts.iter().zip(&samples).for_each(|(start, sample)| honest.add(court, start, sample));
        all.extend(samples);
        if (first / PIECE) % 5 == 4 {
            println!("  {} honest answers, {} rejected", honest.answers, honest.rejected);
        }
    }
    honest.rejected_at_most = bounds_95(honest.rejected, honest.answers).high;
    Ok((honest, all))
}

/// The first answers of the corpus, written and scored in every other way.
pub fn classes(studio: &Studio, court: &Court, answers: u64) -> anyhow::Result<Vec<Class>> {
    let starts: Vec<GenerateStart> =
        (0..answers).map(|number| corpus::mixed(&studio.model, number)).collect();
    let reference = studio.honest(&format!("classes-{answers}"), &starts)?;
    let mut classes = Vec::new();
    for form in [Form::A, Form::B] {
        for threads in [1, 2] {
            for batch in [1, 8] {
                let machine =
                    Machine { form: Some(form), threads, batch, ..studio.machine.clone() };
                let name = format!("classes-{answers}-{}", machine.name());
                let own = studio.store.get_or(&name, starts.len(), || {
                    studio.scored(&starts, machine.answer(&starts))
                })?;
                classes.push(compare(&machine.name(), "corpus", court, &starts, &reference, &own));
            }
            // The same answers before another scorer.
            let scorer = Machine { form: Some(form), threads, ..studio.machine.clone() };
            let name = format!("scored-{answers}-{}", scorer.scorer_name());
            let scored = studio.store.get_or(&name, starts.len(), || {
                let said: Vec<_> = starts
                    .iter()
                    .zip(&reference)
                    .map(|(start, sample)| (start.clone(), sample.answer.ids.clone()))
                    .collect();
                let scores = scorer.score(&said).into_iter().zip(&reference);
                let rescored = |(scores, sample): (_, &Sample)| Sample { scores, ..sample.clone() };
                scores.map(rescored).collect()
            })?;
            let name = scorer.scorer_name();
            classes.push(compare("corpus", &name, court, &starts, &reference, &scored));
        }
    }
    Ok(classes)
}

fn compare(
    writer: &str,
    scorer: &str,
    court: &Court,
    starts: &[GenerateStart],
    reference: &[Sample],
    own: &[Sample],
) -> Class {
    let mut honest = Honest::default();
    starts.iter().zip(own).for_each(|(start, sample)| honest.add(court, start, sample));
    let differs = |(a, b): &(&Sample, &Sample)| a.answer.ids != b.answer.ids;
    let flipped = reference.iter().zip(own).filter(differs).count();
    Class {
        writer: writer.to_owned(),
        scorer: scorer.to_owned(),
        answers: honest.answers,
        flipped: u64::try_from(flipped).expect("a count"),
        rejected: honest.rejected,
        vindicated: honest.vindicated,
        largest_logit_difference: honest.largest_logit_difference,
    }
}

impl Honest {
    fn add(&mut self, court: &Court, start: &GenerateStart, sample: &Sample) {
        let rules = court.rules(start);
        let answer = said(1, sample);
        let check = court.check(start, sample);
        let measures = check.measures(&answer);
        let passes = check_structure(&answer, &rules).is_ok() && check.confirms(&answer);
        self.answers += 1;
        self.tokens += u64::from(measures.tokens);
        self.rejected += u64::from(!passes);
        self.vindicated += u64::from(passes && measures.flips > 0);
        self.largest_margin = self.largest_margin.max(measures.largest_margin);
        let difference = measures.logit_difference.unwrap_or_default();
        self.largest_logit_difference = self.largest_logit_difference.max(difference);
        let sigma2 = measures.sigma2(rules.temperature).unwrap_or_default();
        self.largest_sigma2 = self.largest_sigma2.max(sigma2);
    }
}
