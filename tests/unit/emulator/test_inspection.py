"""URL inspection over HTTP: whose pages, whose permission, and a quota of its own."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from emulator import Property, Quota, run_emulator
from emulator.inspection import inspected
from tests.unit.emulator.world import HIDDEN, NOON, SHARED, SITE, Client, world

PAGE = "https://www.shop.example/a"


def inspect(client: Client, site: str, url: Any) -> requests.Response:
    return client.session.post(
        f"{client.emulator.url}/v1/urlInspection/index:inspect", json={"siteUrl": site, "inspectionUrl": url}
    )


def test_the_answer_is_a_function_of_seed_and_page(robot: Client) -> None:
    answer = inspect(robot, SITE, PAGE)
    assert answer.status_code == 200
    assert answer.json() == inspected(robot.emulator.config.seed, SITE, PAGE)
    assert answer.json()["inspectionResult"]["indexStatusResult"]["verdict"] in ("PASS", "NEUTRAL", "FAIL")


@pytest.mark.parametrize(
    ("site", "url", "status"),
    [
        pytest.param(SITE, "https://shop.example/", 200, id="the domain itself"),
        pytest.param(SITE, "https://notshop.example/", 400, id="another domain that ends like it"),
        pytest.param(SITE, "", 400, id="no page"),
        pytest.param(SITE, 5, 400, id="a number"),
        pytest.param(SHARED, PAGE, 403, id="a restricted user"),
        pytest.param(HIDDEN, f"{HIDDEN}a", 403, id="an unverified user"),
        pytest.param("https://other.example/", "https://other.example/a", 403, id="a property of others"),
    ],
)
def test_what_may_be_inspected(robot: Client, site: str, url: Any, status: int) -> None:
    assert inspect(robot, site, url).status_code == status


def test_its_quota_is_its_own_and_new_each_day() -> None:
    config = world(
        properties=(Property(url=SITE, rows={"web": 3}), Property(url=SHARED), Property(url=HIDDEN))
    )
    config = config.model_copy(update={"inspection_quota": Quota(per_day=2)})
    with run_emulator(config, now=NOON) as emulator:
        robot = Client(emulator, "robot").login()
        assert [inspect(robot, SITE, PAGE).status_code for _ in range(3)] == [200, 200, 403]
        assert robot.query().status_code == 200
        emulator.advance(24 * 3600)
        robot.login()
        assert inspect(robot, SITE, PAGE).status_code == 200
        robot.session.close()
