"""The API over HTTP: who may read what, paging, compression, errors, the request log, the control interface."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests

from emulator import Config, EmulatorThread, Property, Quota, Stage, run_emulator
from tests.unit.emulator.world import FINAL_DAY, FRESH_DAY, HIDDEN, KEYS, NOON, SHARED, SITE, Client, world


def rows_of(answer: requests.Response) -> set[tuple[Any, ...]]:
    assert answer.status_code == 200, answer.text
    return {
        (*row["keys"], row["clicks"], row["impressions"], row.get("position"))
        for row in answer.json().get("rows", ())
    }


def test_sites_are_listed_with_permissions(robot: Client) -> None:
    assert robot.get("sites").json() == {
        "siteEntry": [
            {"siteUrl": SITE, "permissionLevel": "siteFullUser"},
            {"siteUrl": SHARED, "permissionLevel": "siteRestrictedUser"},
            {"siteUrl": HIDDEN, "permissionLevel": "siteUnverifiedUser"},
        ]
    }
    assert robot.get("sites?fields=siteEntry/siteUrl").json()["siteEntry"][0] == {"siteUrl": SITE}
    assert (
        robot.get("sites/https%3A%2F%2Fhidden.example%2F").json()["permissionLevel"] == "siteUnverifiedUser"
    )


def test_an_identity_without_properties_gets_no_list(emulator: EmulatorThread, robot: Client) -> None:
    emulator.set_account("robot", properties={})
    assert robot.get("sites").json() == {}


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic dXNlcjpwYXNz"])
def test_without_a_good_token_nothing_is_answered(anonymous: Client, header: str | None) -> None:
    if header:
        anonymous.session.headers["Authorization"] = header
    for answer in (anonymous.get("sites"), anonymous.query()):
        assert answer.status_code == 401
        assert answer.json()["error"]["errors"][0]["reason"] == "authError"


def test_a_token_of_another_scope_is_403(anonymous: Client) -> None:
    robot = anonymous.login(scope="https://www.googleapis.com/auth/drive")
    error = robot.query().json()["error"]
    assert error["code"] == 403
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


@pytest.mark.parametrize(
    "site",
    [
        pytest.param("sc-domain:other.example", id="unknown"),
        pytest.param("https://www.shop.example", id="without-the-slash"),
        pytest.param("SC-DOMAIN:shop.example", id="other-case"),
        pytest.param(HIDDEN, id="unverified"),
    ],
)
def test_a_property_that_may_not_be_read_is_403(robot: Client, site: str) -> None:
    answer = robot.query(site)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (403, "PERMISSION_DENIED")
    assert f"User does not have sufficient permission for site '{site}'" in error["message"]
    assert (error["errors"][0]["domain"], error["errors"][0]["reason"]) == ("global", "forbidden")


def test_a_final_day_is_served_as_the_oracle_says(emulator: EmulatorThread, robot: Client) -> None:
    answer = robot.query(rowLimit=25000)
    assert rows_of(answer) == {
        tuple(row) for row in emulator.dataset.visible(SITE, FINAL_DAY, "web", Stage.FINAL)
    }
    assert answer.json()["responseAggregationType"] == "byPage"


def test_pages_join_without_loss_although_ties_are_shuffled(emulator: EmulatorThread, robot: Client) -> None:
    pages = [rows_of(robot.query(rowLimit=90, startRow=start)) for start in range(0, 450, 90)]
    assert [len(page) for page in pages] == [90, 90, 90, 90, 40]
    assert set().union(*pages) == {
        tuple(row) for row in emulator.dataset.visible(SITE, FINAL_DAY, "web", Stage.FINAL)
    }
    assert robot.query(rowLimit=90, startRow=450).json() == {"responseAggregationType": "byPage"}
    orders = {tuple(row["keys"][0] for row in robot.query(rowLimit=400).json()["rows"]) for _ in range(6)}
    assert len(orders) > 1


def test_a_day_is_restated_when_it_becomes_final(emulator: EmulatorThread, robot: Client) -> None:
    day = {"startDate": FRESH_DAY.isoformat(), "endDate": FRESH_DAY.isoformat(), "rowLimit": 25000}
    fresh = rows_of(robot.query(**day, dataState="all"))
    assert robot.query(**day).json().get("rows") is None
    emulator.set_now(datetime(2026, 3, 22, 20, tzinfo=UTC))
    final = rows_of(robot.query(**day))
    assert fresh == {tuple(row) for row in emulator.dataset.visible(SITE, FRESH_DAY, "web", Stage.FRESH)}
    assert final == {tuple(row) for row in emulator.dataset.visible(SITE, FRESH_DAY, "web", Stage.FINAL)}
    assert {row[:4] for row in fresh} - {row[:4] for row in final}


def test_metadata_comes_with_all_and_a_date(robot: Client) -> None:
    answer = robot.query(startDate="2026-03-10", endDate="2026-03-20", dimensions=["date"], dataState="all")
    assert answer.json()["metadata"] == {"firstIncompleteDate": "2026-03-18"}
    assert [row["keys"][0] for row in answer.json()["rows"]] == [f"2026-03-{day}" for day in range(10, 21)]


@pytest.mark.parametrize("search_type", ["discover", "googleNews"])
def test_position_is_absent_where_there_is_none(robot: Client, search_type: str) -> None:
    rows = robot.query(type=search_type, dimensions=["page", "country"]).json()["rows"]
    assert all(set(row) == {"keys", "clicks", "impressions", "ctr"} for row in rows)
    assert robot.query(type=search_type, dimensions=["query"]).status_code == 400


def test_totals_have_no_keys(robot: Client) -> None:
    (row,) = robot.query(dimensions=[]).json()["rows"]
    assert set(row) == {"clicks", "impressions", "ctr", "position"}


def test_fields_trim_the_answer(robot: Client) -> None:
    answer = robot.query(parameters="?fields=rows(keys,clicks)&prettyPrint=false").json()
    assert set(answer) == {"rows"}
    assert set(answer["rows"][0]) == {"keys", "clicks"}
    assert robot.query(parameters="?fields=rows/surprise").status_code == 400
    assert robot.query(parameters="?fields=responseAggregationType").json() == {
        "responseAggregationType": "byPage"
    }


@pytest.mark.parametrize(
    ("agent", "encoding", "compressed"),
    [("x (gzip)", "gzip, deflate", True), ("x", "gzip, deflate", False), ("x (gzip)", "identity", False)],
)
def test_gzip_needs_both_headers(robot: Client, agent: str, encoding: str, compressed: bool) -> None:
    robot.session.headers.update({"User-Agent": agent, "Accept-Encoding": encoding})
    for answer in (robot.query(), robot.get("sites"), robot.get("nothing")):
        assert (answer.headers.get("Content-Encoding") == "gzip") is compressed
        assert answer.json()


def test_a_broken_body_is_400(robot: Client) -> None:
    url = f"{robot.emulator.url}/webmasters/v3/sites/sc-domain%3Ashop.example/searchAnalytics/query"
    answer = robot.session.post(url, data=b"{")
    assert (answer.status_code, "Parse error" in answer.json()["error"]["message"]) == (400, True)


def test_a_path_without_a_method_is_404(robot: Client) -> None:
    assert robot.get("sites/sc-domain%3Ashop.example/nothing").json()["error"]["code"] == 404
    assert robot.session.delete(f"{robot.emulator.url}/webmasters/v3/sites/x").status_code == 404


def test_the_short_prefix_works_too(robot: Client) -> None:
    assert robot.session.get(f"{robot.emulator.url}/sites").json() == robot.get("sites").json()


def test_sitemaps_speak_in_strings_and_leave_out_what_is_zero(robot: Client) -> None:
    first, second = robot.get("sites/sc-domain%3Ashop.example/sitemaps").json()["sitemap"]
    assert first["contents"] == [{"type": "web", "submitted": "100"}]
    assert "isSitemapsIndex" not in first
    assert (second["isSitemapsIndex"], second["warnings"]) == (True, "3")
    path = "sites/sc-domain%3Ashop.example/sitemaps/" + requests.utils.quote(second["path"], safe="")
    assert robot.get(path).json() == second
    assert robot.get("sites/sc-domain%3Ashop.example/sitemaps/nothing").status_code == 404
    assert robot.get("sites/https%3A%2F%2Fwww.shop.example%2F/sitemaps").status_code == 403  # restricted user


def test_requests_are_recorded(emulator: EmulatorThread, robot: Client) -> None:
    emulator.clear_requests()
    robot.query(type="image", startRow=7)
    robot.query(rowLimit=0)
    robot.get("sites")
    first, second, third = emulator.requests()
    assert (first["operation"], first["property"], first["account"]) == ("query", SITE, "robot")
    assert (first["day"], first["type"], first["start_row"], first["status"]) == (
        "2026-03-10",
        "image",
        7,
        200,
    )
    assert (first["rows"], second["status"], third["operation"]) == (23, 400, "sites.list")
    assert emulator.requests(operation="query", status="400") == [second]


def test_quotas_are_enforced_per_property_and_clear_with_time() -> None:
    spent = Property(url=SITE, rows={"web": 3}, quota=Quota(load_per_10_minutes=3))
    config = world(properties=(spent, Property(url=SHARED, rows={"web": 3}), Property(url=HIDDEN)))
    with run_emulator(config, now=NOON) as emulator:
        robot = Client(emulator, "robot").login()
        assert robot.query().status_code == 200
        refused = robot.query()
        assert refused.status_code == 403
        assert "load quota exceeded" in refused.json()["error"]["message"]
        assert robot.query(SHARED).status_code == 200
        emulator.advance(601)
        assert robot.query().status_code == 200
        robot.session.close()


def test_newer_front_ends_leave_out_the_list_of_errors() -> None:
    with run_emulator(
        world(error_style="details", metadata_spelling="snake", gzip=False), now=NOON
    ) as emulator:
        robot = Client(emulator, "robot").login()
        error = robot.query(rowLimit=0).json()["error"]
        assert set(error) == {"code", "message", "status", "details"}
        answer = robot.query(endDate="2026-03-20", dimensions=["date"], dataState="all")
        assert answer.json()["metadata"] == {"first_incomplete_date": "2026-03-18"}
        assert "Content-Encoding" not in answer.headers
        robot.session.close()


class TestControl:
    """Everything a test can do in the process can be done over HTTP."""

    @pytest.fixture
    def control(self, robot: Client) -> Any:
        base = f"{robot.emulator.url}/_emulator/"

        def act(method: str, path: str, body: Any = None) -> Any:
            answer = robot.session.request(method, base + path, json=body)
            return answer.json() if answer.ok else (answer.status_code, answer.json()["error"])

        return act

    def test_health_and_configuration(self, control: Any) -> None:
        assert control("GET", "health")["status"] == "ok"
        assert Config.model_validate(control("GET", "config")) == world()

    def test_the_clock_moves(self, control: Any, emulator: EmulatorThread) -> None:
        assert control("GET", "clock") == {"now": NOON.isoformat()}
        assert control("POST", "clock", {"now": "2026-04-01T00:00:00Z"}) == {
            "now": "2026-04-01T00:00:00+00:00"
        }
        assert control("POST", "clock", {"advance": 60}) == {"now": "2026-04-01T00:01:00+00:00"}
        assert control("POST", "clock", {"now": "2026-04-01T00:00:00"})[0] == 400
        assert control("POST", "clock", {"then": 1})[0] == 400
        control("POST", "clock", {"now": None})
        assert abs((emulator.api.clock.now() - datetime.now(UTC)).total_seconds()) < 60

    def test_faults_are_set_added_listed_and_ended(self, control: Any, robot: Client) -> None:
        control(
            "POST", "faults", [{"match": {"operation": "query", "times": 1}, "fault": {"kind": "rate-403"}}]
        )
        control(
            "POST",
            "faults?append",
            [{"fault": {"kind": "load-403"}, "match": {"operation": "query", "nth": 2}}],
        )
        assert [robot.query().status_code for _ in range(3)] == [403, 403, 403]
        assert [rule["matched"] for rule in control("GET", "faults")["rules"]] == [3, 3]
        assert control("DELETE", "faults") == {"rules": []}
        assert robot.query().status_code == 200
        status, message = control("POST", "faults", [{"fault": {"kind": "nonsense"}}])
        assert (status, "kind" in message) == (400, True)

    def test_requests_are_shown_and_forgotten(self, control: Any, robot: Client) -> None:
        control("DELETE", "requests")
        robot.query()
        shown = control("GET", "requests?operation=query&status=200")
        assert (len(shown["requests"]), shown["requests"][0]["rows"]) == (1, 400)

    def test_accounts_and_tokens_change(self, control: Any, robot: Client) -> None:
        assert control("POST", "accounts/robot", {"properties": {SHARED: "siteOwner"}})["properties"] == {
            SHARED: "siteOwner"
        }
        assert robot.query().status_code == 403
        control("POST", "tokens/expire")
        assert robot.query().status_code == 401
        assert control("POST", "accounts/robot", {"revoked": True})["revoked"] is True
        assert control("POST", "accounts/nobody", {})[0] == 404
        assert control("POST", "accounts/robot", {"colour": 1})[0] == 400
        assert control("POST", "accounts/robot", {"properties": {"sc-domain:x": "siteOwner"}})[0] == 404

    def test_credentials_are_handed_out(self, control: Any, emulator: EmulatorThread) -> None:
        shown = control("GET", "credentials/robot?url=http%3A%2F%2Femulator%3A8080%2F")
        assert shown["token_uri"] == "http://emulator:8080/token"
        assert shown["private_key"] == emulator.credentials("robot")["private_key"]
        assert control("GET", "credentials/robot")[0] == 400

    def test_pages_are_prepared_ahead_and_answers_delayed(self, control: Any, robot: Client) -> None:
        assert control("POST", "warm", {"days": 2}) == {"pages": 16}
        control("POST", "latency", {"milliseconds": 150})
        assert robot.query().elapsed.total_seconds() >= 0.15

    def test_what_does_not_exist_is_404(self, control: Any) -> None:
        assert control("GET", "nonsense")[0] == 404
        assert control("PUT", "faults", [])[0] == 404


def test_many_clients_at_once_all_get_right_answers(emulator: EmulatorThread, robot: Client) -> None:
    days = [date(2026, 3, day) for day in range(1, 9)]
    seen: dict[date, set[tuple[Any, ...]]] = {}

    def ask(day: date) -> None:
        given = {
            "startDate": day.isoformat(),
            "endDate": day.isoformat(),
            "dimensions": KEYS,
            "rowLimit": 25000,
        }
        url = f"{emulator.url}/webmasters/v3/sites/sc-domain%3Ashop.example/searchAnalytics/query"
        headers = {name: str(value) for name, value in robot.session.headers.items()}
        with requests.Session() as session:
            seen[day] = rows_of(session.post(url, json=given, headers=headers, timeout=30))

    threads = [threading.Thread(target=ask, args=(day,)) for day in days]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == {
        day: {tuple(row) for row in emulator.dataset.visible(SITE, day, "web", Stage.FINAL)} for day in days
    }
