//! Asks for a payment: our row first, then the provider's page under the row's name, so that nothing that
//! was asked for is ever lost or asked for twice.

use assay_ledger::AccountId;
use uuid::Uuid;

use super::{
    PaymentError,
    stripe::{CallError, NewSession, Session, Stripe},
};
use crate::{
    app::App,
    clock,
    db::{
        self,
        top_ups::{NewTopUp, TopUpRow, TopUpState},
    },
};

/// A top-up that a client wants.
#[derive(Clone, Debug)]
pub struct CheckoutAsk {
    pub account: AccountId,
    pub cents: i64,
    /// The same key asks for the same payment.
    pub client_key: String,
}

/// The payment and the page where it is made.
///
/// # Errors
/// [`PaymentError`]; after `Unavailable` the same ask may be made again.
pub async fn checkout(app: &App, ask: CheckoutAsk) -> Result<TopUpRow, PaymentError> {
    let stripe = app.payments.stripe()?;
    let settings = &app.config.payments;
    let (min, max) = (settings.top_up_cents_min, settings.top_up_cents_max);
    if !(min..=max).contains(&ask.cents) {
        return Err(PaymentError::Amount { min, max });
    }
    let new = NewTopUp {
        id: Uuid::now_v7().to_string(),
        account: ask.account,
        client_key: ask.client_key,
        cents: ask.cents,
        created_ms: clock::now_ms(),
    };
    let row = db::top_ups::begin(&app.db, &new).await?;
    if row.cents != ask.cents {
        return Err(PaymentError::OtherContent);
    }
    if row.state != TopUpState::Creating {
        return Ok(row);
    }
    let session = match page_of(app, stripe, &row, row.id == new.id).await {
        Ok(session) => session,
        Err(CallError::Refused(why)) => {
            db::top_ups::ended(&app.db, &row.id, TopUpState::Failed, &why).await?;
            return Err(PaymentError::Refused(why));
        }
        Err(error) => {
            if let CallError::Broken(_) = error {
                db::top_ups::tried(&app.db, &row).await?;
            }
            return Err(error.into());
        }
    };
    let url = session.url.unwrap_or_default();
    db::top_ups::opened(&app.db, &row.id, &session.id, &url).await?;
    tracing::info!(
        top_up = row.id,
        account = row.account.0,
        cents = row.cents,
        "payment asked for"
    );
    let row = db::top_ups::find(&app.db, &row.id).await?;
    row.ok_or_else(|| db::DbError::NotFound("the top-up".into()).into())
}

/// The page that was made for this top-up, or a new one where none was.
async fn page_of(
    app: &App,
    stripe: &Stripe,
    row: &TopUpRow,
    is_new: bool,
) -> Result<Session, CallError> {
    // It was asked for before, and nobody heard what came of that.
    if !is_new && let Some(made) = stripe.session_of(&row.id, row.created_ms / 1_000).await? {
        return Ok(made);
    }
    let (success_url, cancel_url) = return_urls(app, &row.id);
    let product = format!("{} credit", app.config.gateway.public_name);
    let new = NewSession {
        top_up: &row.id,
        attempts: row.attempts,
        cents: row.cents,
        product: &product,
        success_url: &success_url,
        cancel_url: &cancel_url,
    };
    stripe.create_session(new).await
}

/// Where the client lands after it paid, and when it went back.
fn return_urls(app: &App, id: &str) -> (String, String) {
    let configured = &app.config.payments.return_url;
    let base = if configured.is_empty() {
        format!("http://{}/console/", app.config.gateway.listen)
    } else {
        configured.clone()
    };
    let joint = if base.contains('?') { '&' } else { '?' };
    (format!("{base}{joint}top_up={id}"), format!("{base}{joint}top_up={id}&cancelled=1"))
}
