//! What findings about answers mean for their nodes' records: a class's brake may spare them, and a pass that
//! could not teach anything counts nothing.

use assay_ledger::AccountId;
use assay_protocol::NodeId;
use assay_verifier::{Answer, Finding, brake::Checked};

use super::{brakes::Class, reputation::Check, weights::Pass};
use crate::{app::App, catalog::HostedModel, clock, serving::Question};

/// A finding about one answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) answer: &'a Answer,
    pub(super) finding: Finding,
    /// The same for the class's brake.
    pub(super) checked: Checked,
}

/// For each finding what its node's record learns.
pub(super) fn weigh(
    app: &App,
    question: Question<'_>,
    account: AccountId,
    found: &[Found<'_>],
) -> Vec<Check> {
    let now_ms = clock::now_ms();
    let of_class = |found: &Found<'_>| {
        (class(app, found.answer.node, question.model), found.answer.owner, found.checked)
    };
    let spared = app.brakes.record(&found.iter().map(of_class).collect::<Vec<_>>(), now_ms);
    let check = |(found, spared): (&Found<'_>, bool)| match found.finding {
        Finding::Failed { .. } if spared => Check::Spared,
        Finding::Passed { weight } => {
            Check::Passed { weight: counted(app, question, account, found.answer, weight, now_ms) }
        }
        failed @ Finding::Failed { .. } => Check::of(failed),
    };
    found.iter().zip(spared).map(check).collect()
}

/// The class that the node's self-test gave it; of a node that has left or needed none, the narrowest.
fn class(app: &App, node: NodeId, model: &HostedModel) -> Class {
    let narrowest = || model.narrowest_class().map(|(class, _)| class.to_owned());
    let class = app.nodes.class(node, model.id()).or_else(narrowest).unwrap_or_default();
    Class { model: model.id().to_owned(), class }
}

fn counted(
    app: &App,
    question: Question<'_>,
    account: AccountId,
    answer: &Answer,
    weight: f64,
    now_ms: i64,
) -> f64 {
    let model = question.model.id();
    let pass = Pass {
        node: answer.node,
        model,
        owner: AccountId(answer.owner.0),
        account,
        prompt: question.prompt,
        seed: question.seed,
        weight,
        evidence: app.reputation.evidence(answer.node, model).passes,
    };
    app.weights.of(&pass, now_ms)
}
