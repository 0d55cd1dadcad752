//! Finds the ONNX Runtime library, fetches it when there is none, and loads it once per process.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ort::environment::Environment;

use crate::{EngineError, fetch, fetch::Release};

/// The one library of this process: the runtime allows one environment, ever.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// Where to look for the runtime library, and whether it may be fetched.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// Exactly this library file, and no other.
    pub library: Option<PathBuf>,
    /// Where fetched libraries are kept; `$XDG_CACHE_HOME/assay` or `~/.cache/assay` when unset.
    pub cache_dir: Option<PathBuf>,
    /// Fetch the library from the Python package index when there is none here.
    pub fetch: bool,
    /// The build with the CUDA execution provider instead of the plain one.
    pub cuda: bool,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { library: None, cache_dir: None, fetch: true, cuda: false }
    }
}

/// The loaded runtime. Cheap to clone; lives until the process ends.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub(crate) environment: Environment,
    library: PathBuf,
}

impl Runtime {
    /// Finds or fetches the library and loads it. A second call gives the same runtime, and is an
    /// error when it would need another library.
    pub fn load(config: &RuntimeConfig) -> Result<Self, EngineError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let library = locate_or_fetch(config)?;
        match &*loaded {
            Some(runtime) if runtime.library == library => Ok(runtime.clone()),
            Some(runtime) => Err(EngineError::NoRuntime(format!(
                "this process already runs {} and cannot load {} too",
                runtime.library.display(),
                library.display()
            ))),
            None => Ok(loaded.insert(open(library)?).clone()),
        }
    }

    /// The library file that runs.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Name and version as announced to gateways, for example `onnxruntime 1.32.0`.
    pub fn name(&self) -> String {
        match version_in_name(&self.library) {
            Some(version) => format!("onnxruntime {version}"),
            None => "onnxruntime".to_owned(),
        }
    }
}

/// The path of a usable library: as configured, from `ORT_DYLIB_PATH`, from our cache, from the
/// system, or fetched now.
pub fn locate_or_fetch(config: &RuntimeConfig) -> Result<PathBuf, EngineError> {
    let release = Release::of_this_machine(config.cuda)?;
    let places = Places::of_this_process(config);
    if let Some(library) = places.find(&release)? {
        return Ok(fs::canonicalize(&library).unwrap_or(library));
    }
    let cache = places.cache.ok_or_else(|| {
        EngineError::NoRuntime("no cache folder: set HOME, XDG_CACHE_HOME or ORT_DYLIB_PATH".into())
    })?;
    if !config.fetch {
        return Err(EngineError::NoRuntime(format!(
            "{} is neither in {} nor installed, and fetching is switched off; set ORT_DYLIB_PATH",
            release.library,
            cache.display()
        )));
    }
    fetch::fetch(&release, &cache)
}

/// Everywhere a library may be, as read from configuration and environment.
struct Places {
    chosen: Option<PathBuf>,
    cache: Option<PathBuf>,
    system: Vec<PathBuf>,
}

impl Places {
    fn of_this_process(config: &RuntimeConfig) -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = config.cache_dir.clone().or_else(|| {
            let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
            Some(base?.join("assay"))
        });
        let mut system: Vec<PathBuf> = env::var_os("LD_LIBRARY_PATH")
            .map(|paths| env::split_paths(&paths).filter(|path| path.is_absolute()).collect())
            .unwrap_or_default();
        let multiarch = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
        system.extend(["/usr/local/lib", "/usr/lib", "/usr/lib64", &multiarch].map(PathBuf::from));
        Self { chosen: config.library.clone().or_else(|| set("ORT_DYLIB_PATH")), cache, system }
    }

    /// A library that was named must be there. The others must be of the pinned version: versions
    /// differ in the last bits of a logit, and those are compared between nodes.
    fn find(&self, release: &Release) -> Result<Option<PathBuf>, EngineError> {
        if let Some(chosen) = &self.chosen {
            return match chosen.is_file() {
                true => Ok(Some(chosen.clone())),
                false => Err(EngineError::NoRuntime(format!("{} is no file", chosen.display()))),
            };
        }
        let cached = self.cache.iter().map(|cache| release.library_in(cache));
        let installed = self.system.iter().map(|folder| folder.join(&release.library));
        Ok(cached.chain(installed).find(|library| library.is_file()))
    }
}

fn open(library: PathBuf) -> Result<Runtime, EngineError> {
    let environment = ort::init_from(&library)
        .map_err(|error| EngineError::NoRuntime(error.to_string()))?
        .with_name("assay")
        .with_telemetry(false)
        .build()?;
    Ok(Runtime { environment, library })
}

/// `1.32.0` of `libonnxruntime.so.1.32.0`.
fn version_in_name(library: &Path) -> Option<&str> {
    let (_, version) = library.file_name()?.to_str()?.split_once(".so.")?;
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"").unwrap();
        path
    }

    #[test]
    fn a_chosen_library_wins_then_the_cache_then_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let release = Release::plain("x86_64").unwrap();
        let cache = folder.path().join("cache");
        let system = folder.path().join("lib");
        let chosen = file(folder.path(), "mine.so");
        let installed = file(&system, &release.library);
        let mut places = Places { chosen: None, cache: Some(cache.clone()), system: vec![system] };
        assert_eq!(places.find(&release).unwrap(), Some(installed));

        let cached = release.library_in(&cache);
        file(cached.parent().unwrap(), &release.library);
        assert_eq!(places.find(&release).unwrap(), Some(cached));

        places.chosen = Some(chosen.clone());
        assert_eq!(places.find(&release).unwrap(), Some(chosen.clone()));
        fs::remove_file(&chosen).unwrap();
        assert!(places.find(&release).is_err(), "a chosen library that is missing is an error");
    }

    #[test]
    fn an_installed_library_of_another_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "libonnxruntime.so.1.24.0");
        let places =
            Places { chosen: None, cache: None, system: vec![folder.path().to_path_buf()] };
        assert_eq!(places.find(&Release::plain("x86_64").unwrap()).unwrap(), None);
    }
}
