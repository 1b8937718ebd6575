"""This project's sync: a process with a RunSpec, as in a Job."""

from __future__ import annotations

import compileall
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.sync.case import DIMENSIONS, LAST_DAY, Ground, Pass, Rows, Size

REQUESTS_PER_SECOND, REQUESTS_PER_SECOND_OF_ALL = 100.0, 1000.0
"""The most that a RunSpec allows: the limit to be found is the program's, not Google's."""


class Ours:
    name = "gsc-sync"
    fact_tables: tuple[str, ...] = ("gsc.page_query",)
    other_tables: tuple[str, ...] = ("gsc.page", "gsc.query")

    def install(self) -> None:
        """It is here; compiled, as it is in the image and as pip leaves the other tools."""
        for package in ("contract", "sync"):
            compileall.compile_dir(package, quiet=1)

    def before(self, what: Pass, connection: psycopg.Connection[Any]) -> None:
        """Without remembered totals, a cell is read again whatever the probe shows."""
        ledger = connection.execute("SELECT to_regclass('gsc.ledger')").fetchone()
        if not what.probed and ledger != (None,):
            connection.execute("UPDATE gsc.ledger SET probe_clicks = NULL, probe_impressions = NULL")

    def commands(self, ground: Ground, google: str, what: Pass, number: int) -> list[list[str]]:
        del google
        spec = ground.folder / f"spec-{number}.json"
        spec.write_text(json.dumps(_spec(ground, what, number)))
        return [[sys.executable, "-m", "sync", "run", "--spec", str(spec)]]

    def environment(self, ground: Ground, google: str) -> Mapping[str, str]:
        del ground
        return {
            "GSC_SYNC_API_BASE_URL": f"{google}/webmasters/v3",
            "GSC_SYNC_TOKEN_URL": f"{google}/token",
            "GSC_SYNC_LOG_FORMAT": "json",
        }

    def questions(self, size: Size) -> list[dict[str, Any]]:
        probe = {
            "startDate": min(size.window).isoformat(), "endDate": max(size.window).isoformat(),
            "dimensions": ["date"], "type": "web", "dataState": "all", "startRow": 0, "rowLimit": 1000,
        }  # fmt: skip
        return [
            probe,
            *({
                "startDate": day.isoformat(), "endDate": day.isoformat(), "dimensions": list(DIMENSIONS[1:]),
                "type": "web", "dataState": "all", "startRow": start, "rowLimit": 25_000,
            }
            for day in size.window
            for start in sorted({0, size.rows})),
        ]  # fmt: skip

    def rows(self, ground: Ground, connection: psycopg.Connection[Any]) -> Rows:
        del ground
        for day, page, query, country, device, *metrics in connection.execute(
            "SELECT day, page, query, country, device, clicks, impressions, position FROM gsc.v_page_query"
        ):
            yield (day.isoformat(), page, query, country, device), (metrics[0], metrics[1], metrics[2])


def _spec(ground: Ground, what: Pass, number: int) -> dict[str, Any]:
    secret = ground.folder / "warehouse"
    secret.mkdir(exist_ok=True)
    for key, value in conninfo_to_dict(ground.database).items():
        (secret / key).write_text(str(value))
    (secret / "sslmode").write_text("disable")
    credentials = ground.folder / "credentials.json"
    credentials.write_text(json.dumps(ground.credentials))
    return {
        "scheduleUid": "bench",
        "namespace": "bench",
        "name": "bench",
        "runId": f"m-{number}",
        "slot": datetime.combine(LAST_DAY, time(20), UTC).isoformat(),
        "timeoutSeconds": 3600,
        "window": {"days": ground.size.days},
        "workspaces": [
            {
                "name": "bench",
                "credentialsPath": str(credentials),
                "properties": {"include": [what.property]},
            }
        ],
        "destination": {"path": str(secret)},
        "limits": {
            "requestsPerSecondPerProperty": REQUESTS_PER_SECOND,
            "requestsPerSecondPerIdentity": REQUESTS_PER_SECOND_OF_ALL,
        },
    }
