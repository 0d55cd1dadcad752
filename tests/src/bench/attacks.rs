//! The cheats' real answers: each kind of the zoo does the same jobs, and the true model scores what it says.

use std::sync::Arc;

use assay_protocol::{GenerateStart, NodeState};

use super::{
    sample::{Sample, Store},
    work::Machine,
};
use crate::{
    Model,
    model::Answer,
    zoo::{Behaviour, Job},
    zoo_models::ZooModel,
};

/// Every kind that lies about the answer itself.
pub const LIARS: [Behaviour; 19] = [
    Behaviour::Random,
    Behaviour::Canned,
    Behaviour::Cached,
    Behaviour::OtherPrompt,
    Behaviour::IgnoreSeed,
    Behaviour::WrongTemperature,
    Behaviour::Truncate,
    Behaviour::Pad,
    Behaviour::Edit,
    Behaviour::Inflate,
    Behaviour::Collude,
    Behaviour::Smaller,
    Behaviour::Earlier,
    Behaviour::Fp16,
    Behaviour::Int8,
    Behaviour::Int8Dynamic,
    Behaviour::Q4,
    Behaviour::ForgeLogits,
    Behaviour::Prefill,
];

/// Every other kind, and where in the benchmark it is found or why it is not there.
pub const OTHERS: [(Behaviour, &str); 25] = [
    (Behaviour::Honest, "the honest answers, which every row is held against"),
    (Behaviour::Slow, "its answers are the honest ones"),
    (Behaviour::Flip, "no cheat: a flip inside the limits is an honest answer"),
    (
        Behaviour::NoMask,
        "the benchmark's jobs have no grammar; where there is one, its tokens are outside of it",
    ),
    (
        Behaviour::BendLogprobs,
        "the benchmark asks for no log probabilities: its answers are the honest ones",
    ),
    (Behaviour::Copy, "nothing that it could copy reaches it on the wire, so it says nothing"),
    (Behaviour::Sybil, "the rows `sybil`"),
    (Behaviour::FalseClass, "its answers are those of `fp16`; what it claims is not looked at"),
    (Behaviour::OneInTen, "the rows `1 in 10` of every kind"),
    (Behaviour::UntilTrusted, "every life begins with a good name"),
    (Behaviour::DustFarmer, "the rows `dust-farmer`"),
    (Behaviour::Bolt, "its tokens are those of `canned`; its session is cut"),
    (Behaviour::WrongCount, CUT),
    (Behaviour::WrongSize, CUT),
    (Behaviour::Flood, CUT),
    (Behaviour::Garbage, CUT),
    (Behaviour::Oversized, CUT),
    (Behaviour::BadSignature, CUT),
    (Behaviour::ReplaySignature, CUT),
    (Behaviour::SkipSignature, CUT),
    (Behaviour::Vanish, NO_ANSWER),
    (Behaviour::Stall, NO_ANSWER),
    (Behaviour::Refuse, NO_ANSWER),
    (Behaviour::Silent, NO_ANSWER),
    (Behaviour::Deaf, "its answers are the honest ones; it only hears no end"),
];
const CUT: &str = "its session is cut at the first frame in bad form: there is no answer to judge";
const NO_ANSWER: &str = "it never ends an answer: there is nothing to judge, and nothing is paid";

/// Where answers come from.
#[derive(Clone, Debug)]
pub struct Studio {
    pub model: Arc<Model>,
    /// Runs the true model.
    pub machine: Machine,
    pub store: Store,
}

impl Studio {
    /// Honest answers with their scores.
    pub fn honest(&self, name: &str, starts: &[GenerateStart]) -> anyhow::Result<Vec<Sample>> {
        self.store.get_or(&format!("honest-{name}"), starts.len(), || {
            self.scored(starts, self.machine.answer(starts))
        })
    }

    /// What nodes of a kind say to the same jobs. `honest`: what the model says to them.
    pub fn lies(
        &self,
        kind: Behaviour,
        name: &str,
        starts: &[GenerateStart],
        honest: &[Sample],
    ) -> anyhow::Result<Vec<Sample>> {
        self.store.get_or(&format!("{}-{name}", kind.name()), starts.len(), || {
            let jobs: Vec<Job> =
                (0..).zip(starts).map(|(nth, start)| self.job(nth, start)).collect();
            let computed = self.computed(kind, &jobs, honest);
            let said: Vec<Answer> = computed
                .into_iter()
                .zip(&jobs)
                .map(|(answer, job)| kind.says(answer, job).cut_to(job.room()))
                .collect();
            let mut samples = self.scored(starts, said);
            if kind.forges_logits() {
                samples.iter_mut().for_each(forge);
            }
            samples
        })
    }

    /// What the kind's weights say to what the kind asks them.
    fn computed(&self, kind: Behaviour, jobs: &[Job], honest: &[Sample]) -> Vec<Answer> {
        let asked: Vec<GenerateStart> = jobs.iter().map(|job| kind.asks(job)).collect();
        match kind.weights() {
            Some(name) => {
                let weak = ZooModel::assemble(name);
                Machine { folder: weak.folder().to_owned(), form: None, ..self.machine.clone() }
                    .answer(&asked)
            }
            // What the right model says to the right question is there already.
            None if asked.iter().zip(jobs).all(|(asked, job)| *asked == job.start) => {
                honest.iter().map(|sample| sample.answer.clone()).collect()
            }
            None => self.machine.answer(&asked),
        }
    }

    pub(super) fn scored(&self, starts: &[GenerateStart], answers: Vec<Answer>) -> Vec<Sample> {
        let said: Vec<_> = starts
            .iter()
            .zip(&answers)
            .map(|(start, answer)| (start.clone(), answer.ids.clone()))
            .collect();
        let scores = self.machine.score(&said);
        answers.into_iter().zip(scores).map(|(answer, scores)| Sample { answer, scores }).collect()
    }

    fn job(&self, nth: u32, start: &GenerateStart) -> Job {
        Job {
            start: start.clone(),
            model: self.model.clone(),
            nth,
            state: Some(NodeState::Active),
            last_signature: None,
            dice: nth.into(),
        }
    }
}

/// One pass of the true model over the text gives these logits.
fn forge(sample: &mut Sample) {
    sample.answer.logits = sample.scores.iter().map(|score| score.logit).collect();
}
