//! How often the disk can be told to keep what was written.

use std::{fs::File, io::Write, path::Path, time::Instant};

const SECONDS: f64 = 2.0;
/// SQLite writes pages of this size.
const PAGE: [u8; 4096] = [7; 4096];

/// Appends a page and waits until the disk has it, for two seconds.
pub(crate) fn fsyncs_per_s(folder: &Path) -> std::io::Result<f64> {
    let mut file = File::create(folder.join("fsync"))?;
    let began = Instant::now();
    let mut synced = 0;
    while began.elapsed().as_secs_f64() < SECONDS {
        file.write_all(&PAGE)?;
        file.sync_data()?;
        synced += 1;
    }
    Ok(f64::from(synced) / began.elapsed().as_secs_f64())
}
