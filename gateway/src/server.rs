//! Accepts connections and ends them in good order. `axum::serve` has no timeout for a request's
//! head and no bound on connections, so the loop is ours; production and tests run the same one.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{
    app::App,
    config::LimitSettings,
    kept_answers,
    nodes::{presence, standing},
    ownership,
    payments::{payouts, reconcile},
    receipts, router, sealer, self_audit, telemetry,
    verification::{admission, audit_queue, epochs},
};

/// After a failed accept (no file descriptors left, mostly): time for some connection to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often old figures and idle rate buckets are dropped.
const UPKEEP_EACH: Duration = Duration::from_secs(30);
/// Enough for any SDK; more than this many headers is an attack.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: u32 = 32 * 1024;

/// Serves until `shutdown`, then lets open requests end, then sessions and settlements; each step has
/// its bound in [`LimitSettings`].
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = app.config.limits;
    let routes = router::router(&app);
    let upkeep = upkeep(routes.idle_buckets, app.shutdown.clone());
    app.tasks.spawn(upkeep);
    app.tasks.spawn(admission::run(app.clone()));
    app.tasks.spawn(epochs::run(app.clone()));
    app.tasks.spawn(audit_queue::run(app.clone()));
    app.tasks.spawn(reconcile::run(app.clone()));
    app.tasks.spawn(ownership::keep(app.clone()));
    app.tasks.spawn(ownership::note(app.clone()));
    app.tasks.spawn(kept_answers::prune(app.clone()));
    app.tasks.spawn(presence::keep(app.clone()));
    app.tasks.spawn(standing::keep(app.clone()));
    app.tasks.spawn(sealer::run(app.clone()));
    app.tasks.spawn(self_audit::run(app.clone()));
    app.tasks.spawn(receipts::run_sealer(app.clone()));
    app.tasks.spawn(payouts::run(app.clone()));

    let connections =
        Connections::new(routes.router, &limits, app.config.gateway.trusted_proxies.clone().into());
    tracing::info!(address = %listener.local_addr()?, "listening");
    accept(&connections, listener, shutdown).await;

    tracing::info!(open = connections.tasks.len(), "shutting down: no new connections");
    connections.end(Duration::from_millis(limits.shutdown_requests_ms)).await;
    app.shutdown.cancel();
    app.tasks.close();
    if timeout(Duration::from_millis(limits.shutdown_tasks_ms), app.tasks.wait()).await.is_err() {
        let left = app.tasks.len();
        tracing::error!(
            left,
            "stopped waiting for tasks; jobs left open are ended by their last checkpoints"
        );
    }
    Ok(())
}

async fn accept(connections: &Connections, listener: TcpListener, shutdown: impl Future) {
    let mut shutdown = pin!(shutdown);
    loop {
        let permit = tokio::select! {
            permit = connections.permit() => permit,
            _ = &mut shutdown => return,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut shutdown => return,
        };
        match accepted {
            Ok((stream, peer)) => connections.open(stream, peer, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The open connections and what they share.
struct Connections {
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    /// No more requests on open connections.
    ending: CancellationToken,
    /// Not even the rest of the open ones.
    cut: CancellationToken,
    header_wait: Duration,
    /// Whose `X-Forwarded-For` is believed.
    proxies: Arc<[IpAddr]>,
}

impl Connections {
    fn new(router: Router, limits: &LimitSettings, proxies: Arc<[IpAddr]>) -> Self {
        let header_wait = Duration::from_millis(limits.header_wait_ms);
        let idle_wait = Duration::from_millis(limits.idle_wait_ms);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(idle_wait)
            .max_headers(HEADERS_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(idle_wait)
            .keep_alive_timeout(header_wait)
            .max_concurrent_streams(256)
            .max_header_list_size(HEADER_BYTES_MAX);
        Self {
            router,
            builder,
            tasks: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(limits.connections_max)),
            ending: CancellationToken::new(),
            cut: CancellationToken::new(),
            header_wait,
            proxies,
        }
    }

    /// Waits until one more connection may be open.
    async fn permit(&self) -> OwnedSemaphorePermit {
        let permits = self.permits.clone();
        permits.acquire_owned().await.expect("the semaphore is never closed")
    }

    fn open(&self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        // Without this, small events of a stream wait for the client's acknowledgements.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let (router, proxies) = (self.router.clone(), self.proxies.clone());
        let greeted = CancellationToken::new();
        let silent = silent(greeted.clone(), self.header_wait);
        let service = service_fn(move |request: Request<Incoming>| {
            greeted.cancel();
            let mut request = request.map(Body::new);
            let client = crate::api::client(peer, request.headers(), &proxies);
            request.extensions_mut().insert(ConnectInfo(client));
            router.clone().oneshot(request)
        });
        let connection =
            self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let (ending, cut) = (self.ending.clone(), self.cut.clone());
        self.tasks.spawn(async move {
            let _permit = permit;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = silent => Ok(()),
                () = ending.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection => ended,
                        () = cut.cancelled() => Ok(()),
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(error, "a connection broke");
            }
        });
    }

    /// Open requests may end within `wait`; idle connections end now.
    async fn end(&self, wait: Duration) {
        self.ending.cancel();
        self.tasks.close();
        if timeout(wait, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "cutting the requests that are still open");
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Resolves when no request has come within `wait`. hyper's own timer starts only once it has seen
/// enough to tell HTTP/1 from HTTP/2, and waits for that without a bound.
async fn silent(greeted: CancellationToken, wait: Duration) {
    if timeout(wait, greeted.cancelled()).await.is_ok() {
        std::future::pending().await
    }
}

async fn upkeep(idle_buckets: impl Fn() + Send, shutdown: CancellationToken) {
    let mut each = tokio::time::interval(UPKEEP_EACH);
    loop {
        tokio::select! {
            _ = each.tick() => {
                telemetry::upkeep_metrics();
                idle_buckets();
            }
            () = shutdown.cancelled() => return,
        }
    }
}
