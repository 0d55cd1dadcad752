//! What follows for a node from a verified check: trust, a quarantine, a ban.

use assay_protocol::{NodeId, NodeStanding, NodeState, StandingCode};
use assay_verifier::{Consequence, Record};
use tracing::{error, warn};

use super::{admission::place_of, reputation::Check};
use crate::{
    app::App,
    clock,
    db::{self, Out, forfeits::NewBan},
};

/// Moves the node's record, and the node if that follows. The store has the record's change already.
pub(crate) async fn follow(app: &App, node: NodeId, model: &str, check: Check) {
    let consequence = match db::reputation::of_node(&app.db, node).await {
        Ok(known) => {
            app.reputation.know(known);
            app.reputation.consequence(node, model, check)
        }
        Err(error) => {
            warn!(%node, %error, "what other gateways know of it is not read now");
            app.reputation.learn(node, model, check)
        }
    };
    let record = app.reputation.record(node, model);
    match consequence {
        Consequence::None => move_within(app, node),
        Consequence::Quarantine => {
            let reason = format!(
                "checks of its answers with {model} failed too often (ban test at {:.1}); \
                 afterwards it is tested anew",
                record.cusum
            );
            quarantine(app, node, StandingCode::FailedChecks, reason).await;
        }
        Consequence::BanCandidate => {
            let reason = format!(
                "checks of its answers with {model} failed so often (ban test at {:.1}) that one \
                 proven failure bans it",
                record.cusum
            );
            quarantine(app, node, StandingCode::BanCandidate, reason).await;
        }
        Consequence::Ban => ban(app, node, model, record).await,
    }
}

/// On probation or active, by what is known now.
fn move_within(app: &App, node: NodeId) {
    let Some((NodeStanding { state, code, .. }, models)) = app.nodes.admitted(node) else { return };
    let is_worker = code != StandingCode::Scorer;
    if matches!(state, NodeState::Probation | NodeState::Active) && is_worker {
        app.nodes.stand(node, place_of(app, node, &models));
    }
}

async fn quarantine(app: &App, node: NodeId, code: StandingCode, reason: String) {
    let now_ms = clock::now_ms();
    let length_ms = i64::try_from(app.config.nodes.quarantine_ms).unwrap_or(i64::MAX);
    let until_ms = Some(now_ms.saturating_add(length_ms));
    warn!(%node, code = code.as_str(), reason, "node in quarantine");
    metrics::counter!("assay_quarantines_total", "code" => code.as_str()).increment(1);
    let out = Out { code, reason, until_ms };
    if let Err(error) = db::standing::quarantine(&app.db, node, &out, now_ms).await {
        error!(%node, %error, "a quarantine is not stored: it ends with the gateway");
    }
    app.nodes.quarantine(node, out);
}

async fn ban(app: &App, node: NodeId, model: &str, record: Record) {
    let code = StandingCode::ProvenCheating;
    let reason = format!(
        "checks of its answers with {model} failed again and again (ban test at {:.1}), {} of \
         them proven",
        record.cusum, record.proofs
    );
    let (at_ms, maturity) = (clock::now_ms(), app.config.economy);
    let new = NewBan { node, reason, at_ms, maturity };
    let reason = match db::forfeits::ban(&app.db, &new).await {
        Ok(Some(reason)) => {
            app.pay.forget(node);
            metrics::counter!("assay_bans_total").increment(1);
            reason
        }
        // It was found out more than once at the same time.
        Ok(None) => return,
        Err(error) => {
            error!(%node, %error, "a ban is not stored: it ends with the gateway");
            new.reason
        }
    };
    warn!(%node, reason, "node banned");
    app.nodes.ban(node, code, reason);
}
