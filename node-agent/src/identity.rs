//! Who this node is: a key that never leaves its folder, and the name that one gateway knows it by.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use assay_protocol::{Bytes32, NodeId};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

const KEY_FILE: &str = "node.key";
const IDENTITY_FILE: &str = "identity.json";
const LOCK_FILE: &str = "node.lock";

/// An enrolled node.
#[derive(Clone, Debug)]
pub struct Identity {
    pub node: NodeId,
    /// `http` or `https`, without a slash at the end.
    pub gateway_url: String,
    /// What the gateway calls itself in every signature.
    pub gateway_id: String,
    pub key: SigningKey,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{} holds no identity: run `node-agent enrol` first", .0.display())]
    NotEnrolled(PathBuf),
    #[error("another agent is running with the data folder {}", .0.display())]
    InUse(PathBuf),
    #[error("{}: {problem}", path.display())]
    Unreadable { path: PathBuf, problem: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The file beside the key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolled {
    node_id: NodeId,
    gateway: String,
    gateway_id: String,
}

impl Identity {
    /// Reads the identity of an enrolled node.
    pub fn load(folder: &Path) -> Result<Self, IdentityError> {
        let path = folder.join(IDENTITY_FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(IdentityError::NotEnrolled(folder.to_path_buf()));
            }
            result => result.map_err(at(&path))?,
        };
        let Enrolled { node_id, gateway, gateway_id } = serde_json::from_str(&text)
            .map_err(|error| IdentityError::Unreadable { path, problem: error.to_string() })?;
        let key = load_key(&folder.join(KEY_FILE))?;
        Ok(Self { node: node_id, gateway_url: gateway, gateway_id, key })
    }

    /// Keeps the identity; the key is in the folder already.
    pub fn save(&self, folder: &Path) -> Result<(), IdentityError> {
        let enrolled = Enrolled {
            node_id: self.node,
            gateway: self.gateway_url.clone(),
            gateway_id: self.gateway_id.clone(),
        };
        let mut text = serde_json::to_string_pretty(&enrolled).expect("three texts are JSON");
        text.push('\n');
        write(&folder.join(IDENTITY_FILE), text.as_bytes(), 0o644)
    }
}

/// Holds the folder for this process alone, until it ends however it ends.
pub fn lock(folder: &Path) -> Result<fs::File, IdentityError> {
    let path = folder.join(LOCK_FILE);
    if !folder.exists() {
        return Err(IdentityError::NotEnrolled(folder.to_path_buf()));
    }
    let file = fs::File::create(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(IdentityError::InUse(folder.to_path_buf())),
        Err(fs::TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}

/// The folder's key, made from `seed` when there is none. Enrolling twice uses the same key.
pub fn load_or_create_key(folder: &Path, seed: [u8; 32]) -> Result<SigningKey, IdentityError> {
    let path = folder.join(KEY_FILE);
    if path.exists() {
        return load_key(&path);
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
    write(&path, format!("{}\n", Bytes32(seed)).as_bytes(), 0o600)?;
    load_key(&path)
}

/// The public half of a key, as it travels.
pub fn public_key(key: &SigningKey) -> Bytes32 {
    Bytes32(key.verifying_key().to_bytes())
}

/// Refuses a key that others on the machine can read, as ssh does.
fn load_key(path: &Path) -> Result<SigningKey, IdentityError> {
    let unreadable = |problem: &str| IdentityError::Unreadable {
        path: path.to_path_buf(),
        problem: problem.to_owned(),
    };
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(unreadable("others can read this key: `chmod 600` it, or enrol a new node"));
    }
    let text = fs::read_to_string(path).map_err(at(path))?;
    let seed = Bytes32::from_hex(text.trim()).ok_or_else(|| unreadable("no 32 bytes of hex"))?;
    Ok(SigningKey::from_bytes(&seed.0))
}

/// All of the file or none of it, also when the machine stops in the middle.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), IdentityError> {
    let unfinished = path.with_extension("new");
    let result = (|| {
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(mode).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    })();
    result.map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> IdentityError {
    move |source| IdentityError::Io { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolled_node_stays_who_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("node");
        assert!(matches!(Identity::load(&home), Err(IdentityError::NotEnrolled(_))));

        let key = load_or_create_key(&home, [7; 32]).unwrap();
        assert_eq!(load_or_create_key(&home, [8; 32]).unwrap().to_bytes(), key.to_bytes());
        let identity = Identity {
            node: NodeId("018f6f0e-0000-7000-8000-000000000001".parse().unwrap()),
            gateway_url: "https://gateway.example".into(),
            gateway_id: "gw".into(),
            key,
        };
        identity.save(&home).unwrap();
        let again = Identity::load(&home).unwrap();
        assert_eq!(again.node, identity.node);
        assert_eq!(again.gateway_url, identity.gateway_url);
        assert_eq!(again.key.to_bytes(), [7; 32]);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        load_or_create_key(folder.path(), [7; 32]).unwrap();
        let path = folder.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_create_key(folder.path(), [7; 32]).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}
