"""Sync: in one call, by packages, or kept up by a manager."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

from . import _selkie
from ._conflicts import OpenConflict
from ._store import EncryptedLocalStore


@dataclass(frozen=True)
class SyncReport:
    """What a run did."""

    changes_sent: int
    changes_received: int
    bytes_sent: int
    bytes_received: int
    conflicts_open: int
    conflicts_found: int
    conflicts_resolved: int
    segments_held: int
    quota_exhausted: bool
    duration_ms: int


@dataclass(frozen=True)
class LocalChange:
    """A change made here that no relay or folder is known to have, at one of the records it wrote."""

    collection: str
    id: str
    deleted: bool
    at_ms: int
    change: int


class SyncPackage(bytes):
    """A package: bytes to be carried any way. ``point`` is where it ends; a later one since it goes on from there."""

    segments: int
    changes: int
    point: str
    is_complete: bool


class Applied(NamedTuple):
    """How many changes of a package were new, and which open conflicts it brought."""

    applied: int
    conflicts: list[OpenConflict]


class IncrementalSync:
    """Syncs a store: only what changed travels, sealed."""

    def __init__(self, local_store: EncryptedLocalStore) -> None:
        self._store = local_store

    def sync(self, url: str, progress: Callable[[dict[str, Any]], object] | None = None) -> SyncReport:
        """Exchanges changes through a relay, or a folder that the devices share (``folder:`` and its path)."""
        return SyncReport(**_selkie.sync(self._store._native, url, progress))

    def prepare_sync_package(self, since: str | None = None) -> SyncPackage:
        """Packs what is new here since a point (an earlier package's ``point``, or the other device's
        ``sync_point``); all that this device wrote if there is none, which is always safe."""
        content, about = _selkie.prepare_sync_package(self._store._native, since)
        package = SyncPackage(content)
        for name, value in about.items():
            setattr(package, name, value)
        return package

    def apply_remote_changes(self, package: bytes) -> Applied:
        """Applies a package. It may come late, twice, or after later ones."""
        report = _selkie.apply_sync_package(self._store._native, bytes(package))
        return Applied(report["changes_applied"], [OpenConflict._of(found) for found in report["conflicts"]])

    def get_local_changes(self, limit: int = 1000) -> list[LocalChange]:
        """The oldest changes made here that no relay or folder is known to have."""
        return [LocalChange(**change) for change in _selkie.unsent_changes(self._store._native, limit)]

    @property
    def sync_point(self) -> str:
        """What this device has, for another to pack only what it lacks."""
        return _selkie.sync_point(self._store._native)

    @property
    def sync_state(self) -> str:
        """How sync stands: offline, syncing, conflict, up_to_date or error."""
        state: str = self._store.status()["state"]
        return state


class SyncStateManager:
    """Keeps a store in step with one relay or folder by itself, and tells how it stands."""

    def __init__(self, local_store: EncryptedLocalStore, url: str) -> None:
        self._store = local_store
        self._native = _selkie.Manager(local_store._native, url)
        self._listeners: list[Callable[[dict[str, Any]], object]] = []
        self._teller: threading.Thread | None = None
        self._ended = threading.Event()

    @property
    def current_state(self) -> str:
        """offline, syncing, conflict, up_to_date or error."""
        state: str = self._native.state()["state"]
        return state

    @property
    def metadata(self) -> dict[str, Any]:
        """All that is known: what waits, the network, when a failed run is tried again, what the last run did."""
        metadata: dict[str, Any] = self._native.state()
        return metadata

    def get_pending_conflicts(self) -> list[OpenConflict]:
        """The conflicts that wait for a person."""
        return self._store.conflicts()

    def add_listener(self, listener: Callable[[dict[str, Any]], object]) -> None:
        """Calls ``listener`` with each event, on a thread of the manager's. One that raises is told to
        ``threading.excepthook`` and is called again for the next event."""
        self._listeners.append(listener)
        if self._teller is None:
            events = self._native.subscribe()
            self._teller = threading.Thread(target=self._tell, args=(events,), daemon=True)
            self._teller.start()

    def _tell(self, events: _selkie.Events) -> None:
        while not self._ended.is_set():
            event = events.next(0.2)
            for listener in list(self._listeners) if event is not None else []:
                try:
                    listener(event)
                except Exception as error:  # a screen's fault must not end the telling
                    args = (type(error), error, error.__traceback__, threading.current_thread())
                    threading.excepthook(threading.ExceptHookArgs(args))

    def start(self) -> None:
        """Begins to sync in the background."""
        self._native.start()

    def turn(self) -> int | None:
        """Does what is due now; when there is something to do next (ms). For apps without a thread to spare."""
        return self._native.turn()

    def sync_now(self) -> None:
        """The user wants a sync now."""
        self._native.sync_now()

    def pause(self) -> None:
        """The user wants no sync for now; survives a restart."""
        self._native.pause()

    def resume(self) -> None:
        """The user wants sync again, or the app is back in the foreground."""
        self._native.resume()

    def suspend(self) -> None:
        """The app goes to the background: closes the store's files until ``resume``."""
        self._native.suspend()

    def set_network(self, network: str) -> None:
        """What carries the network now: unknown, wired, wifi, cellular or offline."""
        self._native.set_network(network)

    def wait_for_initial_sync(self, timeout: float) -> bool:
        """Waits until all that the other devices had sent is here; whether it is."""
        return self._native.wait_for_initial_sync(timeout)

    def stop(self) -> None:
        """Ends syncing and telling."""
        self._native.stop()
        self._ended.set()
        if self._teller is not None and self._teller is not threading.current_thread():
            self._teller.join()

    def __enter__(self) -> SyncStateManager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
