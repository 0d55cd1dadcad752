//! The ways in which an honest node may compute: the forms of the graph, one thread or two, one answer alone
//! or eight at once; and an answer written in one way, scored in another.

use std::{ops::ControlFlow, path::Path};

use anyhow::{Context, ensure};
use assay_engine::{BATCH_MAX, Engine, EngineConfig, Form, GenerateRequest, Runtime, ScoreRequest};
use assay_model::Manifest;
use assay_protocol::NodeId;
use assay_verifier::{Answer, Measures, OwnerId, Told};

use super::{findings::Compared, questions::Questions};

/// With the share of each: two threads wait for each other on a busy machine, and an eighth of the work shows as much.
const THREADS: [(usize, u64); 2] = [(1, 8), (2, 1)];
const BATCHES: [usize; 2] = [1, BATCH_MAX];

/// Every engine, and every way to write with one.
pub(super) struct Configurations {
    engines: Vec<Engine>,
    names: Vec<String>,
    shares: Vec<u64>,
    writers: Vec<Writer>,
}

/// One way to write.
#[derive(Clone, Copy)]
struct Writer {
    engine: usize,
    batch: usize,
}

/// Who writes next, and who scores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) writer: usize,
    pub(super) scorer: usize,
}

impl Configurations {
    /// Opens the model once for each form and number of threads.
    pub(super) fn open(
        runtime: &Runtime,
        folder: &Path,
        manifest: &Manifest,
    ) -> anyhow::Result<Self> {
        let forms: Vec<Form> =
            manifest.graphs.iter().filter_map(|graph| graph.form.parse().ok()).collect();
        ensure!(!forms.is_empty(), "the manifest lists no graph of a known form");
        let (mut engines, mut names, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        let mut writers = Vec::new();
        for form in forms {
            for (threads, share) in THREADS {
                let config = EngineConfig { form: Some(form), threads, ..EngineConfig::default() };
                let engine = engines.len();
                engines.push(Engine::open(runtime, folder, &config)?);
                names.push(format!("form {form}, threads {threads}"));
                shares.push(share);
                writers.extend(BATCHES.map(|batch| Writer { engine, batch }));
            }
        }
        Ok(Self { engines, names, shares, writers })
    }

    /// `cpu-fp32`: what computes, and in which precision.
    pub(super) fn class(&self) -> String {
        let engine = &self.engines[0];
        format!("{}-{}", engine.execution_provider(), engine.precision())
    }

    /// What each writer is, in words, and its share of the tokens.
    pub(super) fn writers(&self) -> Vec<(String, u64)> {
        let writers = self.writers.iter();
        writers
            .map(|Writer { engine, batch }| {
                (format!("{}, batch {batch}", self.names[*engine]), self.shares[*engine])
            })
            .collect()
    }

    /// What each scorer is, in words, and its share of the turns.
    pub(super) fn scorers(&self) -> Vec<(String, u64)> {
        self.names.iter().cloned().zip(self.shares.iter().copied()).collect()
    }

    /// Has answers written with a cache, and scored in one pass.
    pub(super) fn compare(
        &mut self,
        turn: Turn,
        questions: &mut Questions,
    ) -> anyhow::Result<Vec<Compared>> {
        let Writer { engine, batch } = self.writers[turn.writer];
        let writer = &mut self.engines[engine];
        let requests: Vec<GenerateRequest> = (0..batch)
            .map(|_| questions.next(writer.text()))
            .collect::<Result<_, _>>()
            .context("a question to the model")?;
        let answers = write(writer, &requests)?;
        let scorer = &mut self.engines[turn.scorer];
        let found = requests.into_iter().zip(answers);
        found.map(|(request, answer)| judge(scorer, request, &answer)).collect()
    }
}

pub(super) fn write(
    engine: &mut Engine,
    requests: &[GenerateRequest],
) -> anyhow::Result<Vec<Answer>> {
    let mut written = vec![(Vec::new(), Vec::new()); requests.len()];
    let finishes = engine.generate_batch(requests, &mut |number, id, logit| {
        written[number].0.push(id);
        written[number].1.push(logit);
        ControlFlow::Continue(())
    })?;
    let answers = written.into_iter().zip(finishes);
    Ok(answers
        .map(|((ids, logits), finish)| Answer {
            // Nobody's: what is measured does not ask who wrote.
            node: NodeId(Default::default()),
            owner: OwnerId(0),
            ids,
            from: 0,
            finish,
            told: Told::No,
            logits,
            logprobs: Vec::new(),
        })
        .collect())
}

pub(super) fn judge(
    engine: &mut Engine,
    request: GenerateRequest,
    answer: &Answer,
) -> anyhow::Result<Compared> {
    let GenerateRequest { prompt, sampling, seed, .. } = request;
    let temperature = sampling.temperature;
    let output = answer.ids.clone();
    let scores = engine.score(&ScoreRequest { prompt, output, sampling, seed })?;
    Ok(Compared { measures: Measures::of(answer, &scores), temperature })
}
