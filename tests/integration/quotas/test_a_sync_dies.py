"""A sync that is killed holds its share a few seconds longer, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator import Account, documented_quotas
from sync.quota.bucket import LEASE_SECONDS
from tests.integration.quotas.syncs import config, eventually, scene, sites
from tests.postgres import Database

pytestmark = pytest.mark.needs_postgres


def test_the_lease_of_a_killed_sync_expires_and_the_other_takes_its_share(
    database: Database, tmp_path: Path
) -> None:
    properties = sites(*(f"p{number}" for number in range(8)))
    robot = Account(name="robot", properties=dict.fromkeys([prop.url for prop in properties], "siteOwner"))
    with scene(config([robot], properties, documented_quotas(per_second=50)), database, tmp_path) as here:
        lives = here.start("lives", account="robot", properties=properties[:4], seconds=60)
        dies = here.start("dies", account="robot", properties=properties[4:], seconds=60)

        def jobs() -> list[tuple[int, float]]:
            exists = database.execute("SELECT to_regclass('gsc.v_quota') IS NOT NULL") == [(True,)]
            return here.quota("jobs, per_second", "scope = 'identity'") if exists else []

        def share(of: str) -> float:
            (found,) = database.execute(
                "SELECT coalesce(sum((each ->> 'share')::float8), 0) FROM gsc.quota, jsonb_array_elements(leases) AS each"
                " WHERE scope = 'identity' AND each ->> 'holder' LIKE %s"
                " AND (each ->> 'until')::float8 > extract(epoch FROM clock_timestamp())",
                [f"data/{of} %"],
            )
            return float(found[0])

        eventually(lambda: [each[0] for each in jobs()] == [2])
        eventually(lambda: 8 < share("lives") < 11 and 8 < share("dies") < 11)
        dies.kill()
        killed = datetime.now(UTC)
        assert share("dies") > 8, "nobody told the table"
        eventually(lambda: share("dies") == 0)
        eventually(lambda: share("lives") > 18)
        assert datetime.now(UTC) - killed < timedelta(seconds=LEASE_SECONDS + 6)
        assert all(per_second <= 20 for _, per_second in jobs())
        lives.kill()
