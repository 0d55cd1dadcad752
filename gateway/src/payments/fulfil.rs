//! Credits a payment, once. May be called many times, at once, by webhooks, by the client who looks and
//! by reconciliation: what counts is what the provider says when it is asked, and the ledger's key.

use super::{
    PaymentError,
    stripe::{CURRENCY, Session, Stripe},
};
use crate::{
    app::App,
    clock,
    db::{
        self,
        top_ups::{PaidTopUp, TopUpRow, TopUpState},
    },
};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fulfilled {
    /// Credited now.
    Credited,
    /// Credited before.
    Before,
    /// Not paid yet.
    Waiting,
    /// It came to nothing, and is written down as that.
    Ended(TopUpState),
    /// The provider reports something else than was asked for: nobody is credited, somebody must look.
    Differs(&'static str),
    /// No top-up of this gateway.
    NotOurs,
}

/// What the provider's word means for our row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    Credit { payment: String },
    Wait,
    End(TopUpState, &'static str),
    Differs(&'static str),
}

/// Asks the provider about a session, and credits it if it was paid. `failed`: the provider said that the
/// payment came to nothing.
///
/// # Errors
/// When provider or store do not answer: call it again.
pub async fn fulfil(app: &App, session: &str, failed: bool) -> Result<Fulfilled, PaymentError> {
    let stripe = app.payments.stripe()?;
    let known = db::top_ups::find_by_session(&app.db, session).await?;
    if known.as_ref().is_some_and(|row| row.state == TopUpState::Paid) {
        return Ok(Fulfilled::Before);
    }
    let session = stripe.session(session).await?;
    let failed = failed || has_failed(stripe, &session).await?;
    settle(app, known, &session, failed).await
}

/// Whether the money of a session that its client has completed was on its way and did not arrive.
pub(super) async fn has_failed(stripe: &Stripe, session: &Session) -> Result<bool, PaymentError> {
    let under_way =
        session.status.as_deref() == Some("complete") && session.payment_status == "unpaid";
    match &session.payment_intent {
        Some(payment) if under_way => Ok(stripe.payment(payment).await?.has_failed()),
        _ => Ok(false),
    }
}

/// Does what a session that the provider reported means for us.
pub(super) async fn settle(
    app: &App,
    known: Option<TopUpRow>,
    session: &Session,
    failed: bool,
) -> Result<Fulfilled, PaymentError> {
    let row = match (known, &session.client_reference_id) {
        (Some(row), _) => row,
        // The gateway stopped before it could write the session's name down.
        (None, Some(id)) => match db::top_ups::find(&app.db, id).await? {
            Some(row) => row,
            None => return Ok(Fulfilled::NotOurs),
        },
        (None, None) => return Ok(Fulfilled::NotOurs),
    };
    match decide(&row, session, failed) {
        Decision::Credit { payment } => credit(app, &row, session, payment).await,
        Decision::Wait => Ok(Fulfilled::Waiting),
        Decision::End(state, reason) => {
            db::top_ups::ended(&app.db, &row.id, state, reason).await?;
            Ok(Fulfilled::Ended(state))
        }
        Decision::Differs(what) => {
            tracing::error!(
                top_up = row.id,
                session = session.id,
                what,
                "a payment is not what was asked for"
            );
            Ok(Fulfilled::Differs(what))
        }
    }
}

async fn credit(
    app: &App,
    row: &TopUpRow,
    session: &Session,
    payment: String,
) -> Result<Fulfilled, PaymentError> {
    let paid = PaidTopUp {
        id: row.id.clone(),
        session: session.id.clone(),
        payment,
        payment_key: format!("stripe:cs:{}", session.id),
        at_ms: clock::now_ms(),
    };
    if db::top_ups::credit(&app.db, &paid).await? {
        return Ok(Fulfilled::Before);
    }
    metrics::counter!("assay_top_ups_total").increment(1);
    tracing::info!(top_up = row.id, account = row.account.0, cents = row.cents, "payment credited");
    Ok(Fulfilled::Credited)
}

/// Pure: our row and the provider's word.
fn decide(row: &TopUpRow, session: &Session, failed: bool) -> Decision {
    if session.client_reference_id.as_deref() != Some(row.id.as_str()) {
        return Decision::Differs("it names another top-up");
    }
    if row.session.as_ref().is_some_and(|known| *known != session.id) {
        return Decision::Differs("the top-up has another session");
    }
    match (session.payment_status.as_str(), session.status.as_deref()) {
        ("paid", _) => {}
        (_, Some("expired")) => return Decision::End(TopUpState::Expired, "nobody paid in time"),
        _ if failed => return Decision::End(TopUpState::Failed, "the payment did not go through"),
        _ => return Decision::Wait,
    }
    if session.amount_total != Some(row.cents) {
        return Decision::Differs("the amount is another");
    }
    if session.currency.as_deref() != Some(CURRENCY) {
        return Decision::Differs("the currency is another");
    }
    match &session.payment_intent {
        Some(payment) => Decision::Credit { payment: payment.clone() },
        None => Decision::Differs("it names no payment"),
    }
}

#[cfg(test)]
mod tests {
    use assay_ledger::AccountId;

    use super::*;

    fn row() -> TopUpRow {
        TopUpRow {
            id: "t1".into(),
            account: AccountId(1001),
            client_key: "k".into(),
            cents: 500,
            state: TopUpState::Open,
            reason: String::new(),
            session: Some("cs_1".into()),
            url: None,
            payment: None,
            attempts: 0,
            created_ms: 1,
            paid_ms: None,
        }
    }

    fn session() -> Session {
        Session {
            id: "cs_1".into(),
            status: Some("complete".into()),
            payment_status: "paid".into(),
            amount_total: Some(500),
            currency: Some("usd".into()),
            client_reference_id: Some("t1".into()),
            payment_intent: Some("pi_1".into()),
            url: None,
            created: 1,
        }
    }

    #[test]
    fn a_session_that_is_paid_as_asked_is_credited() {
        let credit = Decision::Credit { payment: "pi_1".into() };
        assert_eq!(decide(&row(), &session(), false), credit);
        assert_eq!(decide(&row(), &session(), true), credit, "what Stripe says now counts");
        let unnamed = TopUpRow { session: None, ..row() };
        assert_eq!(decide(&unnamed, &session(), false), credit);
    }

    #[test]
    fn what_is_not_paid_credits_nothing() {
        let unpaid = Session { payment_status: "unpaid".into(), ..session() };
        assert_eq!(decide(&row(), &unpaid, false), Decision::Wait);
        assert!(matches!(decide(&row(), &unpaid, true), Decision::End(TopUpState::Failed, _)));
        let expired = Session { status: Some("expired".into()), ..unpaid.clone() };
        assert!(matches!(decide(&row(), &expired, false), Decision::End(TopUpState::Expired, _)));
        let free = Session { payment_status: "no_payment_required".into(), ..session() };
        assert_eq!(decide(&row(), &free, false), Decision::Wait, "no money came");
    }

    #[test]
    fn another_amount_currency_or_session_credits_nothing() {
        for other in [
            Session { amount_total: Some(499), ..session() },
            Session { amount_total: None, ..session() },
            Session { currency: Some("eur".into()), ..session() },
            Session { client_reference_id: Some("t2".into()), ..session() },
            Session { client_reference_id: None, ..session() },
            Session { id: "cs_2".into(), ..session() },
            Session { payment_intent: None, ..session() },
        ] {
            assert!(matches!(decide(&row(), &other, false), Decision::Differs(_)), "{other:?}");
        }
    }
}
