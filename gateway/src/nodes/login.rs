//! A node proves that it holds the key it enrolled with.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use assay_protocol::{
    Bytes32, CloseCode, FromNodeFrame, NodeId, ToNode, VERSION, identity, limits,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tracing::{info, warn};

use super::{
    conduct::SessionIdentity,
    registry::Registration,
    socket::{Incoming, Socket},
};
use crate::{
    app::App,
    clock, db,
    scheduler::{Network, Party, Payouts},
};

static UNAUTHENTICATED: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(limits::UNAUTHENTICATED_SOCKETS_MAX)));

/// A place among the connections that have not logged in yet, while there is one.
pub(super) fn admit() -> Option<OwnedSemaphorePermit> {
    UNAUTHENTICATED.clone().try_acquire_owned().ok()
}

/// Who logged in.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) registration: Registration,
    pub(super) identity: SessionIdentity,
}

/// Why a log-in was turned down, as the node reads it.
struct Refusal(CloseCode, String);

/// A refusal that may be over soon is worth another try after this long.
const RETRY_MS: u64 = 5_000;

/// Challenge, answer, welcome; or a close with the reason, and nothing.
pub(super) async fn log_in(
    app: &App,
    socket: &mut Socket,
    network: Option<Network>,
) -> Option<Login> {
    let wait = Duration::from_millis(limits::LOGIN_MS_MAX);
    let refusal = match timeout(wait, answer(app, socket, network)).await {
        Ok(Some(Ok(login))) => {
            let welcome = ToNode::Welcome {
                version: VERSION,
                epoch: login.identity.epoch,
                heartbeat_ms: limits::HEARTBEAT_MS,
            };
            socket.send(&welcome).await.ok()?;
            info!(node = %login.identity.node, epoch = login.identity.epoch, "node logged in");
            return Some(login);
        }
        Ok(Some(Err(refusal))) => refusal,
        Ok(None) => return None,
        Err(_) => Refusal(CloseCode::Silent, "no log-in came within five seconds".into()),
    };
    warn!(reason = refusal.1, "node log-in refused");
    let retry_after_ms = match refusal.0 {
        CloseCode::Shutdown | CloseCode::Silent => Some(RETRY_MS),
        _ => None,
    };
    let close = ToNode::Close { code: refusal.0, reason: refusal.1, retry_after_ms };
    let _ = socket.send(&close).await;
    None
}

async fn answer(
    app: &App,
    socket: &mut Socket,
    network: Option<Network>,
) -> Option<Result<Login, Refusal>> {
    let gateway = app.keys.gateway_id().to_owned();
    let nonce = Bytes32(rand::random());
    let challenge = ToNode::Challenge { gateway: gateway.clone(), nonce, versions: vec![VERSION] };
    socket.send(&challenge).await.ok()?;
    let frame = match socket.next().await {
        Incoming::Frame(frame) => frame.frame,
        Incoming::Closed => return None,
        Incoming::Alive | Incoming::Broken(_) => {
            return Some(Err(Refusal(CloseCode::BadLogin, "expected a log-in frame".into())));
        }
    };
    let FromNodeFrame::Login { node, version, signature } = frame else {
        return Some(Err(Refusal(CloseCode::BadLogin, "expected a log-in frame".into())));
    };
    if version != VERSION {
        return Some(Err(Refusal(
            CloseCode::VersionNotSpoken,
            "this gateway speaks protocol version 1 only; update the node agent".into(),
        )));
    }
    Some(
        look_up(app, node, network, |public_key| {
            let statement = identity::login_statement(&gateway, nonce, node, version);
            identity::verify(public_key, &statement, signature)
        })
        .await,
    )
}

async fn look_up(
    app: &App,
    node: NodeId,
    network: Option<Network>,
    signed_by: impl FnOnce(Bytes32) -> bool,
) -> Result<Login, Refusal> {
    let row = match db::nodes::find(&app.db, node).await {
        Ok(Some(row)) => row,
        Ok(None) => {
            return Err(Refusal(
                CloseCode::UnknownNode,
                "this gateway does not know that node: enrol".into(),
            ));
        }
        Err(error) => {
            warn!(%node, %error, "node log-in could not read the store");
            return Err(Refusal(CloseCode::Shutdown, "the gateway's store does not answer".into()));
        }
    };
    if !signed_by(row.public_key) {
        return Err(Refusal(CloseCode::BadLogin, "the signature is not of this node's key".into()));
    }
    if row.is_banned() {
        return Err(Refusal(CloseCode::Banned, format!("this node is banned: {}", row.reason)));
    }
    if let Err(error) = db::nodes::set_last_seen(&app.db, node, clock::now_ms()).await {
        warn!(%node, %error, "last-seen time not stored");
    }
    let registration = Registration {
        node,
        name: row.name,
        party: Party { account: row.account, payouts: Payouts::default(), network },
        trusted: row.trusted,
        quarantine: row.out.filter(|out| out.until_ms.is_some()),
    };
    let identity = SessionIdentity {
        gateway: app.keys.gateway_id().to_owned(),
        node,
        epoch: app.nodes.next_epoch(),
        public_key: row.public_key,
    };
    Ok(Login { registration, identity })
}
