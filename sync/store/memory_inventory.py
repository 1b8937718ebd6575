"""Properties and sitemaps in memory: same port, same rules as in Postgres. Part of `sync.store.memory`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sync.account import Site
from sync.plan.inventory import Sitemap, sitemaps_are_due
from sync.store.digest import storable
from sync.store.port import RunKey


class MemoryInventory:
    """See `sync.store.port.Inventory`. `fence` raises Superseded, and is called with the store's lock held."""

    def __init__(
        self, lock: threading.Lock, fence: Callable[[RunKey, int], None], clock: Callable[[], datetime]
    ) -> None:
        self._lock, self._fence, self._clock = lock, fence, clock
        self._access: dict[tuple[str, str, str], tuple[str, bool]] = {}
        self._sitemaps: dict[str, dict[str, tuple[Sitemap, bool]]] = {}
        self._asked_at: dict[str, datetime] = {}
        """Of answers that were given; a refusal has none."""

    def note_properties(self, workspace: str, sites: Sequence[Site], run: RunKey, launch: int) -> None:
        with self._lock:
            self._fence(run, launch)
            for key, (permission, _) in self._access.items():
                if key[:2] == (run.schedule_uid, workspace):
                    self._access[key] = (permission, False)
            for site in sites:
                self._access[run.schedule_uid, workspace, site.url] = (storable(site.permission), True)

    def write_sitemaps(
        self, property_: str, sitemaps: Sequence[Sitemap] | None, run: RunKey, launch: int
    ) -> None:
        with self._lock:
            self._fence(run, launch)
            now = self._clock()
            if sitemaps is None:
                if property_ in self._asked_at and sitemaps_are_due(self._asked_at[property_], now):
                    del self._asked_at[property_]
                return
            self._asked_at[property_] = now
            known = {
                path: (sitemap, False) for path, (sitemap, _) in self._sitemaps.get(property_, {}).items()
            }
            self._sitemaps[property_] = known | {each.path: (each, True) for each in sitemaps}

    def sitemaps_asked_at(self, property_: str) -> datetime | None:
        with self._lock:
            return self._asked_at.get(property_)

    def properties(self) -> Mapping[tuple[str, str], tuple[str, bool]]:
        with self._lock:
            return {(workspace, storable(url)): found for (_, workspace, url), found in self._access.items()}

    def sitemaps(self, property_: str) -> Sequence[Sitemap]:
        with self._lock:
            listed = [sitemap for sitemap, there in self._sitemaps.get(property_, {}).values() if there]
        return sorted(
            (replace(each, path=storable(each.path)) for each in listed), key=lambda each: each.path
        )
