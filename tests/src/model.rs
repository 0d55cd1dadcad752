//! The demo model, run once for a whole test process: what scripted nodes and scorers say, and what an
//! undisturbed answer is.

use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use assay_engine::{
    Engine, EngineConfig, GenerateRequest, Runtime, RuntimeConfig, ScoreRequest, Scores,
};
use assay_model::{ChatMessage, sampler};
use assay_protocol::{
    Bytes32, Finish, GenerateStart, JobId, PositionScore, ScoreStart, ServedModel, TokenId,
    TokenLogprobs,
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::{Ask, binaries::demo_model, zoo_models::ZooModel};

/// Answers kept: nodes of one job ask the same question.
const ANSWERS_KEPT_MAX: usize = 64;

/// One engine, shared; its work runs on the runtime's blocking threads, one request at a time.
#[derive(Debug)]
pub struct Model {
    served: ServedModel,
    pub end_token: TokenId,
    pub vocab_size: u32,
    engine: Mutex<Engine>,
    /// Tokens by how they read; made when first asked for.
    pieces: OnceLock<HashMap<String, TokenId>>,
    /// At equal seeds a remembered answer is an honest answer.
    answers: Mutex<HashMap<String, Answer>>,
}

/// What follows a prefix: the new tokens only, each with its raw logit.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub ids: Vec<TokenId>,
    pub logits: Vec<f32>,
    pub finish: Finish,
}

impl Model {
    /// The model that ships.
    pub fn demo() -> Arc<Self> {
        static DEMO: OnceLock<Arc<Model>> = OnceLock::new();
        DEMO.get_or_init(|| Arc::new(Self::open(&demo_model()))).clone()
    }

    /// A model of the zoo, by its name: what a cheat runs.
    pub fn of_zoo(name: &'static str) -> Arc<Self> {
        static OPEN: Mutex<BTreeMap<&str, Arc<Model>>> = Mutex::new(BTreeMap::new());
        let open = || Arc::new(Self::open(ZooModel::assemble(name).folder()));
        lock(&OPEN).entry(name).or_insert_with(open).clone()
    }

    /// A weak model of the zoo that says it is the shipped one.
    pub fn disguised(name: &'static str) -> Arc<Self> {
        let served = Self::demo().served.clone();
        Arc::new(Self { served, ..Self::open(ZooModel::assemble(name).folder()) })
    }

    /// Opens a model folder on the processor.
    ///
    /// # Panics
    /// When the runtime or the folder cannot be used.
    pub fn open(folder: &Path) -> Self {
        let runtime = Runtime::load(&RuntimeConfig::default()).expect("the runtime loads");
        let config = EngineConfig { allow_unverifiable: true, ..EngineConfig::default() };
        let engine = Engine::open(&runtime, folder, &config).expect("a model");
        let manifest = &engine.text().manifest;
        Self {
            served: ServedModel {
                id: manifest.id.clone(),
                manifest_hash: engine.text().manifest_hash,
                runtime: engine.runtime().to_owned(),
                execution_provider: engine.execution_provider().to_owned(),
                precision: engine.precision().to_owned(),
                context_length: manifest.context_length,
                slots: 0,
            },
            end_token: manifest.end_tokens[0],
            vocab_size: manifest.vocab_size,
            engine: Mutex::new(engine),
            pieces: OnceLock::new(),
            answers: Mutex::default(),
        }
    }

