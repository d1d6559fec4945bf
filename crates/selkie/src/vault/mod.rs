//! The vault: an app's way to everything.

mod building;
mod conflicts;
mod keys;
mod members;
mod options;
mod packages;
mod reading;
mod sync;

pub use options::OpenOptions;
pub(crate) use reading::WeakVault;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use selkie_core::keys::roster::create_vault;
use selkie_core::keys::{AdminKey, DeviceSecrets, RecoveryCode};
use selkie_wire::{DeviceId, Digest, VaultId};

use crate::collection::Collection;
use crate::engine::{Invitation, SyncProgress, SyncReport};
use crate::status::CollectionInfo;
use crate::store::{
    Database, NewIdentity, Readers, Resolver, StoreFiles, Transaction, check_collection_name,
    create_store,
};
use crate::system::{self, SystemRandom};
use crate::transport::Transport;
use crate::unlock::{OwnedCredential, RecoveryWords, Unlock};
use crate::watch::{Event, Watch, Watchers};
use crate::{Error, ErrorKind};

/// An open store of one device, and the vault it is part of. Cheap to clone; safe to share between
/// threads.
///
/// ```
/// use selkie::{Unlock, Vault};
/// use serde_json::json;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("app.db");
/// let vault = Vault::create(&path, Unlock::Passphrase("seals sleep under water"))?.vault;
/// vault.transaction(|tx| {
///     tx.collection("accounts")?.put("a", &json!({"balance": 90}))?;
///     tx.collection("accounts")?.put("b", &json!({"balance": 110}))
/// })?;
/// drop(vault);
///
/// let again = Vault::open(&path, Unlock::Passphrase("seals sleep under water"))?;
/// assert_eq!(again.collection("accounts")?.count()?, 2);
/// assert!(Vault::open(&path, Unlock::Passphrase("a guess")).is_err());
/// # Ok::<(), selkie::Error>(())
/// # .map_err(|error| Box::<dyn std::error::Error>::from(error))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    files: StoreFiles,
    vault: VaultId,
    device: DeviceId,
    database: Mutex<Database>,
    readers: Readers,
    builder: building::Builder,
    watchers: Watchers,
    resolvers: RwLock<HashMap<String, Arc<Resolver>>>,
    clock: RwLock<Clock>,
}

