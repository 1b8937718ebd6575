"""Runs inside dlt's environment: `python dlt_pipeline.py CONFIG`.

There is no ready-made source, so this is the resource that a user would write: a request per day and page, merged by
its dimensions.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dlt
import requests

KEY = ["date", "page", "query", "country", "device"]
config = json.loads(Path(sys.argv[1]).read_text())


@dlt.resource(name="search_analytics", write_disposition="merge", primary_key=KEY)
def search_analytics() -> Iterator[list[dict[str, Any]]]:
    session = requests.Session()
    form = {name: config[name] for name in ("client_id", "client_secret", "refresh_token")}
    token = session.post(
        f"{config['google']}/token", data={"grant_type": "refresh_token", **form}, timeout=60
    )
    session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
    session.headers["User-Agent"] = "benchmark (gzip)"
    url = f"{config['google']}/webmasters/v3/sites/{quote(config['property'], safe='')}/searchAnalytics/query"
    day, last = date.fromisoformat(config["first"]), date.fromisoformat(config["last"])
    while day <= last:
        start = 0
        while True:
            body = {
                "startDate": str(day),
                "endDate": str(day),
                "dimensions": KEY,
                "type": "web",
                "dataState": "all",
            }
            answer = session.post(url, json={**body, "startRow": start, "rowLimit": 25_000}, timeout=120)
            answer.raise_for_status()
            rows = answer.json().get("rows", [])
            yield [{**dict(zip(KEY, row.pop("keys"), strict=True)), **row} for row in rows]
            start += len(rows)
            if not rows:
                break
        day += timedelta(days=1)


pipeline = dlt.pipeline(
    "bench",
    pipelines_dir=os.environ["BENCH_FOLDER"],
    destination=dlt.destinations.postgres(config["database"]),
    dataset_name="dlt_bench",
)
pipeline.run(search_analytics())
