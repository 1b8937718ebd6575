"""Three syncs at once against the documented quotas: hardly a refusal, and hardly a request less than allowed.

In real minutes, so it needs a machine to itself: a process that stands still for seconds uses a share that others were
given meanwhile, and 32 of 1,200 requests were refused beside other tests. `make test-quotas`.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from contract import State
from emulator import Account, documented_quotas
from tests.integration.quotas.syncs import busiest_minute, config, scene, sites
from tests.postgres import Database

pytestmark = [pytest.mark.needs_postgres, pytest.mark.timeout(420)]

SETTLED = timedelta(seconds=8)
"""Until three processes have started and share."""
MEASURED = timedelta(seconds=60)
SECONDS = 80
A_FEW = 5


def test_one_user_in_three_syncs(database: Database, tmp_path: Path) -> None:
    """1,200 a minute for the user, whose twelve properties are spread over three schedules."""
    properties = sites(*(f"p{number}" for number in range(12)))
    robot = Account(name="robot", properties=dict.fromkeys([prop.url for prop in properties], "siteOwner"))
    with scene(config([robot], properties, documented_quotas(per_second=50)), database, tmp_path) as here:
        for number in range(3):
            mine = properties[4 * number : 4 * number + 4]
            here.start(f"s{number}", account="robot", properties=mine, seconds=SECONDS)
        here.wait()
        asked = here.asked()
        begin = asked[0][0] + SETTLED
        accepted = here.accepted(begin, begin + MEASURED)
        by_sync = Counter(prop for at, _, prop, _ in asked if begin <= at < begin + MEASURED)
        shares = [sum(by_sync[prop.url] for prop in properties[4 * n : 4 * n + 4]) for n in range(3)]
        assert accepted >= 0.9 * 1200, f"{accepted} accepted, {here.refused()} refused"
        assert here.refused() <= A_FEW
        assert busiest_minute([at for at, status, _, _ in asked if status == 200]) <= 1200
        assert min(shares) >= 0.75 * max(shares), "fairly shared"
        assert {sync.summary.state for sync in here.syncs} == {State.CONTINUES}
        assert here.quota("jobs") == [(0,)] * len(here.quota("jobs")), "all leases were given back"
