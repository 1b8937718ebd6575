"""Properties and sitemaps in Postgres: small lists, replaced as sets, of which what is equal is not touched.

What is no longer listed is marked and kept: an empty answer that was not true is mended by the next one, and whoever
looks for the day on which a property or a sitemap went away finds it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from sync.account import Site
from sync.plan.inventory import ASK_AGAIN_AFTER, Sitemap, kind_of
from sync.store.beside import BesideFacts
from sync.store.digest import hash_of, storable
from sync.store.port import RunKey

if TYPE_CHECKING:
    from sync.store.connect import Connection

LOCK = 0x67736306


class PostgresInventory(BesideFacts):
    """See `sync.store.port.Inventory`."""

    def note_properties(self, workspace: str, sites: Sequence[Site], run: RunKey, launch: int) -> None:
        permissions = {site.url: site.permission for site in sites}

        def work(connection: Connection, ids: Mapping[str, int]) -> None:
            self._enter(connection, f"{run.schedule_uid}/{workspace}", run, launch)
            now = self._clock()
            # Dying before the commit leaves the list of before; after it, the next run finds it equal and writes nothing.
            self._execute(
                connection,
                "INSERT INTO {}.property_access AS t (schedule_uid, workspace, property_id, kind, permission, since)"
                " SELECT %s, %s, id, kind, permission, %s FROM unnest(%s::int[], %s::text[], %s::text[]) AS s (id, kind, permission)"
                " ON CONFLICT (schedule_uid, workspace, property_id) DO UPDATE SET permission = EXCLUDED.permission,"
                " since = EXCLUDED.since, gone_at = NULL"
                " WHERE t.permission IS DISTINCT FROM EXCLUDED.permission OR t.gone_at IS NOT NULL",
                [
                    run.schedule_uid,
                    workspace,
                    now,
                    [ids[url] for url in permissions],
                    [kind_of(url) for url in permissions],
                    [storable(permission) for permission in permissions.values()],
                ],
            )
            self._execute(
                connection,
                "UPDATE {}.property_access SET gone_at = %s WHERE schedule_uid = %s AND workspace = %s"
                " AND gone_at IS NULL AND property_id <> ALL (%s)",
                [now, run.schedule_uid, workspace, [ids[url] for url in permissions]],
            )

        self._with_ids(list(permissions), work)

    def sitemaps_asked_at(self, property_: str) -> datetime | None:
        def work(connection: Connection) -> datetime | None:
            row = self._execute(
                connection,
                "SELECT asked_at FROM {}.sitemap_list WHERE sitemaps IS NOT NULL"
                " AND property_id = (SELECT id FROM {}.property WHERE hash = %s)",
                [hash_of(property_)],
            ).fetchone()
            return cast("datetime", row[0]) if row else None

        return cast("datetime | None", self._repeat(work))

    def write_sitemaps(
        self, property_: str, sitemaps: Sequence[Sitemap] | None, run: RunKey, launch: int
    ) -> None:
        listed = None if sitemaps is None else {hash_of(each.path): each for each in sitemaps}

        def work(connection: Connection, ids: Mapping[str, int]) -> None:
            property_id = ids[property_]
            self._enter(connection, f"sitemaps/{property_id}", run, launch)
            now = self._clock()
            # Sitemaps and the moment of the answer commit together: dying before leaves both as they were. That one identity
            # may not see them takes nothing from what another one saw today.
            if listed is not None:
                for key, each in sorted(listed.items()):
                    self._execute(connection, _UPSERT, [property_id, key, *_columns(each), now])
                self._execute(
                    connection,
                    "UPDATE {}.sitemap SET gone_at = %s WHERE property_id = %s AND gone_at IS NULL AND hash <> ALL (%s)",
                    [now, property_id, list(listed)],
                )
            self._execute(
                connection,
                "INSERT INTO {}.sitemap_list AS t (property_id, sitemaps, run_id, asked_at) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (property_id) DO UPDATE SET sitemaps = EXCLUDED.sitemaps, run_id = EXCLUDED.run_id,"
                " asked_at = EXCLUDED.asked_at"
                " WHERE EXCLUDED.sitemaps IS NOT NULL OR t.sitemaps IS NULL OR t.asked_at <= %s",
                [
                    property_id,
                    None if listed is None else len(listed),
                    run.run_id,
                    now,
                    now - ASK_AGAIN_AFTER,
                ],
            )

        self._with_ids([property_], work)

    def properties(self) -> Mapping[tuple[str, str], tuple[str, bool]]:
        found = self._repeat(
            lambda connection: self._execute(
                connection,
                "SELECT workspace, property, permission, gone_at IS NULL FROM {}.v_properties",
                [],
            ).fetchall()
        )
        return {(workspace, url): (permission, there) for workspace, url, permission, there in found}

    def sitemaps(self, property_: str) -> Sequence[Sitemap]:
        found = self._repeat(
            lambda connection: self._execute(
                connection,
                "SELECT path, type, is_index, is_pending, submitted_at, downloaded_at, warnings, errors, contents"
                ' FROM {}.v_sitemaps WHERE property = %s AND gone_at IS NULL ORDER BY path COLLATE "C"',
                [storable(property_)],
            ).fetchall()
        )
        return [
            Sitemap(
                path,
                kind,
                index,
                pending,
                submitted,
                downloaded,
                warnings,
                errors,
                tuple(sorted(each.items())),
            )
            for path, kind, index, pending, submitted, downloaded, warnings, errors, each in found
        ]

    def _with_ids(self, urls: list[str], work: Callable[[Connection, Mapping[str, int]], None]) -> None:
        """Ids come from a transaction of their own, before; all of it is done again after a lost connection."""

        def attempt() -> None:
            ids = self._dictionaries.texts("property", urls)
            self._once(lambda connection: work(connection, ids))

        self._retry(attempt)

    def _enter(self, connection: Connection, name: str, run: RunKey, launch: int) -> None:
        """Lock the list, hold the run: as for cells."""
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, f"{self._schema}/{name}"])
        self._fence.hold(connection, run, launch)


_UPSERT = (
    "INSERT INTO {}.sitemap AS t (property_id, hash, path, type, is_index, is_pending, submitted_at, downloaded_at,"
    " warnings, errors, contents, changed_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)"
    " ON CONFLICT (property_id, hash) DO UPDATE SET type = EXCLUDED.type, is_index = EXCLUDED.is_index,"
    " is_pending = EXCLUDED.is_pending, submitted_at = EXCLUDED.submitted_at, downloaded_at = EXCLUDED.downloaded_at,"
    " warnings = EXCLUDED.warnings, errors = EXCLUDED.errors, contents = EXCLUDED.contents,"
    " changed_at = EXCLUDED.changed_at, gone_at = NULL"
    " WHERE t.gone_at IS NOT NULL OR (t.type, t.is_index, t.is_pending, t.submitted_at, t.downloaded_at, t.warnings,"
    " t.errors, t.contents) IS DISTINCT FROM (EXCLUDED.type, EXCLUDED.is_index, EXCLUDED.is_pending,"
    " EXCLUDED.submitted_at, EXCLUDED.downloaded_at, EXCLUDED.warnings, EXCLUDED.errors, EXCLUDED.contents)"
)


def _columns(sitemap: Sitemap) -> list[Any]:
    return [
        storable(sitemap.path),
        storable(sitemap.type),
        sitemap.is_index,
        sitemap.is_pending,
        sitemap.submitted_at,
        sitemap.downloaded_at,
        sitemap.warnings,
        sitemap.errors,
        json.dumps({storable(kind): count for kind, count in sitemap.contents}),
    ]
