//! Who asks: a client never gets a node that may be its own, since then it would answer for itself.

use super::ServeError;
use crate::{
    app::App,
    auth::Caller,
    db,
    scheduler::{Party, Payouts},
};

/// The caller, or the operator that it belongs to.
pub(super) async fn party(app: &App, caller: &Caller) -> Result<Party, ServeError> {
    let network = caller.network;
    let Some((operator, account)) =
        db::accounts::operator_of(&app.db, caller.account).await.map_err(store)?
    else {
        return Ok(Party { account: caller.account, payouts: Payouts::default(), network });
    };
    let known = db::payout_addresses::of_operator(&app.db, operator).await.map_err(store)?;
    Ok(Party { account, payouts: Payouts::of(&known), network })
}

fn store(error: db::DbError) -> ServeError {
    tracing::warn!(%error, "whose an account is could not be read");
    ServeError::Store
}
