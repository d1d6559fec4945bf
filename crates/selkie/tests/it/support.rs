//! What the tests share: a store in a directory of its own, and pairs of devices.

use std::path::PathBuf;

use selkie::{Unlock, Vault};
use selkie_relay::{Background, Config};
use tempfile::TempDir;

/// An app's own key: opens without the cost of a passphrase.
pub const KEY: [u8; 32] = [7; 32];
pub const PASSPHRASE: &str = "seals sleep under water";

pub struct Store {
    pub vault: Vault,
    pub directory: TempDir,
}

impl Store {
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }
}

/// A store opened by the app's own key.
pub fn store() -> Store {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let vault = Vault::create(path, Unlock::Key(&KEY)).unwrap().vault;
    Store { vault, directory }
}

pub fn relay() -> Background {
    Background::start(Config::in_memory()).unwrap()
}

/// Two devices of one vault, paired through `url`.
pub fn pair(url: &str) -> (Store, Store) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let vault = Vault::create(path, Unlock::Passphrase(PASSPHRASE)).unwrap().vault;
    let phone = Store { vault, directory };
    let laptop = join(&phone, url);
    (phone, laptop)
}

/// Lets one more device into the vault of `sponsor`.
pub fn join(sponsor: &Store, url: &str) -> Store {
    let invitation = sponsor.vault.invite(url, Unlock::Passphrase(PASSPHRASE)).unwrap();
    let code = invitation.code().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let vault = std::thread::scope(|scope| {
        let joining = scope.spawn(|| {
            Vault::join(&path, url, &code, Unlock::Key(&KEY), &mut |digits| {
                assert_eq!(digits.len(), 6);
                true
            })
        });
        let pending = invitation.wait(&mut || true).unwrap();
        assert_eq!(pending.digits().len(), 6);
        pending.confirm().unwrap();
        joining.join().unwrap().unwrap()
    });
    Store { vault, directory }
}
