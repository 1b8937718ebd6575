"""Three syncs at once of a new Cloud project: Google allows 60 requests a minute, everybody believes in 40,000.

What it learns is proven for many budgets, and in virtual time, by `tests/integration/quotas/test_unknown_budgets.py`; here
processes, Postgres and HTTP are real, and minutes are minutes.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contract import State
from emulator import Account, documented_quotas
from tests.integration.quotas.syncs import busiest_minute, config, scene, sites
from tests.postgres import Database

pytestmark = [pytest.mark.needs_postgres, pytest.mark.timeout(420)]

LEARNT = timedelta(seconds=85)
"""A minute that is spent at once, a minute of waiting for it, and a few questions to find out."""
MEASURED = timedelta(seconds=60)
SECONDS = 155
A_FEW = 3
WHILE_LEARNING = 20


def test_a_new_project_that_nobody_told_of(database: Database, tmp_path: Path) -> None:
    properties = sites(*(f"p{number}" for number in range(12)))
    robot = Account(name="robot", properties=dict.fromkeys([prop.url for prop in properties], "siteOwner"))
    quotas = documented_quotas(new_project=True, per_second=50)
    with scene(config([robot], properties, quotas), database, tmp_path) as here:
        for number in range(3):
            mine = properties[4 * number : 4 * number + 4]
            here.start(f"s{number}", account="robot", properties=mine, seconds=SECONDS)
        here.wait()
        asked = here.asked()
        begin = asked[0][0] + LEARNT
        accepted = here.accepted(begin, begin + MEASURED)
        refused = [(at - asked[0][0]).total_seconds() for at, status, _, _ in asked if status in (403, 429)]
        measured = sum(begin <= asked[0][0] + timedelta(seconds=at) < begin + MEASURED for at in refused)
        figures = f"{accepted} accepted, {measured} refused in the measured minute; refused at {refused}"
        assert accepted >= 0.9 * 60, figures
        assert measured <= A_FEW, figures
        assert len(refused) <= WHILE_LEARNING + A_FEW, figures
        assert busiest_minute([at for at, status, _, _ in asked if status == 200]) <= 60
        assert {sync.summary.state for sync in here.syncs} == {State.CONTINUES}
        [(learned,)] = here.quota("learned", "scope = 'project'")
        assert 0.85 <= learned <= 1.05
