"""The store for asyncio: each call runs on a thread of its own, so that the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType

from ._store import DEFAULT, Document, EncryptedLocalStore, Json, Record, StorePath, UserKey
from ._sync import Applied, IncrementalSync, SyncPackage, SyncReport


class AsyncStore:
    """An open store; ``local`` is the store itself, for everything that is not here."""

    def __init__(self, local: EncryptedLocalStore) -> None:
        self.local = local
        self._sync = IncrementalSync(local)

    @classmethod
    async def open(cls, db_path: StorePath, user_key: UserKey) -> AsyncStore:
        """Opens a store, or makes it: as ``EncryptedLocalStore``."""
        return cls(await asyncio.to_thread(EncryptedLocalStore, db_path, user_key))

    async def store(self, id: str, data: Mapping[str, Json], collection: str = DEFAULT) -> None:
        """As ``EncryptedLocalStore.store``."""
        await asyncio.to_thread(self.local.store, id, data, collection)

    async def patch(self, id: str, changes: Mapping[str, Json], collection: str = DEFAULT) -> None:
        """As ``EncryptedLocalStore.patch``."""
        await asyncio.to_thread(self.local.patch, id, changes, collection)

    async def retrieve(self, id: str, collection: str = DEFAULT) -> Document | None:
        """As ``EncryptedLocalStore.retrieve``."""
        return await asyncio.to_thread(self.local.retrieve, id, collection)

    async def delete(self, id: str, collection: str = DEFAULT) -> bool:
        """As ``EncryptedLocalStore.delete``."""
        return await asyncio.to_thread(self.local.delete, id, collection)

    async def query(
        self,
        where: str | Mapping[str, Json] | None = None,
        collection: str = DEFAULT,
        *,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Record]:
        """As ``EncryptedLocalStore.query``."""
        return await asyncio.to_thread(self.local.query, where, collection, order_by=order_by, limit=limit)

    async def sync(self, url: str) -> SyncReport:
        """As ``IncrementalSync.sync``. Cancelling stops the waiting, not the run."""
        return await asyncio.to_thread(self._sync.sync, url)

    async def prepare_sync_package(self, since: str | None = None) -> SyncPackage:
        """As ``IncrementalSync.prepare_sync_package``."""
        return await asyncio.to_thread(self._sync.prepare_sync_package, since)

    async def apply_remote_changes(self, package: bytes) -> Applied:
        """As ``IncrementalSync.apply_remote_changes``."""
        return await asyncio.to_thread(self._sync.apply_remote_changes, package)

    async def close(self) -> None:
        """As ``EncryptedLocalStore.close``."""
        await asyncio.to_thread(self.local.close)

    async def __aenter__(self) -> AsyncStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
