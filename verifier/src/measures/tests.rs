//! What R2 and R5 measure, and what they let pass.

use assay_model::sampler::{Noise, Position, TokenCounts};
use assay_protocol::{Bytes32, Sampling, TokenId};

use super::*;
use crate::judge::fixtures::{answer, rules};

const VOCABULARY: u32 = 20;

/// Standard normal, by Box and Muller.
fn normal(noise: &mut Noise, id: TokenId) -> f64 {
    let (radius, angle) = (noise.uniform(2 * id), noise.uniform(2 * id + 1));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// What a scorer finds of an honest node whose logits differ from the scorer's by noise of this deviation.
fn noisy_answer(tokens: u32, temperature: f64, deviation: f64) -> (Answer, Vec<PositionScore>) {
    let sampling = Sampling { temperature, ..Sampling::default() };
    let counts = TokenCounts::default();
    let mut said = answer(1, &[]);
    let mut scores = Vec::new();
    for index in 0..tokens {
        let mut model = Noise::new(Bytes32([1; 32]), index);
        let mut node = Noise::new(Bytes32([2; 32]), index);
        let position = Position {
            sampling: &sampling,
            seed: Bytes32([3; 32]),
            index,
            counts: &counts,
            allowed: None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "logits are binary32")]
        let (truth, noisy): (Vec<f32>, Vec<f32>) = (0..VOCABULARY)
            .map(|id| {
                let logit = 2.0 * normal(&mut model, id);
                (logit as f32, (logit + deviation * normal(&mut node, id)) as f32)
            })
            .unzip();
        let id = position.draw(&noisy).unwrap();
        said.ids.push(id);
        said.logits.push(noisy[id as usize]);
        scores.push(position.score(&truth, id).unwrap());
    }
    (said, scores)
}

fn calibrated() -> Rules {
    Rules {
        tau_gap: 1e-3,
        tau_logit: Some(1e-4),
        sigma2_max: Some(2e-3),
        flips_max_per_mille: Some(1),
        ..rules()
    }
}

fn score(margin: f64, sum_p2: f64) -> PositionScore {
    PositionScore { own: 0, margin, logit: 1.0, sum_p2 }
}

fn measures(scores: &[PositionScore], logits: &[f32]) -> Measures {
    let ids = vec![0; scores.len()];
    Measures::of(&Answer { logits: logits.to_vec(), ..answer(1, &ids) }, scores)
}

#[test]
fn sigma2_is_the_variance_of_the_noise() {
    for deviation in [0.05, 0.1] {
        let (answer, scores) = noisy_answer(6_000, 1.0, deviation);
        let found = Measures::of(&answer, &scores).sigma2(1.0).unwrap();
        let ratio = found / (deviation * deviation);
        assert!((0.75..1.33).contains(&ratio), "{ratio} at {deviation}");
    }
}

#[test]
fn an_honest_node_with_the_noise_of_a_cpu_passes_at_every_temperature() {
    for temperature in [0.0, 0.3, 1.0, 2.0] {
        let (answer, scores) = noisy_answer(500, temperature, 1e-5);
        let found = Measures::of(&answer, &scores);
        assert_eq!(found.fault(&calibrated()), None, "{temperature}: {found:?}");
    }
}

#[test]
fn a_noisy_model_is_caught_as_a_whole_and_by_its_logits() {
    let (answer, scores) = noisy_answer(500, 1.0, 0.1);
    let noisy = Measures::of(&answer, &scores);
    assert_eq!(noisy.fault(&calibrated()), Some(FaultKind::Whole));
    // The same tokens from the true model: only the logits tell.
    let honest = scores.iter().map(|it| PositionScore { margin: 0.0, ..*it }).collect::<Vec<_>>();
    let same_tokens = Measures::of(&answer, &honest);
    assert_eq!(same_tokens.fault(&calibrated()), Some(FaultKind::Logits));
    assert!(same_tokens.over_limit(&calibrated()) > 10.0);
    assert_eq!(Measures::of(&answer, &honest).fault(&rules()), None, "nothing is calibrated");
}

#[test]
fn one_margin_counts_half_a_logit_at_most() {
    let found = measures(&[score(40.0, 0.0), score(0.1, 0.5)], &[]);
    assert!((found.margin_sum - 0.6).abs() < 1e-12);
    assert!((found.sigma2(2.0).unwrap() - 4.0 * 0.6 / 1.5).abs() < 1e-12);
    assert_eq!(found.largest_margin, 40.0);
}

#[test]
fn sigma2_says_nothing_of_certain_answers_or_greedy_ones() {
    let certain = measures(&[score(0.5, 0.999); 100], &[]);
    assert_eq!(certain.sigma2(1.0), None);
    let open = measures(&[score(0.5, 0.1); 100], &[]);
    assert_eq!(open.sigma2(0.0), None);
    assert!(open.sigma2(1.0).is_some());
}

#[test]
fn where_sigma2_says_nothing_flips_are_counted() {
    let flips = |count: usize| {
        let mut scores = vec![score(0.0, 0.1); 100];
        scores[..count].fill(score(5e-4, 0.1));
        measures(&scores, &[])
    };
    let greedy = Rules { temperature: 0.0, ..calibrated() };
    // Of Binomial(100, 0.001) more than 4 has chance 7e-8, more than 3 has 3.6e-6.
    assert_eq!(flips(4).fault(&greedy), None);
    assert_eq!(flips(5).fault(&greedy), Some(FaultKind::Whole));
    assert!(flips(4).over_limit(&greedy) <= 1.0 && flips(5).over_limit(&greedy) > 1.0);
    // Ten times the noise is 0.447: below, the temperature is as good as 0 …
    let cold = Rules { temperature: 0.44, ..calibrated() };
    assert_eq!(flips(5).fault(&cold), Some(FaultKind::Whole));
    // … and above, five margins of half the limit are honest noise.
    let warm = Rules { temperature: 0.45, ..calibrated() };
    assert_eq!(flips(5).fault(&warm), None);
    assert_eq!(measures(&[score(0.0, 1.0)], &[]).fault(&greedy), None);
    assert_eq!(measures(&[], &[]).fault(&greedy), None);
}

#[test]
fn logits_are_held_to_their_mean_difference() {
    let calibrated = calibrated();
    let fault = |logits: &[f32]| measures(&[score(0.0, 0.5); 2], logits).fault(&calibrated);
    assert_eq!(fault(&[1.0, 1.0]), None);
    assert_eq!(fault(&[1.000_18, 1.0]), None, "the mean is 9e-5");
    assert_eq!(fault(&[1.000_3, 1.0]), Some(FaultKind::Logits));
    assert_eq!(fault(&[0.999_7, 1.000_3]), Some(FaultKind::Logits), "they do not cancel out");
    assert_eq!(fault(&[f32::NAN, 1.0]), Some(FaultKind::Logits));
}

#[test]
fn a_node_is_measured_by_what_it_wrote_itself() {
    let scores = [score(3.0, 0.0), score(3.0, 0.0), score(0.0, 0.5)];
    let said = Answer { from: 2, logits: vec![1.0], ..answer(1, &[5, 6, 7]) };
    let found = Measures::of(&said, &scores);
    assert_eq!((found.tokens, found.flips, found.largest_margin), (1, 0, 0.0));
    assert_eq!(found.logit_difference, Some(0.0));
    let nothing_own = Answer { from: 3, ..answer(1, &[5, 6, 7]) };
    assert_eq!(Measures::of(&nothing_own, &scores), Measures::default());
}
