//! What the tests share: a store in a directory of its own, and pairs of devices.

use std::path::{Path, PathBuf};

use selkie::transport::relay::{
    PullRequest, PullResponse, PushOutcome, PushRequest, PushResponse, RosterEntries,
};
use selkie::transport::{MemoryTransport, Transport, TransportError};
use selkie::{Unlock, Vault};
use selkie_relay::{Background, Config};
use selkie_wire::ids::RosterNumber;
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

    /// Closes the vault; its files stay while the directory is kept.
    pub fn close(self) -> TempDir {
        drop(self.vault);
        self.directory
    }

    /// Opens a store that [`KEY`] opens.
    pub fn open_by_key(directory: TempDir) -> Self {
        let vault = Vault::open(directory.path().join("store.db"), Unlock::Key(&KEY)).unwrap();
        Self { vault, directory, by_passphrase: false }
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

impl Store {
    /// The files as they are; the store is closed for a moment, so that they are complete.
    pub fn saved(self) -> (Self, Vec<(PathBuf, Vec<u8>)>) {
        let store = reopen(self);
        let entries = std::fs::read_dir(store.directory.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let files = paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        (store, files)
    }

    /// Puts saved files back in place, written over and not replaced: the same files to every look from
    /// outside.
    pub fn put_back(self, files: &[(PathBuf, Vec<u8>)]) -> Self {
        let directory = self.directory.path().to_owned();
        self.replaced(|| {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if !files.iter().any(|(known, _)| *known == path) {
                    std::fs::remove_file(path).unwrap();
                }
            }
            files.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        })
    }

    /// Closes the store, does something to its files, and opens it again.
    pub fn replaced(self, work: impl FnOnce()) -> Self {
        let (path, unlock) = (self.path(), unlock(&self));
        let Self { vault, directory, by_passphrase } = self;
        drop(vault);
        work();
        let vault = Vault::open(path, unlock).unwrap();
        Self { vault, directory, by_passphrase }
    }
}

/// Closes and opens, so that the database file is complete by itself.
pub fn reopen(store: Store) -> Store {
    store.replaced(|| {})
}

/// A relay that says of every envelope pushed that another is there.
pub struct Liar(MemoryTransport);

impl Liar {
    pub fn new(honest: MemoryTransport) -> Self {
        Self(honest)
    }
}

impl Transport for Liar {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        self.0.pull(request)
    }

    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        let outcomes = request.envelopes.iter().map(|_| PushOutcome::Fork).collect();
        Ok(PushResponse {
            outcomes,
            ..self.0.push(&PushRequest { envelopes: vec![], ..*request })?
        })
    }

    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.0.roster(from)
    }

    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.0.publish_roster(entries)
    }

    fn traffic_bytes(&self) -> (u64, u64) {
        self.0.traffic_bytes()
    }
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
