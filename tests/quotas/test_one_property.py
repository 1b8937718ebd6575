"""Three syncs at once of one property that three identities of three projects see: its own 1,200 a minute hold for all of them.

Each identity alone might use them up, so only a budget that the Jobs share keeps the property from being refused.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contract import State
from emulator import Account, documented_quotas
from tests.integration.quotas.syncs import busiest_minute, config, scene, sites
from tests.postgres import Database

pytestmark = [pytest.mark.needs_postgres, pytest.mark.timeout(300)]

SETTLED = timedelta(seconds=8)
MEASURED = timedelta(seconds=60)
SECONDS = 80
A_FEW = 5


def test_one_property_of_three_identities(database: Database, tmp_path: Path) -> None:
    properties = sites("shared")
    url = properties[0].url
    names = ("ann", "bob", "eve")
    accounts = [Account(name=name, project=f"{name}-1", properties={url: "siteOwner"}) for name in names]
    with scene(config(accounts, properties, documented_quotas(per_second=50)), database, tmp_path) as here:
        for name in names:
            limits = {"requestsPerSecondPerProperty": 20}
            here.start(name, account=name, properties=properties, seconds=SECONDS, limits=limits)
        here.wait()
        asked = here.asked()
        begin = asked[0][0] + SETTLED
        accepted = here.accepted(begin, begin + MEASURED)
        by = {
            account: sum(a == account for at, _, _, a in asked if begin <= at < begin + MEASURED)
            for *_, account in asked
        }
        figures = f"{accepted} accepted, {here.refused()} refused, asked by {by}"
        assert accepted >= 0.9 * 1200, figures
        assert here.refused() <= A_FEW, figures
        assert busiest_minute([at for at, status, _, _ in asked if status == 200]) <= 1200
        assert len(by) == 3, figures
        assert min(by.values()) >= 0.75 * max(by.values()), figures
        assert {sync.summary.state for sync in here.syncs} == {State.CONTINUES}
        assert len(here.quota("name", "scope IN ('identity', 'project')")) == 6
        assert len(here.quota("name", "scope = 'property'")) == 1
