"""Three syncs at once against the documented quotas: hardly a refusal, and hardly a request less than allowed."""

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


def test_one_property_in_three_syncs(database: Database, tmp_path: Path) -> None:
    """1,200 a minute for the site, which three users read for three schedules."""
    (site,) = sites("shop")
    users = [Account(name=f"user{number}", properties={site.url: "siteOwner"}) for number in range(3)]
    with scene(config(users, [site], documented_quotas(per_second=50)), database, tmp_path) as here:
        for number in range(3):
            here.start(
                f"s{number}", account=f"user{number}", properties=[site], seconds=SECONDS,
                limits={"requests_per_second_per_property": 20},
            )  # fmt: skip
        here.wait()
        begin = here.asked()[0][0] + SETTLED
        accepted = here.accepted(begin, begin + MEASURED)
        assert accepted >= 0.9 * 1200, f"{accepted} accepted, {here.refused()} refused"
        assert here.refused() <= A_FEW


@pytest.mark.parametrize(
    ("limits", "settled", "seconds", "a_few"),
    [
        pytest.param({"requests_per_minute_per_project": 60}, 8, 80, 2, id="told"),
        pytest.param({}, 75, 150, 12, id="learnt"),
    ],
)
def test_a_new_project_in_three_syncs(
    database: Database, tmp_path: Path, limits: dict[str, float], settled: int, seconds: int, a_few: int
) -> None:
    """60 a minute for the project, whose three users read nine properties for three schedules.

    Nobody who was not told of it can know: sixty questions go through in seconds, some are refused, and from the next
    minute on all three keep to what was learnt.
    """
    properties = sites(*(f"p{number}" for number in range(9)))
    users = [
        Account(name=f"user{n}", properties={prop.url: "siteOwner" for prop in properties[3 * n : 3 * n + 3]})
        for n in range(3)
    ]
    quotas = documented_quotas(new_project=True, per_second=50)
    with scene(config(users, properties, quotas), database, tmp_path) as here:
        for number in range(3):
            mine = properties[3 * number : 3 * number + 3]
            here.start(f"s{number}", account=f"user{number}", properties=mine, seconds=seconds, limits=limits)
        here.wait()
        asked = here.asked()
        begin = asked[0][0] + timedelta(seconds=settled)
        accepted = here.accepted(begin, begin + MEASURED)
        assert accepted >= 0.9 * 60, f"{accepted} accepted, {here.refused()} refused"
        assert here.refused() <= a_few
