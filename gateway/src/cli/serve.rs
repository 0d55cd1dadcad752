//! `gateway serve`.

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::establish_admin;
use crate::{app::App, config::Config, server, telemetry};

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start_logging(&config.log)?;
    telemetry::start_metrics();
    let listen = config.gateway.listen;
    let app = App::start(config).await?;
    establish_admin(&app.db).await?;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    tracing::info!(
        gateway = app.keys.gateway_id(),
        store = app.db.engine(),
        models = app.catalog.len(),
        "gateway starts"
    );
    server::serve(app.clone(), listener, stop_signal()?).await?;
    app.db.close().await;
    tracing::info!("gateway stopped");
    Ok(())
}

/// Resolves at SIGTERM or Ctrl-C.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