    /// Tells its weights from others: the beginning of the graphs' hashes, in hex.
    pub fn fingerprint(&self) -> String {
        let engine = lock(&self.engine);
        let manifest = &engine.text().manifest;
        let files = manifest.graphs.iter().filter_map(|graph| manifest.files.get(&graph.path));
        let bytes = files.flat_map(|file| file.sha256.0[..4].to_vec());
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// What a node that takes this many jobs at once says of it.
    pub fn served(&self, slots: u32) -> ServedModel {
        ServedModel { slots, ..self.served.clone() }
    }

    /// The honest answer to a start.
    pub async fn answer(self: &Arc<Self>, start: &GenerateStart) -> Answer {
        let request = GenerateRequest {
            prompt: start.prompt.clone(),
            prefix: start.prefix.clone(),
            max_tokens: start.max_tokens,
            sampling: start.sampling.clone(),
            seed: start.seed,
        };
        let model = self.clone();
        spawn_blocking(move || model.write(&request)).await.expect("the engine does not panic")
    }

    /// The honest scores of an answer.
    pub async fn score(self: &Arc<Self>, start: &ScoreStart) -> Vec<PositionScore> {
        self.score_told(start).await.positions
    }

    /// The same, with log probabilities where the start asks for them.
    pub async fn score_told(self: &Arc<Self>, start: &ScoreStart) -> Scores {
        let request = ScoreRequest {
            prompt: start.prompt.clone(),
            output: start.output.clone(),
            sampling: start.sampling.clone(),
            seed: start.seed,
        };
        self.scores(request).await
    }

    /// What the model tells of these tokens after a start, where it asks for that; from one pass.
    pub async fn told(
        self: &Arc<Self>,
        start: &GenerateStart,
        said: &[TokenId],
    ) -> Vec<TokenLogprobs> {
        let from = start.prefix.len();
        let request = ScoreRequest {
            prompt: start.prompt.clone(),
            output: [start.prefix.as_slice(), said].concat(),
            sampling: start.sampling.clone(),
            seed: start.seed,
        };
        self.scores(request).await.logprobs.split_off(from)
    }

    async fn scores(self: &Arc<Self>, request: ScoreRequest) -> Scores {
        let model = self.clone();
        let score = move || lock(&model.engine).score_told(&request);
        let scores = spawn_blocking(score).await.expect("the engine does not panic");
        scores.expect("an answer can be scored")
    }

    /// The raw logit of each of these tokens after a start, from one pass.
    pub async fn true_logits(
        self: &Arc<Self>,
        start: &GenerateStart,
        said: &[TokenId],
    ) -> Vec<f32> {
        let from = start.prefix.len();
        let score = ScoreStart {
            job: start.job,
            prompt: start.prompt.clone(),
            output: [start.prefix.as_slice(), said].concat(),
            sampling: start.sampling.clone(),
            seed: start.seed,
        };
        self.score(&score).await[from..].iter().map(|score| score.logit).collect()
    }

    /// What a client must get for a request when nothing disturbs it.
    ///
    /// # Panics
    /// When the request names no seed, or anything that this does not know of.
    pub async fn expected(self: &Arc<Self>, ask: &Ask) -> Answer {
        self.answer(&self.start_of(ask)).await
    }

    /// What nodes get for a request.
    ///
    /// # Panics
    /// As [`Model::expected`].
    pub fn start_of(&self, ask: &Ask) -> GenerateStart {
        let prompt = self.prompt(&ask.text());
        let seed = ask.body["seed"].as_i64().expect("a seed");
        GenerateStart {
            job: JobId(Uuid::nil()),
            seed: sampler::client_seed(seed, 0, &prompt),
            prompt,
            prefix: Vec::new(),
            max_tokens: ask.max_tokens_asked(),
            sampling: ask.sampling(),
            salt: Bytes32([0; 32]),
        }
    }

    /// The ids of one turn of a user, as the gateway renders it.
    pub fn prompt(&self, text: &str) -> Vec<TokenId> {
        let message = ChatMessage::new("user", text);
        let engine = lock(&self.engine);
        let rendered = engine.text().render(&[message]).expect("a plain message renders");
        engine.text().encode(&rendered).expect("a rendered prompt has ids")
    }

    /// The ids of a text, as they stand.
    pub fn ids(&self, text: &str) -> Vec<TokenId> {
        lock(&self.engine).text().encode(text).expect("a text has ids")
    }

    /// What a client reads of these output ids.
    pub fn text(&self, ids: &[TokenId]) -> String {
        let mut detokenizer = lock(&self.engine).text().detokenizer();
        let text: String = ids.iter().map(|id| detokenizer.push(*id)).collect();
        text + &detokenizer.finish()
    }

    /// Two tokens that read as this one does, if the vocabulary has such.
    pub fn respelled(&self, id: TokenId) -> Option<[TokenId; 2]> {
        let pieces = self.pieces.get_or_init(|| {
            (0..self.vocab_size).map(|id| (self.text(&[id]), id)).collect::<HashMap<_, _>>()
        });
        let whole = self.text(&[id]);
        let cuts = whole.char_indices().map(|(at, _)| at).skip(1);
        let mut pairs = cuts.filter_map(|at| {
            let (head, tail) = whole.split_at(at);
            Some([*pieces.get(head)?, *pieces.get(tail)?])
        });
        pairs.find(|pair| self.text(pair) == whole)
    }

    fn write(&self, request: &GenerateRequest) -> Answer {
        let key = format!("{request:?}");
        if let Some(known) = lock(&self.answers).get(&key) {
            return known.clone();
        }
        let mut engine = lock(&self.engine);
        // Whoever held the engine may have had the same question.
        if let Some(known) = lock(&self.answers).get(&key) {
            return known.clone();
        }
        let (mut ids, mut logits) = (Vec::new(), Vec::new());
        let finish = engine
            .generate(request, &mut |id, logit| {
                ids.push(id);
                logits.push(logit);
                ControlFlow::Continue(())
            })
            .expect("the gateway's starts can be answered");
        let answer = Answer { ids, logits, finish };
        let mut answers = lock(&self.answers);
        if answers.len() == ANSWERS_KEPT_MAX {
            answers.clear();
        }
        answers.insert(key, answer.clone());
        answer
    }
}

/// A test that failed while it held the lock has left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