/// Tells the wall time in milliseconds since 1970 (UTC).
type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// A vault just made.
#[derive(Debug)]
pub struct NewVault {
    /// The vault, open.
    pub vault: Vault,
    /// To be shown to the user, once. They open this store when the passphrase is lost.
    pub recovery_words: RecoveryWords,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("id", &self.inner.vault)
            .field("device", &self.inner.device)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// Makes a vault, and its store at `path`; the key-slot file lies beside it, at `path` + `.keys`.
    /// Back both up together.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], [`ErrorKind::InvalidInput`] for an empty passphrase,
    /// [`ErrorKind::Storage`], [`ErrorKind::DiskFull`]. Nothing half-made is left in the way.
    pub fn create(path: impl AsRef<Path>, unlock: Unlock<'_>) -> Result<NewVault, Error> {
        let credential = OwnedCredential::new(unlock)?;
        if matches!(credential, OwnedCredential::Recovery(_)) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a new vault makes its own recovery words; create it with a passphrase or a key",
            ));
        }
        let files = StoreFiles::at(path.as_ref());
        files.check_absent()?;
        let admin = AdminKey::generate(&mut SystemRandom)?;
        let device = DeviceSecrets::generate(&mut SystemRandom)?;
        let code = RecoveryCode::generate(&mut SystemRandom)?;
        let new = create_vault(&admin, &device, &code, &mut SystemRandom)?;
        let identity = NewIdentity {
            device: &device,
            roster: &new.roster,
            roster_entries: &new.entries,
            epoch_keys: &[(0, new.epoch_key)],
        };
        let database = create_store(&files, &credential, &admin, Some(&code), &identity)?;
        let vault = Self::from_parts(files, database)?;
        Ok(NewVault { vault, recovery_words: RecoveryWords(code.words()) })
    }

    /// Opens a store.
    ///
    /// # Errors
    /// [`ErrorKind::WrongKey`]: ask again, nothing has changed. [`ErrorKind::NotFound`],
    /// [`ErrorKind::TooNew`], [`ErrorKind::Storage`].
    pub fn open(path: impl AsRef<Path>, unlock: Unlock<'_>) -> Result<Self, Error> {
        let credential = OwnedCredential::new(unlock)?;
        let files = StoreFiles::at(path.as_ref());
        let (database, _) = files.open(&credential)?;
        Self::from_parts(files, database)
    }

    /// As [`open`](Self::open), with settings for what is to happen when another process is writing,
    /// and for memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        path: impl AsRef<Path>,
        unlock: Unlock<'_>,
        options: &OpenOptions,
    ) -> Result<Self, Error> {
        let vault = Self::open(path, unlock)?;
        vault.database().set_options(options)?;
        Ok(vault)
    }

    /// Joins the vault of another device with the code it shows, and makes this device's store at
    /// `path`. `confirm` is given six digits; it says whether the other device shows the same.
    ///
    /// # Errors
    /// [`ErrorKind::Pairing`] for a code that is mistyped, used or too late, and when the other side
    /// refuses; [`ErrorKind::Network`]. Nothing is left behind then.
    #[cfg(feature = "http")]
    pub fn join(
        path: impl AsRef<Path>,
        url: &str,
        code: &str,
        unlock: Unlock<'_>,
        confirm: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Self, Error> {
        let way = crate::engine::Way::Relay(url);
        crate::engine::join(path.as_ref(), way, code, unlock, confirm)
    }

    /// Invites a device: opens a mailbox at the relay, and makes a code to type there. Asks for the
    /// passphrase or recovery words again, so that an unlocked stolen phone cannot invite.
    ///
    /// # Errors
    /// [`ErrorKind::WrongKey`], [`ErrorKind::Network`], [`ErrorKind::Relay`].
    #[cfg(feature = "http")]
    pub fn invite(&self, url: &str, unlock: Unlock<'_>) -> Result<Invitation, Error> {
        Invitation::new(self, url, unlock)
    }

    pub(crate) fn from_parts(files: StoreFiles, database: Database) -> Result<Self, Error> {
        let identity = database.identity()?;
        let vault = Self {
            inner: Arc::new(Inner {
                readers: database.readers(),
                builder: building::Builder::default(),
                files,
                vault: identity.roster.vault(),
                device: identity.device_id(),
                database: Mutex::new(database),
                watchers: Watchers::default(),
                resolvers: RwLock::default(),
                clock: RwLock::new(Box::new(system::now_ms)),
            }),
        };
        vault.go_on_building()?;
        Ok(vault)
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.inner.readers
    }

    pub(crate) fn files(&self) -> &StoreFiles {
        &self.inner.files
    }

    /// The database, one user at a time. A panic elsewhere rolled its transaction back.
    pub(crate) fn database(&self) -> MutexGuard<'_, Database> {
        self.inner.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, events: &[Event]) {
        self.inner.watchers.tell(events);
    }

    /// Reads the time from another clock than the system's: a better one, or a test's.
    pub fn set_clock(&self, now_ms: impl Fn() -> u64 + Send + Sync + 'static) {
        *self.inner.clock.write().unwrap_or_else(PoisonError::into_inner) = Box::new(now_ms);
    }

    /// The wall time in milliseconds since 1970 (UTC).
    pub(crate) fn now_ms(&self) -> u64 {
        (self.inner.clock.read().unwrap_or_else(PoisonError::into_inner))()
    }

    /// The vault's id; the same on all its devices.
    #[must_use]
    pub fn id(&self) -> VaultId {
        self.inner.vault
    }

    /// This device's id.
    #[must_use]
    pub fn device_id(&self) -> DeviceId {
        self.inner.device
    }

    /// The device behind a name that writes stand under: the name itself, unless the device's store was
    /// copied or restored from a backup at some time.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn device_of(&self, name: DeviceId) -> Result<DeviceId, Error> {
        self.database().device_of(name)
    }

    /// A collection, by name; it need not exist yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a name that cannot be one.
    pub fn collection(&self, name: &str) -> Result<Collection, Error> {
        check_collection_name(name)?;
        Ok(Collection::new(self.clone(), name))
    }

    /// The collections that have records, by name.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn collections(&self) -> Result<Vec<CollectionInfo>, Error> {
        self.read(crate::store::query::collections)
    }

    /// Runs several writes as one change: all of them are durable when it returns, or none
    /// happened. Do not write through the vault inside; that would wait for this one. What is read
    /// through it is the state before.
    ///
    /// # Errors
    /// Whatever `work` returns; [`ErrorKind::InvalidInput`] for a change beyond 3 MiB;
    /// [`ErrorKind::DiskFull`], [`ErrorKind::Busy`], [`ErrorKind::Storage`].
    pub fn transaction<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (done, events) = self.database().write(self.inner.device, self.now_ms(), work)?;
        self.tell(&events);
        Ok(done)
    }

    /// Events from now on, for all collections: after a write is durable, or a page of another
    /// device's changes is.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.watch_collection(None)
    }

    pub(crate) fn watch_collection(&self, collection: Option<&str>) -> Watch {
        self.inner.watchers.watch(collection)
    }

    /// Syncs with a relay, or with a shared folder if the address is `folder:` and its path: sends what
    /// is new here, receives what is new elsewhere. Local reads and writes go on meanwhile. Interrupted
    /// at any point, the next run goes on from there.
    ///
    /// # Errors
    /// [`ErrorKind::Network`]: try again later. [`ErrorKind::Relay`], [`ErrorKind::Fork`],
    /// [`ErrorKind::DiskFull`].
    pub fn sync(
        &self,
        url: &str,
        progress: &mut dyn FnMut(SyncProgress),
    ) -> Result<SyncReport, Error> {
        crate::engine::run(self, url, progress)
    }

    /// As [`sync`](Self::sync), over a transport of the app's own. `name` is what is remembered of
    /// the relay under.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub fn sync_over(
        &self,
        name: &str,
        transport: &mut dyn Transport,
        progress: &mut dyn FnMut(SyncProgress),
    ) -> Result<SyncReport, Error> {
        crate::engine::run_over(self, name, transport, progress)
    }

    /// The transport that [`sync`](Self::sync) uses for an address, for an app that wraps it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no address.
    pub fn transport(&self, address: &str) -> Result<Box<dyn Transport + Send>, Error> {
        crate::engine::connect(self, address)
    }

    /// A digest of all records and their conflicts; equal on devices that have synced with each
    /// other and hold the same.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`].
    pub fn digest(&self) -> Result<Digest, Error> {
        self.database().digest()
    }
}
