"""The store: documents under ids, in collections."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, NoReturn, Union

from . import _selkie
from ._conflicts import Answer, HistoryEntry, OpenConflict, answer_of, custom_callback
from .errors import NotFound

Json = Union[None, bool, int, float, str, Sequence["Json"], Mapping[str, "Json"]]
"""What a document may hold."""
Document = dict[str, Any]
"""A document as it is read: an object of JSON."""
UserKey = Union[str, bytes, bytearray]
"""A passphrase, or 32 random bytes that the app keeps itself."""
StorePath = Union[str, "os.PathLike[str]"]

DEFAULT = "default"
PAGE = 500


@dataclass(frozen=True)
class Record:
    """A document with its times (milliseconds since 1970, UTC)."""

    id: str
    document: Document
    created_at_ms: int
    updated_at_ms: int
    updated_by: str | None
    conflicts: int


class EncryptedLocalStore(MutableMapping[str, Document]):
    """A local store that always works offline and is always encrypted.

    Opens the store at ``db_path``, or makes it (``mode``: "open", "create" or "either"). ``user_key`` is the
    passphrase the user chose, or 32 random bytes. A store just made has ``recovery_words``: show them once.

    As a mapping it is the collection "default"; ``store.collection("notes")`` is a mapping of another.
    """

    def __init__(
        self,
        db_path: StorePath,
        user_key: UserKey | None = None,
        *,
        recovery_words: str | None = None,
        mode: Literal["open", "create", "either"] = "either",
    ) -> None:
        self._native = _selkie.Store.open(db_path, user_key, recovery_words, mode)

    @classmethod
    def _of(cls, native: _selkie.Store) -> EncryptedLocalStore:
        store = cls.__new__(cls)
        store._native = native
        return store

    @classmethod
    def join(
        cls,
        db_path: StorePath,
        place: str,
        code: str,
        user_key: UserKey,
        confirm: Callable[[str], bool],
    ) -> EncryptedLocalStore:
        """Joins the vault of another device with the code it shows. ``confirm`` is given six digits, and says
        whether the other device shows the same. ``place`` is a relay's address, or ``folder:`` and a path."""
        return cls._of(_selkie.join(db_path, place, code, user_key, confirm))

    @classmethod
    def recover(
        cls, db_path: StorePath, url: str, recovery_words: str, user_key: UserKey
    ) -> EncryptedLocalStore:
        """Makes a store for a new device from the 24 recovery words and a relay alone."""
        return cls._of(_selkie.recover(db_path, url, recovery_words, user_key))

    def invite(
        self, place: str, user_key: UserKey | None = None, *, recovery_words: str | None = None
    ) -> _selkie.Invitation:
        """Invites a device; asks for the passphrase or words again. Show ``code``, then call ``wait``."""
        return _selkie.invite(self._native, place, user_key, recovery_words)

    # ---- records -----------------------------------------------------------------------------------------

    def store(self, id: str, data: Mapping[str, Json], collection: str = DEFAULT) -> None:
        """Stores a document under an id, in place of what is there; durable when it returns."""
        self._native.put(collection, id, data)

    def insert(self, data: Mapping[str, Json], collection: str = DEFAULT) -> str:
        """Stores a document under a new, time-ordered id, which it returns."""
        return self._native.insert(collection, data)

    def patch(self, id: str, changes: Mapping[str, Json], collection: str = DEFAULT) -> None:
        """Changes some fields (JSON merge patch, RFC 7396: ``None`` removes one)."""
        self._native.patch(collection, id, changes)

    def retrieve(self, id: str, collection: str = DEFAULT) -> Document | None:
        """The document under an id; ``None`` if there is none."""
        document: Document | None = self._native.document(collection, id)
        return document

    def record(self, id: str, collection: str = DEFAULT) -> Record | None:
        """The document with its times; ``None`` if there is none."""
        found = self._native.record(collection, id)
        return None if found is None else Record(**found)

    def delete(self, id: str, collection: str = DEFAULT) -> bool:
        """Deletes a record, on all devices once they have synced; whether there was one."""
        return self._native.delete(collection, id)

    def query(
        self,
        where: str | Mapping[str, Json] | None = None,
        collection: str = DEFAULT,
        *,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Record]:
        """Records that match: a filter such as ``"mass > 3000 and done = true"``, or a value for each field. ``order_by`` names
        fields, with ``-`` in front for descending."""
        text, equal = (where, None) if isinstance(where, str) else (None, where)
        order = [order_by] if isinstance(order_by, str) else list(order_by)
        equal = None if equal is None else dict(equal)
        return [Record(**found) for found in self._native.query(collection, text, equal, order, limit)]

    def sql(self, statement: str, parameters: Sequence[Json] = ()) -> list[dict[str, Any]]:
        """Runs one SELECT over the read-only views ``records`` and ``v_COLLECTION``."""
        answer = self._native.sql(statement, list(parameters))
        return [dict(zip(answer["columns"], row)) for row in answer["rows"]]

    def collection(self, name: str) -> Collection:
        """A collection as a mapping; it need not exist yet."""
        return Collection(self, name)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Gathers writes; they happen together, as one change, when the block ends, or not at all if it raises."""
        gathered = Transaction()
        yield gathered
        self._native.write(gathered.writes)

    def keep_local(self, collection: str) -> None:
        """Keeps a collection on this device: encrypted like all others, and never synced."""
        self._native.keep_local(collection)

    def watch(self, collection: str | None = None, timeout: float = 86_400) -> Iterator[dict[str, Any]]:
        """Events from now on; ends when none came for so many seconds."""
        return iter(Watch(_selkie.watch(self._native, collection), timeout))

    # ---- conflicts ---------------------------------------------------------------------------------------

    def set_policy(self, collection: str, policy: str, on_delete: str = "edit_wins") -> None:
        """What happens when two devices change one thing: timestamp, priority, merge, user_choice, custom:NAME."""
        _selkie.set_policy(self._native, collection, policy, on_delete)

    def policy(self, collection: str) -> tuple[str, str]:
        """The policy of a collection, and its rule for deletes."""
        return _selkie.policy(self._native, collection)

    def conflicts(self, collection: str | None = None) -> list[OpenConflict]:
        """The conflicts that wait for a person, oldest first."""
        return [OpenConflict._of(found) for found in _selkie.conflicts(self._native, collection)]

    def resolve(self, conflict: OpenConflict, answer: Answer) -> None:
        """Answers a conflict: with one of its ``sides``, or with another value."""
        place = (conflict.collection, conflict.id, conflict.token)
        _selkie.resolve(self._native, *place, answer_of(answer))

    def register_resolver(self, name: str, callback: Callable[[OpenConflict], Answer]) -> None:
        """The callback of the policy ``custom:NAME``. It returns one of the sides, a value, or ``NotImplemented`` to leave
        the conflict to a person. It must not write to the store."""
        _selkie.register_resolver(self._native, name, custom_callback(callback, OpenConflict._of))

    def attend(self) -> int:
        """Answers what a machine may answer; sync does this too. Returns how many conflicts were answered."""
        return _selkie.attend(self._native)

    def history(self, id: str, collection: str = DEFAULT) -> list[HistoryEntry]:
        """What a record's fields were, who wrote them, what lost; oldest first."""
        return [HistoryEntry(**entry) for entry in _selkie.history(self._native, collection, id)]

    def undo(self, id: str, collection: str = DEFAULT) -> None:
        """Takes back the last change of a record, wherever it was made."""
        _selkie.undo(self._native, collection, id)

    # ---- the store itself --------------------------------------------------------------------------------

    @property
    def recovery_words(self) -> str | None:
        """The 24 words that open a lost passphrase's store; only of a store just made. Show them once."""
        return self._native.recovery_words

    @property
    def vault_id(self) -> str:
        """The same on all devices of the vault."""
        return self._native.vault_id

    @property
    def device_id(self) -> str:
        """This device's."""
        return self._native.device_id

    @property
    def closed(self) -> bool:
        """Whether it cannot be used any more."""
        return self._native.closed

    def status(self) -> dict[str, Any]:
        """The vault at a glance."""
        status: dict[str, Any] = self._native.status()
        return status

    def digest(self) -> str:
        """Equal on devices that hold the same records and conflicts."""
        return self._native.digest()

    def change_passphrase(self, old: UserKey, new: str) -> None:
        """Replaces the passphrase; nothing is encrypted anew."""
        self._native.change_passphrase(old, new)

    def close(self) -> None:
        """Closes the files and wipes the key from memory."""
        self._native.close()

    def __enter__(self) -> EncryptedLocalStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a store cannot be pickled, for its key must not travel; open it again where it is needed")

    def __repr__(self) -> str:
        return "<EncryptedLocalStore, closed>" if self.closed else f"<EncryptedLocalStore of device {self.device_id}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __getitem__(self, id: str) -> Document:
        return self.collection(DEFAULT)[id]

    def __setitem__(self, id: str, data: Mapping[str, Json]) -> None:
        self.store(id, data)

    def __delitem__(self, id: str) -> None:
        del self.collection(DEFAULT)[id]

    def __contains__(self, id: object) -> bool:
        return id in self.collection(DEFAULT)

    def __len__(self) -> int:
        return self._native.count(DEFAULT)

    def __iter__(self) -> Iterator[str]:
        return iter(self.collection(DEFAULT))


