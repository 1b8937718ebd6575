"""singer-io's tap piped into MeltanoLabs' target: two programs, as its users run them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.sync.case import PROPERTY, Ground, Pass, Rows, Size
from benchmarks.sync.peers import environments

SCHEMA, TABLE = "singer", "performance_report_custom"
ORDER = ("date", "country", "device", "page", "query")
PAGE_ROWS, WINDOW_DAYS = 10_000, 30


class Singer:
    name = "singer tap | target"
    fact_tables: tuple[str, ...] = (f"{SCHEMA}.{TABLE}",)
    other_tables: tuple[str, ...] = ()

    def install(self) -> None:
        environments.install("tap", "tap-google-search-console==1.1.2")
        environments.install("target", "meltanolabs-target-postgres==0.8.1")

    def before(self, what: Pass, connection: psycopg.Connection[Any]) -> None:
        """It has no memory: no state is handed on."""

    def commands(self, ground: Ground, google: str, what: Pass, number: int) -> list[list[str]]:
        del what, number
        tap = {
            **{name: ground.user[name] for name in ("client_id", "client_secret", "refresh_token")},
            "site_urls": PROPERTY,
            "start_date": f"{ground.size.first_day.isoformat()}T00:00:00Z",
            "user_agent": "benchmark (gzip)",
        }
        place = conninfo_to_dict(ground.database)
        target = {
            "host": place["host"],
            "port": int(place["port"] or 5432),
            "user": place["user"],
            "password": place.get("password") or "none",
            "database": place["dbname"],
            "default_target_schema": SCHEMA,
        }
        for name, content in (("tap", tap), ("target", target)):
            (ground.folder / f"{name}.json").write_text(json.dumps(content))
        launcher = str(Path(__file__).parent / "inside" / "singer_launcher.py")
        return [
            [environments.python_of("tap"), launcher, google, str(ground.folder / "tap.json")],
            [
                str(environments.home() / "target" / "bin" / "target-postgres"),
                "--config",
                str(ground.folder / "target.json"),
            ],
        ]

    def environment(self, ground: Ground, google: str) -> Mapping[str, str]:
        del ground, google
        return {}

    def questions(self, size: Size) -> list[dict[str, Any]]:
        last = size.first_day + timedelta(days=WINDOW_DAYS)
        return [
            {
                "startDate": size.first_day.isoformat(), "endDate": last.isoformat(), "dimensions": list(ORDER),
                "type": "web", "startRow": start, "rowLimit": PAGE_ROWS,
            }
            for start in range(0, size.total + 1, PAGE_ROWS)
        ]  # fmt: skip

    def rows(self, ground: Ground, connection: psycopg.Connection[Any]) -> Rows:
        del ground
        for *key, clicks, impressions, position in connection.execute(
            "SELECT left(date::text, 10), page, query, country, device, clicks, impressions, position"
            " FROM singer.performance_report_custom WHERE search_type = 'web'"
        ):
            day, page, query, country, device = key
            yield (day, page, query, country, device), (int(clicks), int(impressions), float(position))
