//! Reads what the commands are given: files of bounded length, and a gateway's or a mirror's pages.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use assay_protocol::JobId;
use assay_verifier::{
    Trust,
    log::Evidence,
    receipt::{Bundle, Request, Saved},
};
use reqwest::{Client, StatusCode};
use tokio::runtime::{Builder, Runtime};

use super::report::Failure;

/// No file that is read here is longer.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// A page of a log is a tile, a bundle or a list of keys.
const PAGE_BYTES_MAX: usize = 32 << 20;
const PAGE_WAIT: Duration = Duration::from_secs(30);

/// The bytes of a file.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        bail!("{} is longer than {FILE_BYTES_MAX} bytes", path.display());
    }
    Ok(bytes)
}

/// Keys to trust. A file that holds none says nothing about a receipt.
pub(super) fn trust(path: &Path) -> anyhow::Result<Trust> {
    Trust::parse(&read(path)?).with_context(|| format!("{} holds no keys to pin", path.display()))
}

/// A receipt, which is refused when it cannot be read.
pub(super) fn bundle(path: &Path) -> Result<Bundle, Failure> {
    let read = Bundle::decode(&read(path)?);
    read.map_err(|error| Failure::refused(format!("the receipt's file cannot be read: {error}")))
}

/// What an audit rests on.
pub(super) fn evidence(path: &Path) -> Result<Evidence, Failure> {
    let read = Evidence::decode(&read(path)?);
    read.map_err(|error| Failure::refused(format!("the evidence cannot be read: {error}")))
}

pub(super) fn request(path: &Path) -> Result<Request, Failure> {
    let read = Request::parse(&read(path)?);
    read.map_err(|error| Failure::refused(format!("the request cannot be read: {error}")))
}

/// The choice of a response that this job answered.
pub(super) fn response(path: &Path, job: JobId) -> Result<Saved, Failure> {
    let read = Saved::parse_choice(&read(path)?, job);
    read.map_err(|error| Failure::refused(format!("the response cannot be read: {error}")))
}

/// Where a log is read: from its gateway, or from a folder that mirrors it.
#[derive(Debug)]
pub(super) enum Source {
    Web { client: Client, url: String, runtime: Runtime },
    Folder(PathBuf),
}

impl Source {
    /// `http://…` and `https://…` are gateways, anything else is a folder.
    pub(super) fn of(place: &str) -> anyhow::Result<Self> {
        if !place.starts_with("http://") && !place.starts_with("https://") {
            return Ok(Self::Folder(PathBuf::from(place)));
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = Client::builder().timeout(PAGE_WAIT).build()?;
        Ok(Self::Web { client, url: place.trim_end_matches('/').to_owned(), runtime })
    }

    /// What a log is held to besides its own clock: this machine's, if it is read from its gateway. A copy may be old.
    pub(super) fn now_ms(&self) -> u64 {
        let Self::Web { .. } = self else { return 0 };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A page of the log, by its path under the log's own; nothing where there is none.
    pub(super) fn page(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(path);
                if path.is_file() { read(&path).map(Some) } else { Ok(None) }
            }
            Self::Web { client, url, runtime } => {
                let url = format!("{url}/log/{path}");
                runtime.block_on(get(client, &url)).with_context(|| format!("cannot read {url}"))
            }
        }
    }
}

async fn get(client: &Client, url: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let mut answer = client.get(url).send().await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    answer = answer.error_for_status()?;
    while let Some(chunk) = answer.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > PAGE_BYTES_MAX {
            bail!("the page is longer than {PAGE_BYTES_MAX} bytes");
        }
    }
    Ok(Some(bytes))
}
