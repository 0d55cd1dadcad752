//! `gateway serve`.

use std::{
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use anyhow::{Context, bail};
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
    if config.models.is_empty() {
        bail!("no model is served: pass --model DIR, or name one under [[models]] in the settings");
    }
    // Before anything is read or given back: another gateway may be at work with this very folder.
    let _alone = lock_folder(&config.gateway.data_dir)?;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let app = App::start(config).await?;
    establish_admin(&app.db).await?;
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

/// Holds the data folder for this process alone, until it ends however it ends.
fn lock_folder(folder: &Path) -> anyhow::Result<File> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("gateway.lock");
    let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    file.try_lock().with_context(|| {
        format!("another gateway is running with the data folder {}", folder.display())
    })?;
    Ok(file)
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