class Collection(MutableMapping[str, Document]):
    """One collection of a store, as a mapping from ids to documents."""

    def __init__(self, store: EncryptedLocalStore, name: str) -> None:
        self._store = store
        self.name = name

    def __getitem__(self, id: str) -> Document:
        document = self._store.retrieve(id, self.name)
        if document is None:
            raise NotFound("there is no such record")
        return document

    def __setitem__(self, id: str, data: Mapping[str, Json]) -> None:
        self._store.store(id, data, self.name)

    def __delitem__(self, id: str) -> None:
        if not self._store.delete(id, self.name):
            raise NotFound("there is no such record")

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self._store.retrieve(id, self.name) is not None

    def __len__(self) -> int:
        return self._store._native.count(self.name)

    def __iter__(self) -> Iterator[str]:
        return (record.id for record in self.records())

    def records(self) -> Iterator[Record]:
        """All records in order of id, read a page at a time."""
        after: str | None = None
        while page := self._store._native.list(self.name, PAGE, after):
            yield from (Record(**found) for found in page)
            after = page[-1]["id"]


class Transaction:
    """Writes that are to happen together."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, str, str, Any]] = []

    def store(self, id: str, data: Mapping[str, Json], collection: str = DEFAULT) -> None:
        """As ``EncryptedLocalStore.store``."""
        self.writes.append(("put", collection, id, data))

    def patch(self, id: str, changes: Mapping[str, Json], collection: str = DEFAULT) -> None:
        """As ``EncryptedLocalStore.patch``."""
        self.writes.append(("patch", collection, id, changes))

    def delete(self, id: str, collection: str = DEFAULT) -> None:
        """As ``EncryptedLocalStore.delete``."""
        self.writes.append(("delete", collection, id, None))


class Watch:
    """Events, one after another."""

    def __init__(self, events: _selkie.Events, timeout: float) -> None:
        self._events = events
        self._timeout = timeout

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> dict[str, Any]:
        event: dict[str, Any] | None = self._events.next(self._timeout)
        if event is None:
            raise StopIteration
        return event
