"""Inspected pages in memory: same port, same rules as in Postgres. Part of `sync.store.memory`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from sync.plan.inspection import Inspection
from sync.store.digest import storable
from sync.store.port import RunKey


class MemoryInspections:
    """See `sync.store.port.Inspections`. `fence` raises Superseded; it and `pages` are called with the store's lock held.

    `pages` gives the impressions of a property's pages since a day, as the store's facts have them.
    """

    def __init__(
        self,
        lock: threading.Lock,
        fence: Callable[[RunKey, int], None],
        clock: Callable[[], datetime],
        pages: Callable[[str, date], Mapping[str, int]] = lambda _property, _since: {},
    ) -> None:
        self._lock, self._fence, self._clock, self._pages = lock, fence, clock, pages
        self._inspected: dict[str, dict[str, tuple[Inspection, datetime]]] = {}

    def due(self, property_: str, since: date, before: datetime, most: int) -> Sequence[str]:
        with self._lock:
            shown = self._pages(property_, since)
            seen = self._inspected.get(property_, {})
            due = [page for page in shown if page not in seen or seen[page][1] < before]
        # A page that is kept as another text than Google's cannot be asked about.
        whole = [page for page in due if storable(page) == page]
        return sorted(whole, key=lambda page: (-shown[page], page))[:most]

    def asked_since(self, property_: str, moment: datetime) -> int:
        with self._lock:
            return sum(at >= moment for _, at in self._inspected.get(property_, {}).values())

    def write(self, property_: str, inspections: Sequence[Inspection], run: RunKey, launch: int) -> None:
        with self._lock:
            self._fence(run, launch)
            known = self._inspected.setdefault(property_, {})
            known.update((each.page, (each, self._clock())) for each in inspections)

    def known(self, property_: str) -> Sequence[Inspection]:
        with self._lock:
            known = [each for each, _ in self._inspected.get(property_, {}).values()]
        return sorted((replace(each, page=storable(each.page)) for each in known), key=lambda each: each.page)
