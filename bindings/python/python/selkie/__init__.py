"""Selkie: a local store that always works offline, is always encrypted under the user's key, and syncs between
the user's devices through servers that can read nothing."""

from ._conflicts import Conflict, ConflictResolver, Decision, HistoryEntry, OpenConflict, Resolved, Side
from ._selkie import Invitation, PendingDevice
from ._store import Collection, EncryptedLocalStore, Record, Transaction
from ._sync import Applied, IncrementalSync, LocalChange, SyncPackage, SyncReport, SyncStateManager
from .errors import (
    AlreadyExists,
    Busy,
    ConflictChanged,
    DiskFull,
    Forked,
    HistoryFork,
    Incomplete,
    InvalidInput,
    NetworkError,
    NotFound,
    PairingError,
    RelayError,
    SelkieError,
    StorageError,
    StoreClosed,
    SyncCancelled,
    TooNew,
    Unauthorized,
    WrongKey,
)

__all__ = [
    "AlreadyExists", "Applied", "Busy", "Collection", "Conflict", "ConflictChanged", "ConflictResolver",
    "Decision", "DiskFull", "EncryptedLocalStore", "Forked", "HistoryEntry", "HistoryFork", "Incomplete",
    "IncrementalSync", "InvalidInput", "Invitation", "LocalChange", "NetworkError", "NotFound", "OpenConflict",
    "PairingError", "PendingDevice", "Record", "RelayError", "Resolved", "SelkieError", "Side", "StorageError",
    "StoreClosed", "SyncCancelled", "SyncPackage", "SyncReport", "SyncStateManager", "TooNew", "Transaction",
    "Unauthorized", "WrongKey",
]
