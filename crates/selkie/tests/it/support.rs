//! What the tests share: a store in a directory of its own, and pairs of devices.

use std::path::{Path, PathBuf};

use selkie::{Unlock, Vault};
use selkie_relay::{Background, Config};
use tempfile::TempDir;

/// An app's own key: opens without the cost of a passphrase.
pub const KEY: [u8; 32] = [7; 32];
pub const PASSPHRASE: &str = "seals sleep under water";

pub struct Store {
    pub vault: Vault,
    pub directory: TempDir,
    by_passphrase: bool,
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
    Store { vault, directory, by_passphrase: false }
}

pub fn relay() -> Background {
    Background::start(Config::in_memory()).unwrap()
}

/// Two devices of one vault, paired through `url`.
pub fn pair(url: &str) -> (Store, Store) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let vault = Vault::create(path, Unlock::Passphrase(PASSPHRASE)).unwrap().vault;
    let phone = Store { vault, directory, by_passphrase: true };
    let laptop = join(&phone, url);
    (phone, laptop)
}

/// Lets one more device into the vault of `sponsor`.
pub fn join(sponsor: &Store, url: &str) -> Store {
    join_with(sponsor, url, Unlock::Key(&KEY))
}

/// The same, with a store that opens by `unlock`.
pub fn join_with(sponsor: &Store, url: &str, unlock: Unlock<'_>) -> Store {
    let invitation = sponsor.vault.invite(url, Unlock::Passphrase(PASSPHRASE)).unwrap();
    let code = invitation.code().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let vault = std::thread::scope(|scope| {
        let joining = scope.spawn(|| {
            Vault::join(&path, url, &code, unlock, &mut |digits| {
                assert_eq!(digits.chars().filter(char::is_ascii_digit).count(), 6);
                true
            })
        });
        let pending = invitation.wait(&mut || true).unwrap();
        pending.confirm().unwrap();
        joining.join().unwrap().unwrap()
    });
    let by_passphrase = matches!(unlock, Unlock::Passphrase(_));
    Store { vault, directory, by_passphrase }
}

/// What opens a store of these tests.
pub fn unlock(store: &Store) -> Unlock<'static> {
    if store.by_passphrase { Unlock::Passphrase(PASSPHRASE) } else { Unlock::Key(&KEY) }
}

/// The same files at another place, as a backup tool would copy them.
pub fn copy_of(store: &Store) -> Store {
    let directory = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(store.directory.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
    }
    let path = directory.path().join("store.db");
    let vault = Vault::open(path, unlock(store)).unwrap();
    Store { vault, directory, by_passphrase: store.by_passphrase }
}

/// The database of a store that [`KEY`] opens, as any SQLCipher sees it.
pub fn raw_database(path: &Path) -> rusqlite::Connection {
    let slots = std::fs::read(path.with_extension("db.keys")).unwrap();
    let slots = selkie_core::keys::KeySlots::parse(&slots).unwrap();
    let key = slots.unlock(&selkie_core::keys::Credential::CallerKey(&KEY)).unwrap();
    let hex: String =
        key.derive_database_key().expose().iter().map(|byte| format!("{byte:02x}")).collect();
    let database = rusqlite::Connection::open(path).unwrap();
    database.key(None::<&str>, format!("x'{hex}'"), false).unwrap();
    database
}
