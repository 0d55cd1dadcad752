//! An answer with what the model says of it, and where such are kept between runs.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use assay_protocol::{Finish, PositionScore};

use super::corpus;
use crate::model::Answer;

/// An answer and one score for each of its tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub answer: Answer,
    pub scores: Vec<PositionScore>,
}

impl Sample {
    pub fn largest_margin(&self) -> f64 {
        self.scores.iter().map(|score| score.margin).fold(0.0, f64::max)
    }

    /// The mean difference between reported and true logits, over the first tokens.
    pub fn logit_difference(&self, tokens: usize) -> f64 {
        let pairs = self.scores.iter().zip(&self.answer.logits).take(tokens);
        let apart: Vec<f64> =
            pairs.map(|(score, said)| (f64::from(*said) - f64::from(score.logit)).abs()).collect();
        let count = u32::try_from(apart.len()).expect("a short answer");
        apart.iter().sum::<f64>() / f64::from(count.max(1))
    }
}

/// A folder of samples.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    /// Of the model that scored: other weights, other files.
    model: String,
}

impl Store {
    pub fn open(folder: &Path, model: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), model: model.to_owned() })
    }

    /// The samples of this name, made now if they are not there.
    pub fn get_or(
        &self,
        name: &str,
        count: usize,
        make: impl FnOnce() -> Vec<Sample>,
    ) -> anyhow::Result<Vec<Sample>> {
        let file = format!("{name}-{count}-{}-v{}.samples", self.model, corpus::VERSION);
        let path = self.folder.join(file);
        if let Ok(bytes) = fs::read(&path) {
            let samples = read_all(&bytes).with_context(|| format!("{}", path.display()))?;
            ensure!(samples.len() == count, "{} holds {}", path.display(), samples.len());
            return Ok(samples);
        }
        let samples = make();
        ensure!(samples.len() == count, "{count} samples of {name} were wanted");
        let half = path.with_extension("half");
        fs::write(&half, write_all(&samples))?;
        fs::rename(&half, &path)?;
        Ok(samples)
    }
}

/// Little-endian, one after the other: finish, count, then for each token id, reported logit and its score.
fn write_all(samples: &[Sample]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Sample { answer, scores } in samples {
        let finish = [Finish::Stop, Finish::Length, Finish::Told];
        let finish =
            finish.iter().position(|finish| *finish == answer.finish).expect("one of them");
        bytes.push(u8::try_from(finish).expect("one of three"));
        bytes.extend(u32::try_from(answer.ids.len()).expect("a short answer").to_le_bytes());
        for ((id, logit), score) in answer.ids.iter().zip(&answer.logits).zip(scores) {
            bytes.extend(id.to_le_bytes());
            bytes.extend(logit.to_le_bytes());
            bytes.extend(score.own.to_le_bytes());
            bytes.extend(score.margin.to_le_bytes());
            bytes.extend(score.logit.to_le_bytes());
            bytes.extend(score.sum_p2.to_le_bytes());
        }
    }
    bytes
}

fn read_all(mut bytes: &[u8]) -> io::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    while !bytes.is_empty() {
        let finish = match take::<1>(&mut bytes)? {
            [0] => Finish::Stop,
            [1] => Finish::Length,
            _ => Finish::Told,
        };
        let count = u32::from_le_bytes(take(&mut bytes)?);
        let mut answer = Answer { ids: Vec::new(), logits: Vec::new(), finish };
        let mut scores = Vec::new();
        for _ in 0..count {
            answer.ids.push(u32::from_le_bytes(take(&mut bytes)?));
            answer.logits.push(f32::from_le_bytes(take(&mut bytes)?));
            scores.push(PositionScore {
                own: u32::from_le_bytes(take(&mut bytes)?),
                margin: f64::from_le_bytes(take(&mut bytes)?),
                logit: f32::from_le_bytes(take(&mut bytes)?),
                sum_p2: f64::from_le_bytes(take(&mut bytes)?),
            });
        }
        samples.push(Sample { answer, scores });
    }
    Ok(samples)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> io::Result<[u8; N]> {
    let mut taken = [0; N];
    bytes.read_exact(&mut taken)?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_kept_as_they_were_made() {
        let score = PositionScore { own: 7, margin: 0.25, logit: 1.5, sum_p2: 0.125 };
        let answer = Answer { ids: vec![7, 2], logits: vec![1.5, 3.0], finish: Finish::Stop };
        let sample = Sample { answer, scores: vec![score, PositionScore { own: 2, ..score }] };
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), "model").expect("a store");
        let made = store.get_or("some", 1, || vec![sample.clone()]).expect("made");
        let kept = store.get_or("some", 1, || panic!("they are there")).expect("kept");
        assert_eq!((&made, &kept), (&vec![sample.clone()], &vec![sample]));
        assert!(store.get_or("other", 2, Vec::new).is_err(), "too few");
    }
}
