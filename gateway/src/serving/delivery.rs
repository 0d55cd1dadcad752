//! What flows from a job to the client that asked, and the only thread between the two: when the
//! client lets go of its end, the job knows.

use std::{
    future::poll_fn,
    sync::{Mutex, PoisonError},
    task::Poll,
};

use assay_ledger::Nano;
use assay_model::{FinishReason, Piece, Said, WrongForm};
use assay_protocol::{JobId, TokenId, ToldToken};
use assay_verifier::{Rule, receipt::bound::vectors_content};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use super::policy::Risk;
use crate::reasons::Reason;

/// What one output token can bring at most: what is told of it, the end of some text, a call's name, its first arguments.
const EVENTS_PER_TOKEN_MAX: usize = 4;
/// Events besides.
const EVENTS_BESIDES: usize = 4;

/// The client's end of a job. Dropping it means that the client left.
#[derive(Debug)]
struct Delivery {
    job: JobId,
    events: mpsc::Receiver<Event>,
    over: bool,
    word: oneshot::Sender<Word>,
}

/// The client's end of one request: a job for each choice. Dropping it means that the client left.
#[derive(Debug)]
pub struct Deliveries {
    /// What the whole answer is called.
    pub id: String,
    /// Unix seconds.
    pub created_s: i64,
    choices: Vec<Delivery>,
    /// Who is heard first, so that no choice outshouts the others.
    turn: usize,
}

/// What becomes of a job whose settlement waits for the others of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The client has the answer.
    Settle,
    /// The request as a whole failed: nothing is charged.
    Void,
}

impl Deliveries {
    pub(super) fn new(id: String, created_s: i64) -> Self {
        Self { id, created_s, choices: Vec::new(), turn: 0 }
    }

    /// Opens the thread to one more job. The channel holds a whole answer, so a client that reads slowly never holds
    /// the job up.
    pub(super) fn open(&mut self, job: JobId, max_tokens: u32) -> Outlet {
        let room = max_tokens as usize * EVENTS_PER_TOKEN_MAX + EVENTS_BESIDES;
        let (sender, events) = mpsc::channel(room);
        let (word, heard) = oneshot::channel();
        self.choices.push(Delivery { job, events, over: false, word });
        Outlet { events: sender, sent: Mutex::default(), word: Some(heard) }
    }

    /// The jobs, in the order of the choices.
    pub fn jobs(&self) -> Vec<JobId> {
        self.choices.iter().map(|choice| choice.job).collect()
    }

    /// Events that can come of all choices.
    pub fn events_max(&self) -> usize {
        self.choices.iter().map(|choice| choice.events.max_capacity()).sum()
    }

    /// The next event of any choice; `Done` and `Failed` are a choice's last, and nothing comes when all had theirs.
    pub async fn next(&mut self) -> Option<(usize, Event)> {
        poll_fn(|context| {
            let (mut waits, count) = (false, self.choices.len());
            for index in (0..count).map(|at| (self.turn + at) % count) {
                let choice = &mut self.choices[index];
                if choice.over {
                    continue;
                }
                let Poll::Ready(event) = choice.events.poll_recv(context) else {
                    waits = true;
                    continue;
                };
                self.turn = index + 1;
                let event = event.unwrap_or_else(|| {
                    // The job's task is gone and said nothing, which it must never do.
                    tracing::error!(job = %choice.job, "a job ended without telling its client how");
                    Event::Failed(ServeError::Internal)
                });
                choice.over = matches!(event, Event::Done(_) | Event::Failed(_));
                return Poll::Ready(Some((index, event)));
            }
            if waits { Poll::Pending } else { Poll::Ready(None) }
        })
        .await
    }

    /// The client has all of it.
    pub fn settle(self) {
        self.say(Word::Settle);
    }

    /// The request failed as a whole: what waits for the client's word is not charged.
    pub fn void(self) {
        self.say(Word::Void);
    }

    fn say(self, word: Word) {
        for choice in self.choices {
            // A job that does not wait for it is none that it matters to.
            let _ = choice.word.send(word);
        }
    }
}

/// What a client sees of its job, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// What is told of the next tokens, before the text that they make; never empty.
    Told(Vec<(TokenId, ToldToken)>),
    /// Released text; never empty.
    Text(String),
    /// A call of a function begins; calls are counted from 0.
    Call {
        index: u32,
        name: String,
    },
    /// More of a call's arguments; never empty.
    Arguments {
        index: u32,
        text: String,
    },
    /// All vectors, one input after the other.
    Vectors(Vec<f32>),
    Done(Summary),
    Failed(ServeError),
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub finish: FinishReason,
    pub prompt_tokens: u32,
    /// Tokens of the answer, counted once, the end token included.
    pub completion_tokens: u32,
    pub verdict: Verdict,
    /// The answer's ids, so that its client can check them against its receipt.
    pub ids: Vec<TokenId>,
}

/// Why this answer may be trusted, as far as it is known when the answer ends.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Verdict {
    /// `agreement`: at least two owners gave this answer and nobody another one; `majority`: more
    /// owners gave it than any other; `spot_checks`: the model itself confirmed it; `trusted`: one proven node gave it.
    #[schema(value_type = String)]
    pub rule: Rule,
    /// What it was asked under.
    pub policy: Risk,
    /// Which set of nodes gave the answer: 1 to 3.
    pub round: u8,
    pub nodes_asked: u32,
    /// Nodes of different owners that gave exactly this answer so far.
    pub nodes_agreed: u32,
    /// Whether it was drawn for an audit: checked although nothing else asked for it.
    pub audited: bool,
    /// Positions that were checked against the model itself; 0 when agreement alone decided.
    pub positions_checked: u32,
    /// The largest distance, in logits, from the model's own choice among those positions.
    pub largest_margin: Option<f64>,
    /// σ̂² of the answer that was checked, for its receipt.
    #[serde(skip)]
    pub sigma2: Option<f64>,
}

