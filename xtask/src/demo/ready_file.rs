//! Tells programs where the demo is, and how to use it.

use std::{fs, path::Path};

use anyhow::Context;
use serde_json::json;

use super::World;

/// Writes it whole or not at all: whoever sees the file can use what it says.
pub(crate) fn write(path: &Path, world: &World) -> anyhow::Result<()> {
    let nodes = world.nodes.iter().map(
        |node| json!({ "id": node.id, "pid": node.process.pid(), "role": node.role.as_str(), "operator_secret": node.secret }),
    );
    let ready = json!({
        "base_url": world.base_url(),
        "api_key": world.key,
        "model": world.model,
        "admin_url": world.admin.url,
        "admin_token": world.admin.token(),
        "data_dir": world.data.path(),
        "gateway_pid": world.gateway.pid(),
        "console_url": format!("{}/console/", world.gateway_url),
        "nodes": nodes.collect::<Vec<_>>(),
    });
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let write = || -> anyhow::Result<()> {
        let file = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(file.path(), format!("{ready:#}\n"))?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
