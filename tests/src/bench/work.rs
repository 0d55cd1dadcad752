//! Runs engines over many jobs at once: answers and scores in bulk, on as many threads as are wanted.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use assay_engine::{
    Engine, EngineConfig, Form, GenerateRequest, Runtime, RuntimeConfig, ScoreRequest,
};
use assay_protocol::{GenerateStart, PositionScore, TokenId};

use crate::model::Answer;

/// How a model is run.
#[derive(Clone, Debug)]
pub struct Machine {
    pub folder: PathBuf,
    /// Of the graph; the best one when unset.
    pub form: Option<Form>,
    /// Within one operator.
    pub threads: usize,
    /// Answers that are written at once; 1: one by one.
    pub batch: usize,
    /// Engines side by side.
    pub workers: usize,
}

impl Machine {
    /// One thread, eight answers at once, two engines.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), form: None, threads: 1, batch: 8, workers: 2 }
    }

    /// The answer to each of these.
    pub fn answer(&self, starts: &[GenerateStart]) -> Vec<Answer> {
        let write = |engine: &mut Engine, starts: &[GenerateStart]| match starts {
            [start] => vec![one(engine, &request(start))],
            starts => many(engine, starts),
        };
        self.spread(starts, self.batch, write)
    }

    /// What the model says of each answer, one pass each.
    pub fn score(&self, said: &[(GenerateStart, Vec<TokenId>)]) -> Vec<Vec<PositionScore>> {
        let score = |engine: &mut Engine, said: &[(GenerateStart, Vec<TokenId>)]| {
            said.iter().map(|(start, ids)| scores(engine, start, ids)).collect()
        };
        self.spread(said, 1, score)
    }

    /// For people to tell machines apart.
    pub fn name(&self) -> String {
        format!("{}-b{}", self.scorer_name(), self.batch)
    }

    /// The same of a scorer, which takes answers one by one.
    pub fn scorer_name(&self) -> String {
        let form = match self.form {
            Some(Form::A) => "a",
            Some(Form::B) => "b",
            None => "x",
        };
        format!("form-{form}-t{}", self.threads)
    }

    /// An engine of this machine.
    ///
    /// # Panics
    /// When the folder cannot be used.
    pub fn engine(&self) -> Engine {
        let runtime = Runtime::load(&RuntimeConfig::default()).expect("the runtime loads");
        let config = EngineConfig {
            threads: self.threads,
            form: self.form,
            allow_unverifiable: true,
            ..EngineConfig::default()
        };
        Engine::open(&runtime, &self.folder, &config).expect("a model folder")
    }

    /// Hands pieces of the work to the engines until none is left; the results keep the order.
    fn spread<W: Sync, R: Send>(
        &self,
        work: &[W],
        piece: usize,
        run: impl Fn(&mut Engine, &[W]) -> Vec<R> + Sync,
    ) -> Vec<R> {
        let pieces: Vec<&[W]> = work.chunks(piece.max(1)).collect();
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..self.workers.min(pieces.len()) {
                scope.spawn(|| {
                    let mut engine = self.engine();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(piece) = pieces.get(index) else { return };
                        let results = run(&mut engine, piece);
                        assert_eq!(results.len(), piece.len(), "one result for each");
                        done.lock().unwrap_or_else(PoisonError::into_inner).push((index, results));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().flat_map(|(_, results)| results).collect()
    }
}

/// The request of a start.
pub fn request(start: &GenerateStart) -> GenerateRequest {
    GenerateRequest {
        prompt: start.prompt.clone(),
        prefix: start.prefix.clone(),
        max_tokens: start.max_tokens,
        sampling: start.sampling.clone(),
        seed: start.seed,
    }
}

/// One answer, written alone.
///
/// # Panics
/// When the engine fails.
pub fn one(engine: &mut Engine, request: &GenerateRequest) -> Answer {
    let (mut ids, mut logits) = (Vec::new(), Vec::new());
    let finish = engine
        .generate(request, &mut |id, logit| {
            ids.push(id);
            logits.push(logit);
            ControlFlow::Continue(())
        })
        .expect("the questions can be answered");
    Answer { ids, logits, finish }
}

/// Answers that are written side by side.
///
/// # Panics
/// When the engine fails.
pub fn many(engine: &mut Engine, starts: &[GenerateStart]) -> Vec<Answer> {
    let requests: Vec<_> = starts.iter().map(request).collect();
    let mut said = vec![(Vec::new(), Vec::new()); requests.len()];
    let finishes = engine
        .generate_batch(&requests, &mut |number, id, logit| {
            said[number].0.push(id);
            said[number].1.push(logit);
            ControlFlow::Continue(())
        })
        .expect("the questions can be answered");
    let answers = said.into_iter().zip(finishes);
    answers.map(|((ids, logits), finish)| Answer { ids, logits, finish }).collect()
}

/// What the model says of an answer.
///
/// # Panics
/// When the engine fails.
pub fn scores(engine: &mut Engine, start: &GenerateStart, ids: &[TokenId]) -> Vec<PositionScore> {
    let request = ScoreRequest {
        prompt: start.prompt.clone(),
        output: ids.to_vec(),
        sampling: start.sampling.clone(),
        seed: start.seed,
    };
    engine.score(&request).expect("an answer can be scored")
}
