//! What a command works with: its global options, its output, and the store once it is open.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use selkie::Vault;

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::keystore::SystemKeyStore;
use crate::output::Output;
use crate::passphrase::{Secret, SecretSource};

/// What a command works with.
pub struct Context {
    /// Where results go.
    pub out: Output,
    /// Where the passphrase comes from.
    pub secret: SecretSource,
    store: Option<PathBuf>,
}

impl Context {
    /// The context of a command line.
    pub fn new(global: Global) -> Self {
        Self { out: Output::new(global.json), secret: global.secret, store: global.store }
    }

    /// The store's file.
    pub fn store_path(&self) -> Result<PathBuf, Failure> {
        match &self.store {
            Some(path) => Ok(path.clone()),
            None => default_store(),
        }
    }

    /// A path where no store is yet, in a folder that exists.
    pub fn new_store_path(&self) -> Result<PathBuf, Failure> {
        let path = self.store_path()?;
        if path.exists() {
            let message = format!("there is already something at {}", path.display());
            return Err(Failure::refused("already_exists", message)
                .help("choose another place with --store PATH; nothing is overwritten"));
        }
        // Our own default folder is made; a folder that the user names should exist, or it is a typo.
        if let (None, Some(folder)) = (&self.store, path.parent()) {
            make_private_folder(folder).map_err(|error| Failure::file(folder, &error))?;
        }
        Ok(path)
    }

    /// Opens the store; asks for the passphrase only if there is a store to open.
    pub fn open(&self) -> Result<Vault, Failure> {
        if self.secret.keystore {
            self.secret.check()?;
            let path = self.existing_store()?;
            return Ok(Vault::open_remembered(&path, &mut SystemKeyStore)?);
        }
        Ok(self.open_with_secret()?.0)
    }

    /// Opens the store, and keeps what opened it for an operation that asks for it again.
    pub fn open_with_secret(&self) -> Result<(Vault, Secret), Failure> {
        let path = self.existing_store()?;
        if self.secret.keystore {
            return Err(Failure::usage("this asks for the passphrase; the keystore does not do"));
        }
        let secret = self.secret.read()?;
        Ok((Vault::open(&path, secret.unlock())?, secret))
    }

    fn existing_store(&self) -> Result<PathBuf, Failure> {
        let path = self.store_path()?;
        if !path.exists() && !key_file(&path).exists() {
            let message = format!("there is no store at {}", path.display());
            return Err(Failure::new(Exit::NotFound, "no_store", message).help(
                "make one with: selkie init; join your other devices with: selkie join; \
                 or name another place with --store PATH",
            ));
        }
        Ok(path)
    }
}

/// Beside the store. If it alone is there, making the store was interrupted; the library ends that.
fn key_file(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".keys");
    PathBuf::from(name)
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// `selkie/vault.db` where the platform keeps the data of programs.
fn default_store() -> Result<PathBuf, Failure> {
    let folder =
        |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        // A relative path is to be ignored: XDG Base Directory Specification.
        folder("XDG_DATA_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
    };
    let data =
        data.ok_or_else(|| Failure::usage("no place for the store: name it with --store PATH"))?;
    Ok(data.join("selkie").join("vault.db"))
}
