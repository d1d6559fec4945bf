"""What can go wrong, by cause: each exception says what to do next, and holds no key and nothing of a record."""

from __future__ import annotations


class SelkieError(Exception):
    """The base of all errors of Selkie. ``code`` is a stable word, for programs."""

    code: str = "internal"
    retry_after_ms: int | None = None
    """How long a relay asks to wait before it is asked again."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class NotFound(SelkieError, KeyError):
    """There is no such record or store."""


class AlreadyExists(SelkieError):
    """There is a store already."""


class InvalidInput(SelkieError, ValueError):
    """A document, name, filter or code cannot be accepted: mend it and call again."""


class WrongKey(SelkieError):
    """The passphrase, words or key are not the ones: ask again. Nothing has changed."""


class StorageError(SelkieError):
    """The files are damaged, are no store, or cannot be read or written."""


class DiskFull(StorageError):
    """The disk is full; nothing of the operation was kept."""


class Busy(SelkieError):
    """Another process holds the store: try again."""


class TooNew(SelkieError):
    """Written by a newer version: update the app."""


class StoreClosed(SelkieError):
    """The store is closed, locked or suspended: open it again."""


class Forked(SelkieError):
    """The store was opened before the process forked: open it again in the child."""


class NetworkError(SelkieError, ConnectionError):
    """The relay cannot be reached: try again later, the store works on."""


class RelayError(SelkieError):
    """The relay answered what a relay should not."""


class Unauthorized(RelayError):
    """The relay does not let this device in."""


class HistoryFork(SelkieError):
    """This store and the relay disagree about this device's own history, or the vault's members."""


class SyncCancelled(SelkieError):
    """A run of sync was stopped; the next one goes on from there."""


class Incomplete(SelkieError):
    """Something is missing here that must not be: sync again later. Nothing has changed."""


class ConflictChanged(SelkieError):
    """The conflict has changed since it was shown: list the conflicts again."""


class PairingError(SelkieError):
    """Pairing was refused, mistyped or too late."""


BY_CODE: dict[str, type[SelkieError]] = {
    "not_found": NotFound,
    "already_exists": AlreadyExists,
    "invalid_input": InvalidInput,
    "wrong_key": WrongKey,
    "storage": StorageError,
    "disk_full": DiskFull,
    "busy": Busy,
    "too_new": TooNew,
    "closed": StoreClosed,
    "locked": StoreClosed,
    "suspended": StoreClosed,
    "forked": Forked,
    "network": NetworkError,
    "relay": RelayError,
    "unauthorized": Unauthorized,
    "fork": HistoryFork,
    "cancelled": SyncCancelled,
    "incomplete": Incomplete,
    "stale": ConflictChanged,
    "pairing": PairingError,
}


def from_code(code: str, message: str, retry_after_ms: int | None) -> SelkieError:
    """The exception for an error of the library; called by its native half."""
    error = BY_CODE.get(code, SelkieError)(message)
    error.code = code
    error.retry_after_ms = retry_after_ms
    return error
