"""dlt with the obvious resource; see `inside/dlt_pipeline.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.sync.case import DIMENSIONS, LAST_DAY, PROPERTY, Ground, Pass, Rows, Size
from benchmarks.sync.peers import environments


class Dlt:
    name = "dlt"
    fact_tables: tuple[str, ...] = ("dlt_bench.search_analytics",)
    other_tables: tuple[str, ...] = ()

    def install(self) -> None:
        environments.install("dlt", "dlt[postgres]==1.31.0", "requests")

    def before(self, what: Pass, connection: psycopg.Connection[Any]) -> None:
        """It has no memory: no state is handed on."""

    def commands(self, ground: Ground, google: str, what: Pass, number: int) -> list[list[str]]:
        del what, number
        place = conninfo_to_dict(ground.database)
        login = f"{place['user']}:{place.get('password') or 'none'}"
        config = {
            **{name: ground.user[name] for name in ("client_id", "client_secret", "refresh_token")},
            "google": google,
            "property": PROPERTY,
            "first": ground.size.first_day.isoformat(),
            "last": LAST_DAY.isoformat(),
            "database": f"postgresql://{login}@{place['host']}:{place['port']}/{place['dbname']}",
        }
        file = ground.folder / "dlt.json"
        file.write_text(json.dumps(config))
        return [
            [
                environments.python_of("dlt"),
                str(Path(__file__).parent / "inside" / "dlt_pipeline.py"),
                str(file),
            ]
        ]

    def environment(self, ground: Ground, google: str) -> Mapping[str, str]:
        del google
        return {"BENCH_FOLDER": str(ground.folder / "pipelines"), "RUNTIME__DLTHUB_TELEMETRY": "false"}

    def questions(self, size: Size) -> list[dict[str, Any]]:
        return [
            {
                "startDate": day.isoformat(), "endDate": day.isoformat(), "dimensions": list(DIMENSIONS),
                "type": "web", "dataState": "all", "startRow": start, "rowLimit": 25_000,
            }
            for day in size.window
            for start in sorted({0, size.rows})
        ]  # fmt: skip

    def rows(self, ground: Ground, connection: psycopg.Connection[Any]) -> Rows:
        del ground
        for *key, clicks, impressions, position in connection.execute(
            "SELECT left(date::text, 10), page, query, country, device, clicks, impressions, position"
            " FROM dlt_bench.search_analytics"
        ):
            day, page, query, country, device = key
            yield (day, page, query, country, device), (int(clicks), int(impressions), float(position))
