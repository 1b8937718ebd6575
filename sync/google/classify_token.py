"""What an answer means of each place that gives tokens. Pure: status, headers and body in, a Verdict out, None for a token.

Four languages: OAuth (keys and refresh tokens), the exchange of another provider's token (STS, which mixes OAuth with
Google's own envelope), acting for a service account (IAM, the envelope alone), and the metadata server (plain text).
A refusal that a person must mend ends with what to do; nothing but Google's own message, cut short, is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contract import FailureClass
from sync.google.classify import (
    DISABLED_REASONS,
    Kind,
    Verdict,
    cut,
    envelope_of,
    object_of,
    reasons_of,
    retry_after,
    said_by,
    words_of,
)

_TRANSIENT_CODES = {
    "internal_failure",
    "server_error",
    "temporarily_unavailable",
    "slow_down",
    "rate_limit_exceeded",
}
_SKEW = re.compile(r"used too (early|late)|\biat\b|\bexp\b|short-lived", re.IGNORECASE)
_STALE = re.compile(rf"{_SKEW.pattern}|\bstale\b|\bexpired\b", re.IGNORECASE)
_TOKEN = re.compile(r"[!-~]{1,16384}")
"""What a header can carry; anything else did not come from Google."""


def classify_token(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict | None:
    """The verdict on an answer of the token endpoint; None when it holds an access token."""
    answer = object_of(body) or {}
    if _holds(status, answer, "access_token"):
        return None
    code, described = _told(answer)
    if _passes(status) or code in _TRANSIENT_CODES:
        return _transient("the token endpoint", status, headers, now)
    if code == "invalid_grant" and _SKEW.search(described):
        text = f"Google finds the time in the token request wrong ({described}); check the clock of the node"
        return Verdict(Kind.UNCLEAR, FailureClass.CREDENTIALS_INVALID, text)
    if code == "invalid_grant":
        text = (
            f"Google no longer accepts this credential ({described}): it was revoked, unused for six months, or belongs to an"
            " OAuth app in testing, whose consents end after 7 days. Give consent again and replace the key in the Secret"
        )
        return Verdict(Kind.ACCOUNT, FailureClass.CREDENTIALS_REVOKED, text)
    if code == "unauthorized_client":
        text = (
            f"Google refuses this client ({described}); with a subject, allow the service account's client id the scope"
            " https://www.googleapis.com/auth/webmasters.readonly in the domain-wide delegation of the Workspace domain"
        )
        return Verdict(Kind.ACCOUNT, FailureClass.CREDENTIALS_INVALID, text)
    if code:
        return _invalid(f"the token endpoint refused the credential: {cut(code)} ({described})")
    return _no_answer("the token endpoint", status)


def classify_sts(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict | None:
    """The verdict on an answer to the exchange of an identity token; None when it holds an access token."""
    answer = object_of(body) or {}
    if _holds(status, answer, "access_token"):
        return None
    code, described = _told(answer)
    if _passes(status) or code in _TRANSIENT_CODES:
        return _transient("Google's token exchange", status, headers, now)
    if code == "invalid_grant" and _STALE.search(described):
        # The file may have been renewed meanwhile, so it is read again a few times.
        text = (
            f"Google finds the time of the identity token wrong ({described}); check the clock of the node, and that the token"
            " file is renewed"
        )
        return Verdict(Kind.UNCLEAR, FailureClass.CREDENTIALS_INVALID, text)
    if code:
        return _invalid(
            f"Google's token exchange refused the identity token: {cut(code)} ({described}); the provider of the workload"
            " identity pool must exist, trust the cluster's issuer, allow the audience of the token, and let its subject pass"
        )
    error = envelope_of(body)
    if error is None:
        return _no_answer("Google's token exchange", status)
    return _disabled(error, "Security Token Service API") or _invalid(
        f"Google's token exchange refused the identity token: HTTP {status}: {said_by(error)}"
    )


def classify_iam(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict | None:
    """The verdict on an answer to the wish to act for a service account; None when it holds what was asked for."""
    answer = object_of(body) or {}
    if _holds(status, answer, "accessToken") or _holds(status, answer, "signedJwt"):
        return None
    if _passes(status):
        return _transient("the IAM credentials API", status, headers, now)
    error = envelope_of(body)
    if error is None:
        return _no_answer("the IAM credentials API", status)
    text = f"acting for the service account was refused (HTTP {status}: {said_by(error)})"
    if status == 401:
        # The token in this question was got a moment ago; the next try gets another.
        return Verdict(Kind.UNCLEAR, FailureClass.CREDENTIALS_INVALID, text)
    return _disabled(error, "IAM Service Account Credentials API") or _invalid(
        f"{text}; the account must exist, and the identity that acts for it needs the role roles/iam.workloadIdentityUser"
        " on it, with a subject roles/iam.serviceAccountTokenCreator too"
    )


def classify_metadata(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict | None:
    """The verdict on an answer of the metadata server; None when it holds an access token.

    A token counts only with the header by which a metadata server is known: a proxy may answer at its address.
    """
    if _holds(status, object_of(body) or {}, "access_token") and headers.get("metadata-flavor") == "Google":
        return None
    if _passes(status):
        return _transient("the metadata server", status, headers, now)
    if status == 404:
        text = "the metadata server knows no service account for this pod; bind the service account of the pod to one of Google's"
        return Verdict(Kind.ACCOUNT, FailureClass.CREDENTIALS_MISSING, text)
    if status in {400, 401, 403}:
        return _invalid(
            f"the metadata server refused a token (HTTP {status}); the service account of the pod needs the role"
            " roles/iam.workloadIdentityUser on the account that it is bound to"
        )
    return _no_answer("the metadata server", status)


def _holds(status: int, answer: Mapping[str, Any], key: str) -> bool:
    value = answer.get(key)
    return status == 200 and isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _told(answer: Mapping[str, Any]) -> tuple[str, str]:
    """The code and the description of an OAuth refusal; the code stands in for a description that is missing."""
    error, said = answer.get("error"), answer.get("error_description")
    code = error if isinstance(error, str) else ""
    return code, cut(said) if isinstance(said, str) and said else code


def _passes(status: int) -> bool:
    return status in {408, 425, 429} or status >= 500


def _transient(who: str, status: int, headers: Mapping[str, str], now: datetime) -> Verdict:
    text = f"{who} answered HTTP {status}"
    return Verdict(Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, text, retry_after(headers, now))


def _no_answer(who: str, status: int) -> Verdict:
    text = f"{who} answered HTTP {status} without a token or a reason; is a proxy in the way?"
    return Verdict(Kind.BAD_ANSWER, FailureClass.GOOGLE_UNAVAILABLE, text)


def _invalid(text: str) -> Verdict:
    return Verdict(Kind.ACCOUNT, FailureClass.CREDENTIALS_INVALID, text)


def _disabled(error: dict[str, Any], api: str) -> Verdict | None:
    if not (reasons_of(error) & DISABLED_REASONS or "has not been used in project" in words_of(error)):
        return None
    text = f"the {api} is off in the Google Cloud project; enable it there ({said_by(error)})"
    return Verdict(Kind.ACCOUNT, FailureClass.API_DISABLED, text)
