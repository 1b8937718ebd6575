"""One question to Google: replays, a new token, the pace, and the clock."""

from __future__ import annotations

import json
from email.utils import format_datetime

import pytest

from sync.errors import BadAnswer, CredentialsError, GoogleUnavailable, PropertyError
from sync.google.bodies import decode_sites
from sync.google.client import Client
from sync.google.minting import FileMinter
from sync.google.question import query_question, sites_question
from sync.google.retry import Policy
from sync.google.skew import SkewWatch
from sync.google.tokens import Tokens
from sync.google.transport import Request, Response, TransportError
from sync.quota.bucket import HEADROOM
from sync.quota.guard import API, DATABASE, TOKENS, Guard
from sync.quota.limiter import Limiter
from sync.quota.memory import MemoryQuotaTable
from sync.quota.names import BucketName, Scope
from tests.script import Script
from tests.unit.sync.fakes import (
    ADDRESSES,
    SLOT,
    Recorder,
    answer,
    clock,
    permission_refusal,
    qps_refusal,
    refusal,
    workspace,
)

SITES = answer(200, {"siteEntry": [{"siteUrl": "sc-domain:a", "permissionLevel": "siteOwner"}]})


IDENTITY = BucketName(Scope.IDENTITY, "me@example.com")


class Wire:
    """Gives tokens, and these answers in turn to everything else."""

    def __init__(self, *answers: Response | Exception):
        self.answer = Script(*answers)
        self.asked: list[Request] = []
        self.tokens = 0

    def send(self, request: Request) -> Response:
        if "token" in request.url:
            self.tokens += 1
            return answer(200, {"access_token": f"t{self.tokens}", "expires_in": 3600})
        self.asked.append(request)
        return self.answer()

    def close(self) -> None:
        return None


class Bench:
    def __init__(self, folder, *answers: Response | Exception):
        self.wire = Wire(*answers)
        self.clock = clock()
        self.recorder = Recorder()
        self.table = MemoryQuotaTable(self.clock.now)
        sleep = self.clock.advance
        limiter = Limiter(
            self.table,
            ceilings={Scope.IDENTITY: 8 / HEADROOM},
            holder="me",
            clock=self.clock,
            sleep=sleep,
            observer=self.recorder,
            guard=Guard(DATABASE, self.clock, sleep, self.recorder),
        )
        shared = {
            "clock": self.clock,
            "sleep": self.clock.advance,
            "draw": lambda: 0.5,
            "policy": Policy(),
            "observer": self.recorder,
        }
        minter = FileMinter(workspace(folder), self.wire, ADDRESSES, self.clock.now)
        self.client = Client(
            transport=self.wire,
            tokens=Tokens(
                minter, workspace="acme", guard=Guard(TOKENS, self.clock, sleep, self.recorder), **shared
            ),
            limiter=limiter,
            guard=Guard(API, self.clock, sleep, self.recorder),
            base_url="https://google.example/v3/",
            skew=SkewWatch(self.clock.now),
            **shared,
        )

    def sites(self):
        return self.client.ask(sites_question(), decode_sites, (IDENTITY,), len)

    @property
    def rate(self) -> float:
        """What was learnt of the identity's rate."""
        return self.table.buckets[IDENTITY].learned.rate


def test_a_question_is_asked_with_the_token_and_counted(tmp_path):
    bench = Bench(tmp_path, SITES)
    assert bench.sites()[0].url == "sc-domain:a"
    [request] = bench.wire.asked
    assert (request.method, request.url) == ("GET", "https://google.example/v3/sites?prettyPrint=false")
    assert request.headers["Authorization"] == "Bearer t1"
    assert bench.recorder.requests == [
        {
            "operation": "sites.list",
            "site_url": "",
            "day": "",
            "status": 200,
            "rows": 1,
            "duration_ms": 0,
            "rate_limited": False,
        }
    ]


def test_a_property_is_one_path_segment(tmp_path):
    query = {"startDate": "2026-06-01", "endDate": "2026-06-01"}
    bench = Bench(tmp_path, answer(200, {}))
    bench.client.ask(query_question("q", "https://a.example/b c/", query), lambda body: body, (), len)
    [request] = bench.wire.asked
    assert request.url.startswith(
        "https://google.example/v3/sites/https%3A%2F%2Fa.example%2Fb%20c%2F/searchAnalytics/query?"
    )
    assert json.loads(request.body) == query
    assert query_question("q", "x", {**query, "endDate": "2026-06-02"}).day == "2026-06-01..2026-06-02"


def test_an_expired_token_is_replaced_and_the_question_asked_again(tmp_path):
    bench = Bench(tmp_path, refusal(401, "expired", "authError"), SITES)
    assert len(bench.sites()) == 1
    assert [request.headers["Authorization"] for request in bench.wire.asked] == ["Bearer t1", "Bearer t2"]
    assert bench.clock.monotonic() == 0


def test_a_second_401_is_the_credentials_fault(tmp_path):
    bench = Bench(tmp_path, refusal(401, "no"), refusal(401, "no"))
    with pytest.raises(CredentialsError, match="not even a fresh one"):
        bench.sites()


def test_refusals_for_the_rate_slow_the_pace_and_are_marked(tmp_path):
    bench = Bench(tmp_path, qps_refusal(), qps_refusal(**{"retry-after": "30"}), SITES)
    bench.sites()
    assert [lesson["scope"] for lesson in bench.recorder.lessons] == ["identity", "identity"]
    assert bench.rate == pytest.approx(0.1, abs=0.01), "nothing was accepted within the minute"
    assert [call["rate_limited"] for call in bench.recorder.requests] == [True, True, False]
    assert 31 <= bench.clock.monotonic() < 33, "1 s of jitter, then what was asked for"


def test_permission_is_not_argued_with(tmp_path):
    bench = Bench(tmp_path, permission_refusal())
    with pytest.raises(PropertyError):
        bench.sites()
    assert len(bench.wire.asked) == 1


@pytest.mark.parametrize(
    ("bad", "error", "asked"),
    [
        pytest.param(TransportError("reset"), GoogleUnavailable, 6, id="no connection"),
        pytest.param(TransportError("huge", hopeless=True), BadAnswer, 1, id="a body beyond all bounds"),
        pytest.param(answer(200, b"{"), BadAnswer, 3, id="a body cut short"),
        pytest.param(
            answer(200, b"<html>", **{"content-type": "text/html"}), BadAnswer, 3, id="a captive page"
        ),
    ],
)
def test_what_keeps_failing_is_given_up(tmp_path, bad, error, asked):
    bench = Bench(tmp_path, *[bad] * asked)
    with pytest.raises(error):
        bench.sites()
    assert len(bench.wire.asked) == asked


def test_a_wrong_clock_is_warned_about_once(caplog):
    now = clock()
    watch = SkewWatch(now.now)
    assert watch.see({"date": format_datetime(SLOT, usegmt=True)}) == 5
    assert watch.see({}) is None
    assert watch.see({"date": "yesterday"}) is None
    assert "clock.skew" not in caplog.text
    now.advance(3600)
    for _ in range(3):
        assert watch.see({"date": format_datetime(SLOT, usegmt=True)}) == 3605
    assert caplog.text.count("clock.skew") == 1
