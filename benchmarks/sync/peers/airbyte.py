"""Airbyte's source, alone: records on standard output, without the destination that would follow it.

It has no setting for where Google is, so a copy of its package with other addresses goes before it on the path.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.sync.case import DIMENSIONS, LAST_DAY, PROPERTY, Ground, Pass, Rows, Size
from benchmarks.sync.peers import environments

PACKAGE = "source_google_search_console"
STREAM = "search_analytics_all_fields"
ORDER = ("date", "country", "device", "page", "query")
SLICE_DAYS = 3
RUN = f"from {PACKAGE}.run import run; run()"


class Airbyte:
    name = "airbyte source"
    fact_tables: tuple[str, ...] = ()
    other_tables: tuple[str, ...] = ()

    def install(self) -> None:
        environments.install("airbyte", "airbyte-source-google-search-console==1.9.4")

    def before(self, what: Pass, connection: psycopg.Connection[Any]) -> None:
        """It has no memory: no state is handed on."""

    def commands(self, ground: Ground, google: str, what: Pass, number: int) -> list[list[str]]:
        del what, number
        self._package(ground.folder, google)
        config = {
            "site_urls": [PROPERTY],
            "start_date": ground.size.first_day.isoformat(),
            "end_date": LAST_DAY.isoformat(),
            "data_state": "all",
            "authorization": {
                "auth_type": "Client",
                **{name: ground.user[name] for name in ("client_id", "client_secret", "refresh_token")},
            },
        }
        stream = {"name": STREAM, "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
        catalog = {
            "streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}]
        }
        for name, content in (("config", config), ("catalog", catalog)):
            (ground.folder / f"{name}.json").write_text(json.dumps(content))
        files = [
            "--config",
            str(ground.folder / "config.json"),
            "--catalog",
            str(ground.folder / "catalog.json"),
        ]
        return [[environments.python_of("airbyte"), "-c", RUN, "read", *files]]

    def environment(self, ground: Ground, google: str) -> Mapping[str, str]:
        return {"PYTHONPATH": str(_place(ground.folder, google))}

    def questions(self, size: Size) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for kind in ("web", "news", "image", "video"):
            for at in range(0, size.days, SLICE_DAYS):
                days = size.window[at : at + SLICE_DAYS]
                rows = size.rows * len(days) if kind == "web" else 0
                found += (
                    {
                        "startDate": days[0].isoformat(), "endDate": days[-1].isoformat(), "dimensions": list(ORDER),
                        "type": kind, "aggregationType": "auto", "dataState": "all", "startRow": start,
                        "rowLimit": 25_000,
                    }
                    for start in range(0, rows + 1, 25_000)
                )  # fmt: skip
        return found

    def rows(self, ground: Ground, connection: psycopg.Connection[Any]) -> Rows:
        """What it has put out: nothing of it is stored."""
        del connection
        with (ground.folder / "output").open() as lines:
            for line in lines:
                message = json.loads(line)
                if message["type"] == "RECORD":
                    row = message["record"]["data"]
                    day, page, query, country, device = (row.get(name) or "" for name in DIMENSIONS)
                    yield (
                        (day, page, query, country, device),
                        (row["clicks"], row["impressions"], row["position"]),
                    )

    def _package(self, folder: Path, google: str) -> None:
        place = _place(folder, google)
        if place.exists():
            return
        [original] = (environments.home() / "airbyte").glob(f"lib/python*/site-packages/{PACKAGE}")
        shutil.copytree(original, place / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("manifest.yaml", "source.py"):
            file = place / PACKAGE / name
            text = file.read_text()
            text = text.replace("https://www.googleapis.com/webmasters/v3", f"{google}/webmasters/v3")
            file.write_text(text.replace("https://oauth2.googleapis.com/token", f"{google}/token"))


def _place(folder: Path, google: str) -> Path:
    return folder / f"package-{google.rpartition(':')[2]}"