/// Why a job gave no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ServeError {
    #[error("the account has {available} available and this request could cost {needed}")]
    InsufficientCredit { available: Nano, needed: Nano },
    #[error("the account has {max} requests running, which is the most it may have at once")]
    TooManyJobs { max: u32 },
    #[error(
        "{left} of the API key's budget for today is left and this request could cost {needed}"
    )]
    OverBudget { left: Nano, needed: Nano },
    #[error("the prompt has {prompt} tokens; the model takes {context} with its answer")]
    ContextTooLong { prompt: u32, context: u32 },
    #[error(
        "the prompt has {bytes} bytes, which is more than the {context} tokens that the model takes"
    )]
    PromptTooLarge { bytes: usize, context: u32 },
    #[error("input {index} has {tokens} tokens; the model takes {max}")]
    InputTooLong { index: usize, tokens: usize, max: u32 },
    #[error("all inputs together have {tokens} tokens; {max} are the most in one request")]
    InputsTooLong { tokens: usize, max: usize },
    #[error("input {index} is empty")]
    InputEmpty { index: usize },
    #[error("the prompt is empty: there is nothing to go on from")]
    PromptEmpty,
    #[error("the messages do not fit the model's chat template: {0}")]
    Template(String),
    #[error("{0}")]
    Form(WrongForm),
    #[error("no node serves `{model}` right now")]
    NoNodes { model: String },
    #[error("`{model}` needs nodes of {needed} different owners for this request; {there} took it")]
    TooFewNodes { model: String, there: usize, needed: usize },
    #[error("risk `high` needs a scorer for `{model}`, and none is connected")]
    NoScorer { model: String },
    #[error("no answer passed verification in {rounds} round(s); nothing was charged")]
    NotVerified { rounds: u8 },
    #[error("what was checked contradicts what had been sent; nothing was charged")]
    Contradicted,
    #[error("no answer came in time; nothing was charged")]
    Timeout,
    #[error("too many requests are running")]
    Overloaded,
    #[error("the gateway is shutting down")]
    ShuttingDown,
    #[error("the gateway's store does not answer")]
    Store,
    #[error("the gateway made a mistake; nothing was charged")]
    Internal,
    #[error("the request that this was a part of failed; nothing was charged")]
    Incomplete,
}

impl ServeError {
    /// The stable code.
    pub fn code(&self) -> Reason {
        match self {
            Self::InsufficientCredit { .. } => Reason::InsufficientQuota,
            Self::TooManyJobs { .. } => Reason::RateLimit,
            Self::OverBudget { .. } => Reason::KeyBudget,
            Self::ContextTooLong { .. }
            | Self::PromptTooLarge { .. }
            | Self::InputTooLong { .. }
            | Self::InputsTooLong { .. } => Reason::ContextLength,
            Self::InputEmpty { .. } | Self::PromptEmpty | Self::Template(_) | Self::Form(_) => {
                Reason::InvalidValue
            }
            Self::NoNodes { .. } => Reason::NoNodes,
            Self::TooFewNodes { .. } => Reason::TooFewNodes,
            Self::NoScorer { .. } => Reason::NoScorerNow,
            Self::NotVerified { .. } | Self::Contradicted => Reason::NotVerified,
            Self::Timeout => Reason::Timeout,
            Self::Overloaded => Reason::Overloaded,
            Self::ShuttingDown => Reason::ShuttingDown,
            Self::Store => Reason::StoreUnavailable,
            Self::Internal | Self::Incomplete => Reason::Internal,
        }
    }
}

/// The job's end.
#[derive(Debug)]
pub(super) struct Outlet {
    events: mpsc::Sender<Event>,
    /// All that went out.
    sent: Mutex<Said>,
    word: Option<oneshot::Receiver<Word>>,
}

impl Outlet {
    /// Sends a piece on. A client that left is noticed by [`Outlet::left`].
    pub(super) fn piece(&self, piece: Piece) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).take(piece.clone());
        self.send(match piece {
            Piece::Text(text) => Event::Text(text),
            Piece::Call { index, name } => Event::Call { index, name },
            Piece::Arguments { index, text } => Event::Arguments { index, text },
        });
    }

    /// Sends on what is told of tokens.
    pub(super) fn told(&self, told: Vec<(TokenId, ToldToken)>) {
        if !told.is_empty() {
            self.send(Event::Told(told));
        }
    }

    /// Sends vectors on; what stands for them in a receipt counts as what was sent.
    pub(super) fn vectors(&self, components: Vec<f32>) {
        let content = Piece::Text(vectors_content(&components));
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).take(content);
        self.send(Event::Vectors(components));
    }

    pub(super) fn done(&self, summary: Summary) {
        self.send(Event::Done(summary));
    }

    pub(super) fn failed(&self, error: ServeError) {
        self.send(Event::Failed(error));
    }

    /// All that went out so far.
    pub(super) fn sent(&self) -> Said {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a call of a function went out.
    pub(super) fn has_calls(&self) -> bool {
        !self.sent.lock().unwrap_or_else(PoisonError::into_inner).calls.is_empty()
    }

    /// Waits for the client's word on its whole request; nothing when it let go without one.
    pub(super) async fn word(&mut self) -> Option<Word> {
        self.word.take()?.await.ok()
    }

    /// Waits until the client has let go.
    pub(super) async fn left(&self) {
        self.events.closed().await;
    }

    fn send(&self, event: Event) {
        // Either the client has left, which the job learns elsewhere, or a bound above is wrong.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(event) {
            tracing::error!("a delivery held more events than its answer can have");
        }
    }
}
