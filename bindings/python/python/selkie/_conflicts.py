"""Conflicts, and the resolver alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, Union

from . import _selkie
from .errors import InvalidInput


@dataclass(frozen=True)
class Side:
    """One answer to a conflict. ``content``: value, removed, kept or deleted; ``written_by``: (device, ms) pairs."""

    index: int
    content: str
    value: Any
    written_by: list[Any]


@dataclass(frozen=True)
class Conflict:
    """A difference at ``path``. ``kind``: concurrent_edit, edit_vs_delete or shape."""

    path: str
    kind: str
    sides: list[Side]
    shown: int

    @classmethod
    def _of(cls, found: Any) -> Conflict:
        return cls(**{**found, "sides": [Side(**side) for side in found["sides"]]})


@dataclass(frozen=True)
class OpenConflict:
    """A conflict that waits for a person, and where. ``token`` names what was shown."""

    collection: str
    id: str
    token: str
    since_ms: int
    deadline_ms: int
    suggestion: int | None
    conflict: Conflict

    @classmethod
    def _of(cls, found: Any) -> OpenConflict:
        return cls(**{**found, "conflict": Conflict._of(found["conflict"])})

    @property
    def sides(self) -> list[Side]:
        """The answers to choose from, oldest first."""
        return self.conflict.sides


@dataclass(frozen=True)
class HistoryEntry:
    """One value in a record's history."""

    at_ms: int
    device: str
    path: str
    content: str
    value: Any
    decided_by: str
    stands: bool
    lost: bool


@dataclass(frozen=True)
class Decision:
    """What became of one field in which two documents differed."""

    path: str
    candidates: list[Any]
    chosen: Any


@dataclass(frozen=True)
class Resolved:
    """What a merge came to; ``conflicts`` wait for a person."""

    document: dict[str, Any]
    decisions: list[Decision]
    conflicts: list[Conflict]


Answer = Union[Side, Any]
"""One of a conflict's sides, or another value; ``NotImplemented`` leaves it open."""
_Asked = TypeVar("_Asked")

CONTEXT = {"data_type", "strategy", "local_ms", "remote_ms", "local_priority", "remote_priority", "base"}


def answer_of(answer: Answer) -> tuple[str, Any]:
    """An answer as the native half takes it."""
    return ("side", answer.index) if isinstance(answer, Side) else ("value", answer)


def custom_callback(
    callback: Callable[[_Asked], Answer], shape: Callable[[Any], _Asked]
) -> Callable[[Any], tuple[str, Any] | None]:
    """A callback of the app's, as the native half calls it."""

    def ask(found: Any) -> tuple[str, Any] | None:
        answer = callback(shape(found))
        return None if answer is NotImplemented else answer_of(answer)

    return ask


Strategy = Union[str, Callable[[Conflict], Answer]]
"""timestamp, priority, merge, user_choice, or a function that answers each field that differs."""


class ConflictResolver:
    """Merges two documents by the rules of a store, without one. Which is called local makes no difference."""

    def __init__(self, strategy: Strategy = "timestamp") -> None:
        self._strategies: dict[str | None, Strategy] = {None: strategy}

    def set_strategy(self, data_type: str, strategy: Strategy) -> None:
        """The strategy for one type of data (the context's ``data_type``)."""
        self._strategies[data_type] = strategy

    def resolve_conflict(
        self,
        local_data: Mapping[str, Any],
        remote_data: Mapping[str, Any],
        context: Mapping[str, Any] | None = None,
    ) -> Resolved:
        """Merges. The context may name ``data_type``, ``strategy``, ``local_ms`` and ``remote_ms`` (when each was written,
        milliseconds since 1970), ``local_priority``, ``remote_priority``, and ``base``, the document both began from: a field
        that only one of them changed is that one's. Without times neither is newer, and a tie is broken by content."""
        context = context or {}
        if unknown := set(context) - CONTEXT:
            raise InvalidInput(f"the context has no {sorted(unknown)[0]!r}; it knows {', '.join(sorted(CONTEXT))}")
        by_type = self._strategies.get(context.get("data_type"), self._strategies[None])
        strategy: Strategy = context.get("strategy", by_type)
        local = (dict(local_data), context.get("local_ms", 0), context.get("local_priority", 0))
        remote = (dict(remote_data), context.get("remote_ms", 0), context.get("remote_priority", 0))
        custom = None if isinstance(strategy, str) else custom_callback(strategy, Conflict._of)
        name = strategy if isinstance(strategy, str) else "user_choice"
        merged = _selkie.merge(name, local, remote, context.get("base"), custom)
        return Resolved(
            document=merged["document"],
            decisions=[Decision(**decision) for decision in merged["decisions"]],
            conflicts=[Conflict._of(conflict) for conflict in merged["conflicts"]],
        )
