"""What the exchange, the IAM API and the metadata server answer instead of a token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract import FailureClass
from sync.google.classify import Kind, Verdict
from sync.google.classify_token import classify_iam, classify_metadata, classify_sts
from tests.unit.sync.fakes import SLOT

INVALID, DISABLED = FailureClass.CREDENTIALS_INVALID, FailureClass.API_DISABLED
AWAY, MISSING = FailureClass.GOOGLE_UNAVAILABLE, FailureClass.CREDENTIALS_MISSING


def body(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def oauth(code: str, said: str = "no reason") -> dict[str, str]:
    return {"error": code, "error_description": said}


def envelope(code: int, message: str, reason: str = "") -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "status": "PERMISSION_DENIED"}
    if reason:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return {"error": error}


def is_refused(verdict: Verdict | None, kind: Kind, failure: FailureClass, says: str) -> None:
    assert verdict is not None
    assert (verdict.kind, verdict.failure_class) == (kind, failure)
    assert says in verdict.message


STS = {
    "an attribute condition": (
        400, oauth("invalid_grant", "The given credential is rejected by the attribute condition."),
        Kind.ACCOUNT, INVALID, "let its subject pass",
    ),
    "a provider that is gone": (400, oauth("invalid_target", 'Invalid value for "audience".'), Kind.ACCOUNT, INVALID, "must exist"),
    "a token that is stale": (
        400, oauth("invalid_grant", "ID Token issued at 1 is stale to sign-in."), Kind.UNCLEAR, INVALID, "token file is renewed",
    ),
    "a token from the future": (400, oauth("invalid_grant", "iat is in the future"), Kind.UNCLEAR, INVALID, "clock"),
    "401": (401, oauth("invalid_client", "x"), Kind.ACCOUNT, INVALID, "invalid_client"),
    "an internal failure": (400, oauth("internal_failure"), Kind.TRANSIENT, AWAY, "HTTP 400"),
    "503": (503, b"<html>", Kind.TRANSIENT, AWAY, "HTTP 503"),
    "429": (429, envelope(429, "slow"), Kind.TRANSIENT, AWAY, "HTTP 429"),
    "the API is off": (
        403, envelope(403, "Security Token Service API has not been used in project 1"), Kind.ACCOUNT, DISABLED, "enable it",
    ),
    "the API is off, by reason": (403, envelope(403, "off", "SERVICE_DISABLED"), Kind.ACCOUNT, DISABLED, "enable it"),
    "403": (403, envelope(403, "not you"), Kind.ACCOUNT, INVALID, "not you"),
    "a proxy": (200, b"<html>Sign in", Kind.BAD_ANSWER, AWAY, "proxy"),
    "a token no header can carry": (200, {"access_token": "x\r\ny"}, Kind.BAD_ANSWER, AWAY, "proxy"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "answer", "kind", "failure", "says"), STS.values(), ids=STS)
def test_a_refusal_of_the_exchange(status, answer, kind, failure, says):
    is_refused(classify_sts(status, {}, body(answer), SLOT), kind, failure, says)


IAM = {
    "not allowed": (
        403, envelope(403, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource", "IAM_PERMISSION_DENIED"),
        Kind.ACCOUNT, INVALID, "roles/iam.workloadIdentityUser",
    ),
    "unknown account": (404, envelope(404, "Unknown service account"), Kind.ACCOUNT, INVALID, "must exist"),
    "the API is off": (403, envelope(403, "off", "SERVICE_DISABLED"), Kind.ACCOUNT, DISABLED, "IAM Service Account Credentials API"),
    "a token that ended meanwhile": (401, envelope(401, "expired"), Kind.UNCLEAR, INVALID, "401"),
    "500": (500, envelope(500, "x"), Kind.TRANSIENT, AWAY, "HTTP 500"),
    "429": (429, envelope(429, "x"), Kind.TRANSIENT, AWAY, "HTTP 429"),
    "a proxy": (200, b"<html>", Kind.BAD_ANSWER, AWAY, "proxy"),
    "a token of the other kind": (200, {"access_token": "x"}, Kind.BAD_ANSWER, AWAY, "proxy"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "answer", "kind", "failure", "says"), IAM.values(), ids=IAM)
def test_a_refusal_to_act_for_a_service_account(status, answer, kind, failure, says):
    is_refused(classify_iam(status, {}, body(answer), SLOT), kind, failure, says)


METADATA = {
    "no account": (404, b"", Kind.ACCOUNT, MISSING, "bind the service account"),
    "not bound": (403, b"Unable to generate access token", Kind.ACCOUNT, INVALID, "roles/iam.workloadIdentityUser"),
    "busy": (429, b"", Kind.TRANSIENT, AWAY, "HTTP 429"),
    "not up yet": (503, b"", Kind.TRANSIENT, AWAY, "HTTP 503"),
    "a redirect": (302, b"", Kind.BAD_ANSWER, AWAY, "proxy"),
    "no JSON": (200, b"<html>", Kind.BAD_ANSWER, AWAY, "proxy"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "answer", "kind", "failure", "says"), METADATA.values(), ids=METADATA)
def test_a_refusal_of_the_metadata_server(status, answer, kind, failure, says):
    is_refused(
        classify_metadata(status, {"metadata-flavor": "Google"}, body(answer), SLOT), kind, failure, says
    )


def test_what_was_asked_for_is_no_refusal():
    assert classify_sts(200, {}, body({"access_token": "t"}), SLOT) is None
    assert classify_iam(200, {}, body({"accessToken": "t"}), SLOT) is None
    assert classify_iam(200, {}, body({"signedJwt": "a.b.c"}), SLOT) is None
    assert classify_metadata(200, {"metadata-flavor": "Google"}, body({"access_token": "t"}), SLOT) is None


def test_the_wait_that_is_asked_for_is_passed_on():
    verdict = classify_iam(503, {"retry-after": "7"}, b"", SLOT)
    assert verdict is not None
    assert verdict.retry_after == 7
