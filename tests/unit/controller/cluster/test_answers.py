"""What the API server's answers mean: every HTTP code has one place in the port's tree."""

import json

import pytest

from controller.cluster.answers import error_of, retry_after_seconds
from controller.cluster.port import (
    AlreadyExists,
    Conflict,
    NotFound,
    NotServed,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)


def status(reason: str, message: str = "words") -> bytes:
    return json.dumps({"kind": "Status", "reason": reason, "message": message}).encode()


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        pytest.param(400, status("BadRequest"), Refused, id="bad request"),
        pytest.param(401, status("Unauthorized"), Unauthorized, id="token refused"),
        pytest.param(403, status("Forbidden", "exceeded quota"), Refused, id="quota"),
        pytest.param(404, status("NotFound"), NotFound, id="no such object"),
        pytest.param(404, b"404 page not found\n", NotServed, id="no such path"),
        pytest.param(408, b"", Unavailable, id="request time-out"),
        pytest.param(409, status("AlreadyExists"), AlreadyExists, id="name taken"),
        pytest.param(409, status("Conflict"), Conflict, id="stale version"),
        pytest.param(409, b"<html>", Conflict, id="409 without words"),
        pytest.param(410, status("Expired"), Unavailable, id="continue token expired"),
        pytest.param(422, status("Invalid"), Refused, id="invalid"),
        pytest.param(429, status("TooManyRequests"), Throttled, id="too many"),
        pytest.param(500, status("InternalError"), Unavailable, id="500"),
        pytest.param(503, b"[1]", Unavailable, id="503 with odd JSON"),
        pytest.param(504, b"\xff\xfe", Unavailable, id="504 with noise"),
        pytest.param(302, b"", Unavailable, id="a proxy's redirect"),
    ],
)
def test_each_code_has_its_error(code: int, body: bytes, error: type[Exception]) -> None:
    assert type(error_of(code, body, None)) is error


@pytest.mark.parametrize("code", [200, 201, 202])
def test_success_is_no_error(code: int) -> None:
    assert error_of(code, b"{}", None) is None


def test_a_refusal_carries_the_servers_words_and_is_bounded() -> None:
    assert str(error_of(403, status("Forbidden", "exceeded quota: jobs"), None)) == "exceeded quota: jobs"
    assert len(str(error_of(403, status("Forbidden", "x" * 9000), None))) <= 512


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 1),
        ("", 1),
        ("0", 1),
        ("-5", 1),
        ("7", 7),
        ("2.5", 2.5),
        ("9999", 60),
        ("inf", 60),
        ("nan", 1),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 1),
        ("soon", 1),
    ],
)
def test_retry_after_is_a_sane_number_whatever_it_says(value: str | None, seconds: float) -> None:
    assert retry_after_seconds(value) == seconds
