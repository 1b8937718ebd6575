"""Inspected pages in Postgres: which are due, how many questions today's quota has had, and what Google's index says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sync.plan.inspection import Inspection
from sync.store.beside import BesideFacts
from sync.store.digest import hash_of, storable
from sync.store.port import RunKey

if TYPE_CHECKING:
    from sync.store.connect import Connection


class PostgresInspections(BesideFacts):
    """See `sync.store.port.Inspections`."""

    def due(self, property_: str, since: date, before: datetime, most: int) -> Sequence[str]:
        found = self._repeat(
            lambda connection: self._execute(
                connection,
                "WITH here AS (SELECT id FROM {}.property WHERE hash = %s), shown AS ("
                "  SELECT page_id, sum(impressions) AS impressions FROM {}.page_query, here"
                "  WHERE property_id = here.id AND day >= %s GROUP BY page_id"
                "  UNION ALL SELECT page_id, sum(impressions) FROM {}.by_page, here"
                "  WHERE property_id = here.id AND day >= %s GROUP BY page_id)"
                " SELECT page.text FROM (SELECT page_id, max(impressions) AS impressions FROM shown GROUP BY page_id) AS each"
                " JOIN {}.page ON page.id = each.page_id"
                " WHERE NOT page.altered AND NOT EXISTS (SELECT FROM {}.url_inspection AS known, here"
                "  WHERE known.property_id = here.id AND known.page_id = each.page_id AND known.inspected_at >= %s)"
                " ORDER BY each.impressions DESC, page.text LIMIT %s",
                [hash_of(property_), since, since, before, most],
            ).fetchall()
        )
        return [page for (page,) in found]

    def asked_since(self, property_: str, moment: datetime) -> int:
        row = self._repeat(
            lambda connection: self._execute(
                connection,
                "SELECT count(*) FROM {}.url_inspection WHERE inspected_at >= %s"
                " AND property_id = (SELECT id FROM {}.property WHERE hash = %s)",
                [moment, hash_of(property_)],
            ).fetchone()
        )
        return int(row[0])

    def write(self, property_: str, inspections: Sequence[Inspection], run: RunKey, launch: int) -> None:
        def attempt() -> None:
            property_id = self._dictionaries.texts("property", [property_])[property_]
            pages = self._dictionaries.texts("page", [each.page for each in inspections])
            self._once(lambda connection: work(connection, property_id, pages))

        def work(connection: Connection, property_id: int, pages: Mapping[str, int]) -> None:
            self._fence.hold(connection, run, launch)
            # Dying before the commit costs the answers, which are asked for again; dying after it nothing.
            with connection.cursor() as cursor:
                cursor.executemany(
                    self._statement(_INSPECTED),
                    [
                        [property_id, pages[each.page], *_words(each), self._clock()]
                        for each in sorted(inspections, key=lambda each: pages[each.page])
                    ],
                )

        self._retry(attempt)

    def known(self, property_: str) -> Sequence[Inspection]:
        found = self._repeat(
            lambda connection: self._execute(
                connection,
                "SELECT page, verdict, coverage, robots, indexing, fetched, crawled_as, crawled_at, google_canonical,"
                ' user_canonical FROM {}.v_url_inspection WHERE property = %s ORDER BY page COLLATE "C"',
                [storable(property_)],
            ).fetchall()
        )
        return [Inspection(*row) for row in found]


_INSPECTED = (
    "INSERT INTO {}.url_inspection AS t (property_id, page_id, verdict, coverage, robots, indexing, fetched, crawled_as,"
    " crawled_at, google_canonical, user_canonical, inspected_at, changed_at)"
    " SELECT s.*, s.inspected_at FROM (VALUES (%s::int, %s::int, %s, %s, %s, %s, %s, %s, %s::timestamptz, %s, %s, %s::timestamptz))"
    " AS s (property_id, page_id, verdict, coverage, robots, indexing, fetched, crawled_as, crawled_at,"
    " google_canonical, user_canonical, inspected_at)"
    " ON CONFLICT (property_id, page_id) DO UPDATE SET verdict = EXCLUDED.verdict, coverage = EXCLUDED.coverage,"
    " robots = EXCLUDED.robots, indexing = EXCLUDED.indexing, fetched = EXCLUDED.fetched,"
    " crawled_as = EXCLUDED.crawled_as, crawled_at = EXCLUDED.crawled_at, google_canonical = EXCLUDED.google_canonical,"
    " user_canonical = EXCLUDED.user_canonical, inspected_at = EXCLUDED.inspected_at,"
    " changed_at = CASE WHEN (t.verdict, t.coverage, t.robots, t.indexing, t.fetched, t.google_canonical, t.user_canonical)"
    " IS DISTINCT FROM (EXCLUDED.verdict, EXCLUDED.coverage, EXCLUDED.robots, EXCLUDED.indexing, EXCLUDED.fetched,"
    " EXCLUDED.google_canonical, EXCLUDED.user_canonical) THEN EXCLUDED.changed_at ELSE t.changed_at END"
)


def _words(each: Inspection) -> list[Any]:
    return [
        storable(each.verdict),
        storable(each.coverage),
        storable(each.robots),
        storable(each.indexing),
        storable(each.fetched),
        storable(each.crawled_as),
        each.crawled_at,
        storable(each.google_canonical),
        storable(each.user_canonical),
    ]
