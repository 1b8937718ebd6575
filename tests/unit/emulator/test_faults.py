"""Every scripted fault, as a client sees it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from emulator import EmulatorThread, Stage
from emulator.faults import DELIVERIES, PAGE_FAULTS, REFUSALS, PoisonText
from tests.unit.emulator.world import FINAL_DAY, SITE, Client

Inject = Callable[..., None]


@pytest.fixture
def inject(emulator: EmulatorThread) -> Inject:
    """Make every query go wrong in one way."""

    def act(kind: str, **members: Any) -> None:
        emulator.faults([{"match": {"operation": "query"}, "fault": {"kind": kind} | members}])

    return act


def keys_of(answer: requests.Response) -> list[tuple[Any, ...]]:
    return [tuple(row["keys"]) for row in answer.json().get("rows", ())]


def truth(emulator: EmulatorThread) -> list[tuple[Any, ...]]:
    return [row.key for row in emulator.dataset.visible(SITE, FINAL_DAY, "web", Stage.FINAL)]


@pytest.mark.parametrize(
    ("kind", "code", "domain", "reason", "words"),
    [
        ("rate-403", 403, "usageLimits", "quotaExceeded", "QPS quota exceeded"),
        ("user-rate-403", 403, "usageLimits", "userRateLimitExceeded", "User Rate Limit"),
        ("project-rate-403", 403, "usageLimits", "rateLimitExceeded", "Rate Limit"),
        ("load-403", 403, "usageLimits", "quotaExceeded", "load quota exceeded"),
        ("daily-403", 403, "usageLimits", "dailyLimitExceeded", "Daily Limit Exceeded"),
        ("permission-403", 403, "global", "forbidden", "does not have sufficient permission for site"),
        ("api-disabled", 403, "usageLimits", "accessNotConfigured", "has not been used in project"),
        ("scope-403", 403, "global", "insufficientPermissions", "insufficient authentication scopes"),
        ("rate-429", 429, "global", "rateLimitExceeded", "Quota exceeded"),
        ("token-expired", 401, "global", "authError", "invalid authentication"),
        ("bad-request", 400, "global", "invalidParameter", "dimensions"),
        ("not-found", 404, "global", "notFound", SITE),
        ("backend-error", 503, "global", "backendError", "Backend Error"),
    ],
)
def test_refusals_look_like_googles(
    inject: Inject, robot: Client, kind: str, code: int, domain: str, reason: str, words: str
) -> None:
    inject(kind)
    answer = robot.query()
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (code, code)
    assert (error["errors"][0]["domain"], error["errors"][0]["reason"]) == (domain, reason)
    assert words in error["message"]


@pytest.mark.parametrize(
    ("kind", "members", "status", "content", "words"),
    [
        ("status", {"status": 418, "body": "short and stout"}, 418, "text/html", "short and stout"),
        (
            "status",
            {"status": 500, "json_body": {"error": None}},
            500,
            "application/json",
            '{\n  "error": null\n}',
        ),
        ("status", {"body": "{}"}, 503, "application/json", "{}"),
        ("unknown-403", {}, 403, "text/html", ""),
        ("unknown-403", {"body": "<h1>no</h1>"}, 403, "text/html", "<h1>no</h1>"),
        ("html-500", {}, 500, "text/html", "Server Error"),
        ("html-500", {"status": 502}, 502, "text/html", "502"),
        ("backend-error", {"status": 504}, 504, "application/json", "DEADLINE_EXCEEDED"),
        ("200-with-error", {}, 200, "application/json", '"code": 503'),
        ("no-content", {}, 204, "", ""),
        ("captive-page", {}, 200, "text/html", "accept the terms"),
    ],
)
def test_odd_bodies(
    inject: Inject, robot: Client, kind: str, members: dict[str, Any], status: int, content: str, words: str
) -> None:
    inject(kind, **members)
    answer = robot.query()
    assert answer.status_code == status
    assert content in answer.headers.get("Content-Type", "")
    assert words in answer.text


def test_a_redirect_leads_elsewhere(inject: Inject, robot: Client) -> None:
    inject("redirect", location="http://127.0.0.1:9/elsewhere", status=307)
    answer = robot.query()
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://127.0.0.1:9/elsewhere")


@pytest.mark.parametrize("value", ["7", "-3", "Fri, 20 Mar 2026 21:00:00 GMT", "99999999", None])
def test_retry_after_is_whatever_the_script_says(inject: Inject, robot: Client, value: str | None) -> None:
    inject("rate-429", retry_after=value)
    assert robot.query().headers.get("Retry-After") == value


@pytest.mark.parametrize(("kind", "status"), [("invalid-grant", 400), ("invalid-client", 401)])
def test_token_refusals_are_plain_strings(
    emulator: EmulatorThread, anonymous: Client, kind: str, status: int
) -> None:
    emulator.faults([{"match": {"operation": "token"}, "fault": {"kind": kind, "message": "said so"}}])
    answer = anonymous.grant(grant_type="refresh_token")
    assert answer.status_code == status
    assert answer.json() == {"error": kind.replace("-", "_"), "error_description": "said so"}


def test_empty_short_and_long_pages(emulator: EmulatorThread, inject: Inject, robot: Client) -> None:
    inject("empty-rows")
    assert robot.query().json() == {"responseAggregationType": "byPage"}
    inject("short-page", rows=40)
    assert len(keys_of(robot.query(rowLimit=100))) == 40
    assert set(keys_of(robot.query(rowLimit=100, startRow=40))) == set(truth(emulator)[40:80])
    inject("short-page")
    assert len(keys_of(robot.query(rowLimit=100))) == 50
    inject("long-page", rows=5)
    assert len(keys_of(robot.query(rowLimit=100))) == 105


def test_ignored_start_row_shows_the_first_page_again(
    emulator: EmulatorThread, inject: Inject, robot: Client
) -> None:
    inject("ignore-start-row")
    assert keys_of(robot.query(rowLimit=100, startRow=300)) == truth(emulator)[:100]


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("start", [0, 100])
def test_duplicates_come_from_the_page_before(
    emulator: EmulatorThread, inject: Inject, robot: Client, start: int, changed: bool
) -> None:
    before = robot.query(rowLimit=400).json()["rows"]
    inject("duplicate-rows", rows=3, changed=changed)
    rows = robot.query(rowLimit=100, startRow=start).json()["rows"]
    assert len(rows) == 103
    by_key = {tuple(row["keys"]): row for row in before}
    expected = truth(emulator)[start - 3 : start] if start else truth(emulator)[:3]
    assert [tuple(row["keys"]) for row in rows[100:]] == expected
    assert all((row != by_key[tuple(row["keys"])]) is changed for row in rows[100:])


def test_moved_ties_lose_and_double_rows(emulator: EmulatorThread, inject: Inject, robot: Client) -> None:
    inject("moved-ties")
    pages = [keys_of(robot.query(rowLimit=100, startRow=start)) for start in range(0, 400, 100)]
    gathered = [key for page in pages for key in page]
    assert len(gathered) == 400
    assert len(set(gathered)) < 400
    assert set(gathered) < set(truth(emulator))
    clicks = [row["clicks"] for row in robot.query(rowLimit=400).json()["rows"]]
    assert all(first >= second for first, second in pairwise(clicks))


def test_a_day_can_be_shown_in_another_stage(emulator: EmulatorThread, inject: Inject, robot: Client) -> None:
    inject("other-stage", stage="fresh")
    fresh = {row.key for row in emulator.dataset.visible(SITE, FINAL_DAY, "web", Stage.FRESH)}
    assert set(keys_of(robot.query(rowLimit=25000))) == fresh != set(truth(emulator))


POISONS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "nul": lambda row: "\x00" in row["keys"][1],
    "lone-surrogate": lambda row: "\ud800" in row["keys"][1],
    "long-url": lambda row: len(row["keys"][1]) > 65536,
    "long-query": lambda row: len(row["keys"][2]) > 65000,
    "control-characters": lambda row: "\t\n\r\\." in row["keys"][1],
    "markup": lambda row: "<script>" in row["keys"][1],
    "empty-query": lambda row: row["keys"][2] == "",
    "unknown-country": lambda row: row["keys"][3] == "xqz",
    "unknown-device": lambda row: row["keys"][4] == "GLASSES",
    "extra-key": lambda row: len(row["keys"]) == 6,
    "missing-key": lambda row: len(row["keys"]) == 4,
    "null-key": lambda row: row["keys"][1] is None,
    "number-key": lambda row: row["keys"][1] == 42,
    "bad-date": lambda row: row["keys"][0] == "2026-13-45",
    "date-outside": lambda row: row["keys"][0] == "1999-12-31",
    "negative": lambda row: row["clicks"] < 0,
    "nan": lambda row: row["position"] != row["position"],
    "infinity": lambda row: row["impressions"] == float("inf"),
    "huge-number": lambda row: row["impressions"] == 1e308,
    "beyond-int32": lambda row: row["clicks"] == 2**31,
    "string-number": lambda row: row["clicks"] == "7",
    "fractional-clicks": lambda row: row["clicks"] == 1.5,
    "clicks-above-impressions": lambda row: row["clicks"] > row["impressions"],
    "no-position": lambda row: "position" not in row,
    "zero-row": lambda row: row["impressions"] == 0,
    "unknown-fields": lambda row: row["novelty"] == {"nested": [1]},
    "look-alikes": lambda row: "poison=look-alikes" in row["keys"][1],
}


@pytest.mark.parametrize("what", sorted(POISONS))
def test_poison_is_added_and_true_rows_stay(
    emulator: EmulatorThread, inject: Inject, robot: Client, what: str
) -> None:
    inject("poison", what=what)
    answer = robot.query(dimensions=["date", "page", "query", "country", "device"], rowLimit=25000)
    rows = json.loads(answer.content)["rows"]
    assert {tuple(row["keys"][1:]) for row in rows[:400]} == set(truth(emulator))
    assert POISONS[what](rows[-1])
    assert len(rows) == {"unknown-fields": 400, "look-alikes": 408}.get(what, 401)


def test_invalid_utf8_is_written_raw(inject: Inject, robot: Client) -> None:
    inject("poison", what="invalid-utf8")
    body = robot.query(rowLimit=25000).content
    assert b"poison=\xff\xfe" in body
    with pytest.raises(UnicodeDecodeError):
        body.decode()


def test_every_poison_is_tested() -> None:
    assert {*POISONS, "invalid-utf8"} == set(PoisonText.__args__)


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("reset-mid-body", {}),
        ("incomplete-body", {"after": 5}),
        ("drop-connection", {}),
        ("endless-headers", {"seconds": 0.2}),
    ],
)
def test_a_connection_that_breaks(inject: Inject, robot: Client, kind: str, members: dict[str, Any]) -> None:
    inject(kind, **members)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        robot.query()


def test_a_body_cut_before_compression_is_broken_json(inject: Inject, robot: Client) -> None:
    for kind in ("truncated-json", "invalid-json"):
        inject(kind)
        with pytest.raises(ValueError, match=r"[Ee]xpect|[Uu]nterminated|delimiter"):
            robot.query().json()


def test_a_body_cut_after_compression_is_shorter_than_it_says(inject: Inject, robot: Client) -> None:
    whole = robot.query(rowLimit=25000).content
    inject("truncated-gzip")
    answer = robot.query(rowLimit=25000)  # urllib3 hands out what it could decode
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.content) < len(whole)


def test_spoilt_heads(inject: Inject, robot: Client) -> None:
    inject("byte-order-mark")
    assert robot.query().content.startswith(b"\xef\xbb\xbf{")
    inject("wrong-content-type")
    answer = robot.query()
    assert (answer.headers["Content-Type"].startswith("text/html"), len(keys_of(answer))) == (True, 400)
    inject("not-gzip")
    with pytest.raises(requests.exceptions.ContentDecodingError):
        robot.query()
    inject("headers", headers={"Date": "Mon, 01 Jan 2001 00:00:00 GMT"})
    answer = robot.query()
    assert (answer.headers["Date"], len(keys_of(answer))) == ("Mon, 01 Jan 2001 00:00:00 GMT", 400)


def test_a_slow_answer_arrives_whole(inject: Inject, robot: Client) -> None:
    inject("slow-drip", chunk=4000, seconds=0.01)
    assert len(keys_of(robot.query())) == 400
    inject("delay", seconds=0.2)
    assert robot.query().elapsed.total_seconds() >= 0.2


def test_a_dripping_body_outlasts_a_read_timeout(inject: Inject, robot: Client) -> None:
    inject("slow-drip", chunk=1, seconds=0.02)
    url = urlsplit(robot.emulator.url)
    with socket.create_connection((url.hostname, url.port), timeout=5) as raw:
        body = json.dumps({"startDate": "2026-03-10", "endDate": "2026-03-10"}).encode()
        raw.sendall(
            b"POST /sites/sc-domain%3Ashop.example/searchAnalytics/query HTTP/1.1\r\nHost: x\r\n"
            + f"Authorization: {robot.session.headers['Authorization']}\r\n".encode()
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        received = [raw.recv(65536) for _ in range(8)]
    assert all(0 < len(part) < 2000 for part in received)


def test_a_huge_body_is_correct_json(inject: Inject, robot: Client) -> None:
    inject("huge-body", megabytes=3)
    answer = robot.query()
    assert (len(answer.content), answer.json()) == (3 * 1024 * 1024 + 11, {"rows": []})


def test_faults_are_named_in_the_request_log(emulator: EmulatorThread, inject: Inject, robot: Client) -> None:
    inject("rate-403")
    robot.query()
    # A request that an earlier test gave up may end only now.
    (entry,) = emulator.requests(operation="query", fault="rate-403")
    assert entry["status"] == 403


def test_no_kind_is_in_two_groups() -> None:
    kinds = [*REFUSALS, *PAGE_FAULTS, *DELIVERIES, "poison"]
    assert len(set(kinds)) == len(kinds)
