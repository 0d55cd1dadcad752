//! Gives unused credit back to the payment that it came from: held first, then asked of the provider under
//! the refund's own name, then sent or given back by what the provider says.

use assay_ledger::AccountId;
use uuid::Uuid;

use super::{
    PaymentError,
    stripe::{CURRENCY, CallError, StripeRefund},
};
use crate::{
    app::App,
    clock,
    db::{
        self,
        refunds::{Ended, NewRefund, OpenRefundError, RefundEnd, RefundRow, RefundState},
    },
};

/// Credit that a client wants back.
#[derive(Clone, Debug)]
pub struct RefundAsk {
    pub account: AccountId,
    pub top_up: String,
    pub cents: i64,
    /// The same key asks for the same refund.
    pub client_key: String,
}

/// Holds the credit and asks the provider. When it does not answer, the refund stays held and is asked
/// for again until it does.
///
/// # Errors
/// [`PaymentError`] when nothing is held.
pub async fn refund(app: &App, ask: RefundAsk) -> Result<RefundRow, PaymentError> {
    app.payments.stripe()?;
    let new = NewRefund {
        id: Uuid::new_v4(),
        account: ask.account,
        top_up: ask.top_up,
        client_key: ask.client_key,
        cents: ask.cents,
        created_ms: clock::now_ms(),
    };
    let row = db::refunds::open(&app.db, &new).await.map_err(|error| match error {
        OpenRefundError::Store(error) => error.into(),
        refused => PaymentError::Refund(refused),
    })?;
    if let Err(error) = send(app, &row).await {
        tracing::warn!(refund = row.id, %error, "a refund stays held and is tried again");
    }
    let row = db::refunds::find(&app.db, &row.id).await?;
    row.ok_or_else(|| db::DbError::NotFound("the refund".into()).into())
}

/// Asks the provider for a held refund, again if need be: under its name it happens once.
pub(super) async fn send(app: &App, row: &RefundRow) -> Result<(), PaymentError> {
    if row.state != RefundState::Held {
        return Ok(());
    }
    let stripe = app.payments.stripe()?;
    let asked = match &row.reference {
        Some(reference) => stripe.refund(reference).await,
        None => {
            // It stays held; whoever looks for held refunds asks again.
            if db::ledger_state::withdrawals_stopped(&app.db).await?.is_some() {
                return Err(PaymentError::Stopped);
            }
            let top_up = db::top_ups::find(&app.db, &row.top_up).await?;
            let payment = top_up.and_then(|top_up| top_up.payment).unwrap_or_default();
            // The provider forgets the name under which it does a thing once, after a day: a refund that was made and
            // not heard of is found by what we wrote on it.
            match stripe.refund_of(&payment, &row.id).await {
                Ok(Some(made)) => Ok(made),
                Ok(None) => stripe.create_refund(&row.id, row.attempts, &payment, row.cents).await,
                Err(error) => return Err(error.into()),
            }
        }
    };
    match asked {
        Ok(refund) => settle(app, row, &refund).await.map(|_| ()),
        // Only a refund that the provider never made can be refused.
        Err(CallError::Refused(why)) if row.reference.is_none() => {
            end(app, row, RefundState::Failed, why, None).await.map(|_| ())
        }
        Err(error) => {
            if let CallError::Broken(_) = error {
                db::refunds::tried(&app.db, row).await?;
            }
            Err(error.into())
        }
    }
}

/// The provider has news of one of its refunds.
pub(super) async fn learn(app: &App, reference: &str) -> Result<(), PaymentError> {
    let refund = app.payments.stripe()?.refund(reference).await?;
    heard(app, &refund).await?;
    Ok(())
}

/// What came of a refund that the provider told of.
pub(super) async fn heard(app: &App, refund: &StripeRefund) -> Result<Heard, PaymentError> {
    let row = match refund.ours() {
        Some(id) => db::refunds::find(&app.db, id).await?,
        None => None,
    };
    match row {
        Some(row) => settle(app, &row, refund).await,
        None => {
            tracing::warn!(refund = refund.id, "a refund that was not asked for here");
            Ok(Heard::NotOurs)
        }
    }
}

/// What the provider's word about a refund means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing new.
    Nothing,
    /// It ended now, or came back after it had been sent.
    Ended,
    /// No refund of this gateway.
    NotOurs,
    /// It contradicts the books: somebody must look.
    Differs(&'static str),
}

async fn settle(app: &App, row: &RefundRow, refund: &StripeRefund) -> Result<Heard, PaymentError> {
    if (refund.amount, refund.currency.as_str()) != (row.cents, CURRENCY) {
        tracing::error!(refund = row.id, "a refund is not what was asked for");
        return Ok(Heard::Differs("its amount is not what was asked for"));
    }
    let reference = Some(refund.id.clone());
    match refund.status.as_deref() {
        Some("succeeded") => end(app, row, RefundState::Sent, String::new(), reference).await,
        Some("failed" | "canceled") => {
            let why =
                refund.failure_reason.clone().unwrap_or_else(|| "it did not go through".into());
            end(app, row, RefundState::Failed, why, reference).await
        }
        _ => {
            db::refunds::named(&app.db, &row.id, &refund.id).await?;
            Ok(Heard::Nothing)
        }
    }
}

async fn end(
    app: &App,
    row: &RefundRow,
    state: RefundState,
    reason: String,
    reference: Option<String>,
) -> Result<Heard, PaymentError> {
    let end = RefundEnd { state, reason, reference, at_ms: clock::now_ms() };
    let ended = match db::refunds::end(&app.db, &row.id, &end).await {
        Ok(ended) => ended,
        // The credit was given back; now it is said to have left all the same.
        Err(db::DbError::Conflict(_)) => {
            tracing::error!(
                refund = row.id,
                "a refund that had failed was sent, says the provider"
            );
            return Ok(Heard::Differs("it had failed, and now it is said to be sent"));
        }
        Err(error) => return Err(error.into()),
    };
    let (cents, state) = (row.cents, state.as_str());
    match ended {
        Ended::Before => return Ok(Heard::Nothing),
        Ended::Now => tracing::info!(refund = row.id, cents, state, "refund ended"),
        Ended::CameBack => tracing::warn!(refund = row.id, cents, "a refund came back"),
    }
    Ok(Heard::Ended)
}
