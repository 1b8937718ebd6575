"""What is in the database, read inside the cluster: `python -m demo.rows` in the demo image prints JSON.

It knows only the published views, as a user would.
"""

from __future__ import annotations

import json
import os
import sys

import psycopg

QUERY = """
SELECT property, search_type, day, count(*) AS rows, sum(clicks) AS clicks, sum(impressions) AS impressions
FROM {schema}.v_page_query
GROUP BY property, search_type, day
ORDER BY property, search_type, day
"""


def main() -> None:
    schema = os.environ.get("GSC_SCHEMA", "gsc")
    with psycopg.connect(os.environ["DATABASE_URI"], connect_timeout=10) as connection:
        if connection.execute("SELECT to_regclass(%s)", [f"{schema}.v_page_query"]).fetchone() == (None,):
            rows = []
        else:
            rows = connection.execute(QUERY.format(schema=schema)).fetchall()
    names = ("property", "searchType", "day", "rows", "clicks", "impressions")
    json.dump(
        [dict(zip(names, row, strict=True)) for row in rows],
        sys.stdout,
        default=lambda v: int(v) if not hasattr(v, "isoformat") else v.isoformat(),
    )
    print()


if __name__ == "__main__":
    main()
