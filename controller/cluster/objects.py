"""Objects: what a MemoryCluster keeps, found by kind, by owner and by deletion without looking at everything.

Bodies go in and come out as copies, so nobody holds what is stored; a copy is by `marshal`, which takes what JSON can hold, refuses
other classes, and is some twenty times quicker than `copy.deepcopy`: weeks of a house of schedules are mostly copies.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")
Object = dict[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace, name."""


def copied(value: T) -> T:
    """A deep copy; raises ValueError for a class that JSON does not know."""
    given: Any = value
    copy: T = marshal.loads(marshal.dumps(given))  # noqa: S302 - bytes of its own, read back at once
    return copy


class Objects:
    """In the order in which they came, each kind by itself."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[Key, Object]] = {}
        self._owned: dict[str, dict[Key, None]] = {}
        """By the UID of the owner; dicts without values, since a set has no order."""
        self._leaving: dict[Key, None] = {}

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def get(self, key: Key) -> Object | None:
        return self._kinds.get(key[0], {}).get(key)

    def of(self, kind: str) -> Iterator[Object]:
        """As they are kept: copy what is given away."""
        return iter(self._kinds.get(kind, {}).values())

    def owned_by(self, uid: str) -> list[Key]:
        return list(self._owned.get(uid, ()))

    def leaving(self) -> list[Key]:
        """Those with a deletion time."""
        return list(self._leaving)

    def put(self, key: Key, body: Object) -> None:
        self._forget(key)
        self._kinds.setdefault(key[0], {})[key] = body
        for uid in _owners(body):
            self._owned.setdefault(uid, {})[key] = None
        if body["metadata"].get("deletionTimestamp"):
            self._leaving[key] = None

    def pop(self, key: Key) -> Object:
        """Raises KeyError."""
        self._forget(key)
        return self._kinds[key[0]].pop(key)

    def _forget(self, key: Key) -> None:
        old = self.get(key)
        if old is None:
            return
        for uid in _owners(old):
            owned = self._owned[uid]
            del owned[key]
            if not owned:
                del self._owned[uid]
        self._leaving.pop(key, None)


def _owners(body: Mapping[str, Any]) -> set[str]:
    return {owner["uid"] for owner in body["metadata"].get("ownerReferences") or ()}


__all__ = ["Key", "Object", "Objects", "copied"]
