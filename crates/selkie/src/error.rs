//! The one error of the public edge: a short, stable list of kinds, and words that say what to do.

use std::fmt;

use selkie_core::change::ChangeError;
use selkie_core::keys::roster::{AuthorError, EpochError};
use selkie_core::keys::{
    DeviceSecretsError, PairingCodeError, PairingError, PassphraseError, RecoveryCodeError,
    SlotError,
};
use selkie_core::merge::{PackedError, PolicyError, ResolveError};
use selkie_core::ports::RandomError;
use selkie_core::record::{DocumentError, KeyError};
use selkie_core::seal::SealError;
use selkie_core::sync::EngineError;
use selkie_wire::{EnvelopeError, RosterError};

/// Whose fault an error is, and so what an app can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such record or store.
    NotFound,
    /// There is a store already.
    AlreadyExists,
    /// A document, name, filter or code cannot be accepted: mend it and call again.
    InvalidInput,
    /// The passphrase, words or key are not the ones: ask again. Nothing has changed.
    WrongKey,
    /// The files are damaged, are no store, or cannot be read or written.
    Storage,
    /// The disk is full; nothing of the operation was kept.
    DiskFull,
    /// Another process holds the store: try again.
    Busy,
    /// Written by a newer version: update the app.
    TooNew,
    /// The store is locked: unlock it first.
    Locked,
    /// Something is missing here that must not be: sync again later. Nothing has changed.
    Incomplete,
    /// The relay cannot be reached: try again later, the store works on.
    Network,
    /// The relay answered what a relay should not.
    Relay,
    /// The relay does not let this device in: it was removed from the vault, or the address is wrong.
    Unauthorized,
    /// The store is closed for now: resume it first.
    Suspended,
    /// A run of sync was stopped; the next one goes on from there.
    Cancelled,
    /// What was answered has changed meanwhile: look again.
    Stale,
    /// Pairing was refused, mistyped or too late.
    Pairing,
    /// This store and the relay disagree about this device's own history.
    Fork,
    /// The system gave no randomness, or Selkie has a fault.
    Internal,
}

/// Why an operation failed. Holds no key, no passphrase and nothing of a record.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_after_ms: Option<u64>,
}

impl Error {
    /// The store is closed until the app comes back to it.
    pub(crate) fn suspended() -> Self {
        Self::new(ErrorKind::Suspended, "the store is closed for now; resume it first")
    }

    /// The store is closed until somebody unlocks it.
    pub(crate) fn locked() -> Self {
        Self::new(ErrorKind::Locked, "the store is locked; unlock it first")
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_ms: None }
    }

    pub(crate) fn retry_after(self, retry_after_ms: Option<u64>) -> Self {
        Self { retry_after_ms, ..self }
    }

    /// How long a relay asks to wait before it is asked again, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }

    /// Two administrators changed the roster apart from each other.
    pub(crate) fn roster_fork() -> Self {
        Self::new(
            ErrorKind::Fork,
            "the relay holds another history of the vault's members than this device; nothing was \
             changed. See: status",
        )
    }

    pub(crate) fn is_roster_fork(&self) -> bool {
        self.kind == ErrorKind::Fork && self.message == Self::roster_fork().message
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The kind as a stable word, for scripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::NotFound => "not_found",
            ErrorKind::AlreadyExists => "already_exists",
            ErrorKind::InvalidInput => "invalid_input",
            ErrorKind::WrongKey => "wrong_key",
            ErrorKind::Storage => "storage",
            ErrorKind::DiskFull => "disk_full",
            ErrorKind::Busy => "busy",
            ErrorKind::TooNew => "too_new",
            ErrorKind::Locked => "locked",
            ErrorKind::Incomplete => "incomplete",
            ErrorKind::Network => "network",
            ErrorKind::Relay => "relay",
            ErrorKind::Unauthorized => "unauthorized",
            ErrorKind::Suspended => "suspended",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::Stale => "stale",
            ErrorKind::Pairing => "pairing",
            ErrorKind::Fork => "fork",
            ErrorKind::Internal => "internal",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Errors of the core that always mean the same kind.
macro_rules! from {
    ($($error:ty => $kind:ident),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::new(ErrorKind::$kind, error.to_string())
            }
        })*
    };
}

from! {
    DocumentError => InvalidInput,
    KeyError => InvalidInput,
    PolicyError => InvalidInput,
    PassphraseError => InvalidInput,
    RecoveryCodeError => InvalidInput,
    PairingCodeError => Pairing,
    PackedError => Storage,
    DeviceSecretsError => Storage,
    RandomError => Internal,
    SealError => Internal,
    AuthorError => Internal,
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        let kind = match error {
            ChangeError::TooLong => ErrorKind::InvalidInput,
            _ => ErrorKind::Storage,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Self {
        let kind = match error {
            ResolveError::Stale => ErrorKind::Stale,
            _ => ErrorKind::InvalidInput,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<SlotError> for Error {
    fn from(error: SlotError) -> Self {
        let kind = match error {
            SlotError::WrongKey | SlotError::NoSlot | SlotError::NoAdminKey => ErrorKind::WrongKey,
            SlotError::TooNew => ErrorKind::TooNew,
            SlotError::Random(_) => ErrorKind::Internal,
            _ => ErrorKind::Storage,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<EpochError> for Error {
    fn from(error: EpochError) -> Self {
        let kind = match error {
            EpochError::WrongCode => ErrorKind::WrongKey,
            _ => ErrorKind::Relay,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<PairingError> for Error {
    fn from(error: PairingError) -> Self {
        let kind = match error {
            PairingError::Random(_) => ErrorKind::Internal,
            PairingError::TooNew => ErrorKind::TooNew,
            _ => ErrorKind::Pairing,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        let kind = match error {
            EngineError::Fork => ErrorKind::Fork,
            EngineError::Refused => ErrorKind::Unauthorized,
            _ => ErrorKind::Relay,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<RosterError> for Error {
    fn from(error: RosterError) -> Self {
        let kind = match error {
            RosterError::TooNew | RosterError::Structure(EnvelopeError::TooNew) => {
                ErrorKind::TooNew
            }
            RosterError::Fork => return Self::roster_fork(),
            _ => ErrorKind::Relay,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ErrorKind::DiskFull
            }
            _ => ErrorKind::Storage,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let (kind, message) = match error.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied) => {
                return Self::locked();
            }
            Some(ErrorCode::DiskFull) => {
                (ErrorKind::DiskFull, "the disk is full; nothing of this was kept, free some space")
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                (ErrorKind::Busy, "another process is writing to the store; try again")
            }
            // See `Database::suspend`; nothing else here comes near SQLite's limits.
            Some(ErrorCode::TooBig) => {
                return Self::suspended();
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
                ErrorKind::Storage,
                "the store file is damaged; restore it from a backup or sync it anew",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                (ErrorKind::Storage, "the store file cannot be opened for writing")
            }
            Some(ErrorCode::SystemIoFailure) => (
                ErrorKind::Storage,
                "the disk reported an error while reading or writing the store",
            ),
            _ => (ErrorKind::Storage, "the store cannot be read"),
        };
        // SQLite's own text can quote SQL, never a value, yet only the code is worth keeping.
        let code = error.sqlite_error().map(|error| format!(" (SQLite {})", error.extended_code));
        Self::new(kind, format!("{message}{}", code.unwrap_or_default()))
    }
}
