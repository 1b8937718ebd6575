"""Refusals, told apart by their bodies."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from contract import FailureClass
from sync.google.classify import Kind, classify, retry_after
from sync.google.classify_token import classify_token

NOW = datetime(2026, 6, 15, 4, 0, tzinfo=UTC)


def legacy(message: str, reason: str, domain: str = "global", code: int = 403) -> bytes:
    error = {
        "code": code,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    }
    return json.dumps({"error": error}).encode()


def modern(message: str, status: str, reason: str = "", code: int = 403) -> bytes:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return json.dumps(
        {"error": {"code": code, "message": message, "status": status, "details": details}}
    ).encode()


HTML = b"<!DOCTYPE html><title>Error</title>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "error_class"),
    [
        pytest.param(
            400,
            legacy("Invalid value", "invalidParameter", code=400),
            Kind.REQUEST,
            FailureClass.BAD_REQUEST,
            id="400",
        ),
        pytest.param(400, HTML, Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, id="400 from a proxy"),
        pytest.param(
            401,
            legacy("Invalid Credentials", "authError", code=401),
            Kind.UNAUTHORIZED,
            FailureClass.CREDENTIALS_INVALID,
            id="401",
        ),
        pytest.param(401, b"", Kind.UNAUTHORIZED, FailureClass.CREDENTIALS_INVALID, id="401 without a body"),
        pytest.param(
            403,
            legacy("Search Analytics QPS quota exceeded.", "quotaExceeded", "usageLimits"),
            Kind.RATE,
            FailureClass.RATE_LIMITED,
            id="rate",
        ),
        pytest.param(
            403,
            legacy("Search Analytics load quota exceeded.", "quotaExceeded", "usageLimits"),
            Kind.LOAD,
            FailureClass.LOAD_QUOTA,
            id="load",
        ),
        pytest.param(
            403,
            modern("Search Analytics load quota exceeded.", "RESOURCE_EXHAUSTED"),
            Kind.LOAD,
            FailureClass.LOAD_QUOTA,
            id="load without errors[]",
        ),
        pytest.param(
            429,
            modern("Search Analytics load quota exceeded.", "RESOURCE_EXHAUSTED", code=429),
            Kind.LOAD,
            FailureClass.LOAD_QUOTA,
            id="load as 429",
        ),
        pytest.param(
            403,
            legacy("slow", "rateLimitExceeded", "usageLimits"),
            Kind.RATE,
            FailureClass.RATE_LIMITED,
            id="rateLimitExceeded",
        ),
        pytest.param(
            403,
            legacy("slow", "userRateLimitExceeded", "usageLimits"),
            Kind.RATE,
            FailureClass.RATE_LIMITED,
            id="userRateLimitExceeded",
        ),
        pytest.param(
            403,
            legacy("Daily Limit Exceeded", "dailyLimitExceeded", "usageLimits"),
            Kind.DAILY,
            FailureClass.DAILY_QUOTA,
            id="daily",
        ),
        pytest.param(
            429,
            modern(
                "Quota exceeded for quota metric 'Queries' and limit 'Queries per day'",
                "RESOURCE_EXHAUSTED",
                code=429,
            ),
            Kind.DAILY,
            FailureClass.DAILY_QUOTA,
            id="daily, modern",
        ),
        pytest.param(
            429,
            modern(
                "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'",
                "RESOURCE_EXHAUSTED",
                code=429,
            ),
            Kind.RATE,
            FailureClass.RATE_LIMITED,
            id="per minute",
        ),
        pytest.param(429, HTML, Kind.RATE, FailureClass.RATE_LIMITED, id="429 with HTML"),
        pytest.param(
            403,
            legacy("User does not have sufficient permission for site 'x'.", "forbidden"),
            Kind.PROPERTY,
            FailureClass.PERMISSION_DENIED,
            id="permission",
        ),
        pytest.param(
            403,
            modern("User does not have sufficient permission for site 'x'.", "PERMISSION_DENIED"),
            Kind.PROPERTY,
            FailureClass.PERMISSION_DENIED,
            id="permission without errors[]",
        ),
        pytest.param(
            403,
            legacy(
                "Access Not Configured. Search Console API has not been used in project 1",
                "accessNotConfigured",
                "usageLimits",
            ),
            Kind.ACCOUNT,
            FailureClass.API_DISABLED,
            id="API off",
        ),
        pytest.param(
            403,
            modern("off", "PERMISSION_DENIED", "SERVICE_DISABLED"),
            Kind.ACCOUNT,
            FailureClass.API_DISABLED,
            id="API off, modern",
        ),
        pytest.param(
            403,
            modern(
                "Request had insufficient authentication scopes.",
                "PERMISSION_DENIED",
                "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            ),
            Kind.ACCOUNT,
            FailureClass.CREDENTIALS_INVALID,
            id="scope",
        ),
        pytest.param(
            403,
            legacy(
                "Insufficient Permission: Request had insufficient authentication scopes.",
                "insufficientPermissions",
            ),
            Kind.ACCOUNT,
            FailureClass.CREDENTIALS_INVALID,
            id="scope, legacy",
        ),
        pytest.param(403, b"", Kind.UNCLEAR, FailureClass.PERMISSION_DENIED, id="403 without a body"),
        pytest.param(403, HTML, Kind.UNCLEAR, FailureClass.PERMISSION_DENIED, id="403 with HTML"),
        pytest.param(
            403,
            b'{"error": "a string"}',
            Kind.UNCLEAR,
            FailureClass.PERMISSION_DENIED,
            id="403 with an odd body",
        ),
        pytest.param(
            404,
            legacy("not found", "notFound", code=404),
            Kind.PROPERTY,
            FailureClass.PROPERTY_GONE,
            id="404",
        ),
        pytest.param(407, HTML, Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, id="407"),
        pytest.param(408, b"", Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, id="408"),
        pytest.param(500, HTML, Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, id="500"),
        pytest.param(502, b"", Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, id="502"),
        pytest.param(
            503,
            legacy("backend", "backendError", code=503),
            Kind.TRANSIENT,
            FailureClass.GOOGLE_UNAVAILABLE,
            id="503",
        ),
        pytest.param(302, b"", Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, id="redirect"),
        pytest.param(204, b"", Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, id="204"),
        pytest.param(
            200,
            legacy("User does not have sufficient permission", "forbidden"),
            Kind.PROPERTY,
            FailureClass.PERMISSION_DENIED,
            id="200 with an error inside",
        ),
        pytest.param(
            200,
            b'{"error": {"message": "x"}}',
            Kind.TRANSIENT,
            FailureClass.GOOGLE_UNAVAILABLE,
            id="200 with an error without a code",
        ),
    ],
)
def test_an_answer_is_understood(status, body, kind, error_class):
    verdict = classify(status, {}, body, NOW)
    assert verdict is not None
    assert (verdict.kind, verdict.failure_class) == (kind, error_class)


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"rows": []}', b'{"rows": [{"keys": ["\\"error\\": x"]}]}', b"<html>"],
    ids=["empty", "rows", "the word in a key", "HTML"],
)
def test_what_is_no_refusal_is_none(body):
    assert classify(200, {}, body, NOW) is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "error_class"),
    [
        pytest.param(
            400,
            {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
            Kind.ACCOUNT,
            FailureClass.CREDENTIALS_REVOKED,
            id="revoked",
        ),
        pytest.param(
            400,
            {"error": "invalid_grant"},
            Kind.ACCOUNT,
            FailureClass.CREDENTIALS_REVOKED,
            id="revoked without words",
        ),
        pytest.param(
            400,
            {
                "error": "invalid_grant",
                "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
            },
            Kind.UNCLEAR,
            FailureClass.CREDENTIALS_INVALID,
            id="clock",
        ),
        pytest.param(
            401, {"error": "invalid_client"}, Kind.ACCOUNT, FailureClass.CREDENTIALS_INVALID, id="client"
        ),
        pytest.param(
            401,
            {"error": "unauthorized_client", "error_description": "Client is unauthorized"},
            Kind.ACCOUNT,
            FailureClass.CREDENTIALS_INVALID,
            id="delegation",
        ),
        pytest.param(
            400, {"error": "invalid_scope"}, Kind.ACCOUNT, FailureClass.CREDENTIALS_INVALID, id="scope"
        ),
        pytest.param(
            400, {"error": "internal_failure"}, Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, id="internal"
        ),
        pytest.param(502, None, Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, id="502"),
        pytest.param(429, None, Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, id="429"),
        pytest.param(403, None, Kind.BAD_ANSWER, FailureClass.GOOGLE_UNAVAILABLE, id="HTML from a proxy"),
        *(
            pytest.param(
                200,
                {"access_token": text},
                Kind.BAD_ANSWER,
                FailureClass.GOOGLE_UNAVAILABLE,
                id=f"a token with {name}",
            )
            for name, text in (
                ("a line end", "ya29.x\r\nX: y"),
                ("a space", "ya 29"),
                ("a snowman", "\u2603"),
                ("no end", "x" * 20_000),
            )
        ),
        pytest.param(
            200, {"id_token": "x"}, Kind.BAD_ANSWER, FailureClass.GOOGLE_UNAVAILABLE, id="200 without a token"
        ),
        pytest.param(
            200,
            {"access_token": ""},
            Kind.BAD_ANSWER,
            FailureClass.GOOGLE_UNAVAILABLE,
            id="200 with an empty token",
        ),
    ],
)
def test_an_answer_of_the_token_endpoint_is_understood(status, body, kind, error_class):
    verdict = classify_token(status, {}, HTML if body is None else json.dumps(body).encode(), NOW)
    assert verdict is not None
    assert (verdict.kind, verdict.failure_class) == (kind, error_class)


def test_a_token_is_no_refusal():
    assert classify_token(200, {}, b'{"access_token": "t", "expires_in": 3599}', NOW) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("1.5", 1.5),
        ("Mon, 15 Jun 2026 04:02:00 GMT", 120.0),
        ("Mon, 15 Jun 2026 04:02:00 -0000", 120.0),
        ("Mon, 15 Jun 2026 03:00:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("99999999999999", None),
        ("", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_nonsense_is_ignored(value, seconds):
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_messages_are_cut():
    verdict = classify(403, {}, legacy("x" * 10_000, "forbidden"), NOW)
    assert verdict is not None
    assert len(verdict.message) < 512


def test_messages_can_be_written_anywhere():
    said = {"error": {"code": 403, "message": "broken \ud800", "errors": [{"reason": "forbidden"}]}}
    verdict = classify(403, {}, json.dumps(said).encode(), NOW)
    assert "broken \\ud800" in verdict.message
    verdict.message.encode()
