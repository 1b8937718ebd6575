"""An answer before it is sent, and the refusals that scripted faults put in place of one.

`Answer` is all that the server needs to write a response. Refusals are made from the catalogue of errors, so a scripted
fault looks exactly like the same refusal earned honestly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from emulator import errors
from emulator.calls import Call
from emulator.errors import ApiError, TokenError
from emulator.faults import Fault

JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
_HTML_BODY = "<!DOCTYPE html><html lang=en><title>Error {0} (Server Error)!!1</title><p><b>{0}.</b> That’s an error.</html>"
_CAPTIVE = (
    "<html><head><title>Sign in to the network</title></head><body>Please accept the terms.</body></html>"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body. `gzipped` says that the body is compressed already; `rows` is for the log."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    gzipped: bool = False
    rows: int = 0


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(
        status, json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n", headers=headers or {}
    )


def error_answer(error: ApiError | TokenError, style: str) -> Answer:
    if isinstance(error, TokenError):
        return json_answer(error.envelope(), error.code)
    return json_answer(error.envelope(style), error.code, error.headers)


def refusal(fault: Fault, call: Call, project: str, style: str) -> Answer | None:
    """The answer that a refusal puts in place of the real one; None for other kinds of fault."""
    kind = fault.kind
    if error := _catalogued(fault, call, project):
        return error_answer(error, style)
    if kind == "status":
        return _status(fault)
    if kind == "unknown-403":
        return Answer(403, (fault.body or "").encode(), HTML, fault.headers)
    if kind == "html-500":
        status = fault.status or 500
        return Answer(status, (fault.body or _HTML_BODY.format(status)).encode(), HTML, fault.headers)
    if kind == "200-with-error":
        return json_answer(errors.backend_error(fault.status or 503).envelope(style))
    if kind == "redirect":
        location = fault.location or "https://accounts.example.com/ServiceLogin"
        return Answer(fault.status or 302, b"", HTML, {"Location": location})
    if kind == "no-content":
        return Answer(204, b"", HTML)
    if kind == "captive-page":
        return Answer(200, (fault.body or _CAPTIVE).encode(), HTML)
    return None


def _status(fault: Fault) -> Answer:
    status = fault.status or 503
    if fault.json_body is not None:
        return json_answer(fault.json_body, status, fault.headers)
    content_type = JSON if (fault.body or "").startswith("{") else HTML
    return Answer(status, (fault.body or "").encode(), content_type, fault.headers)


def _catalogued(fault: Fault, call: Call, project: str) -> ApiError | TokenError | None:
    match fault.kind:
        case "rate-403":
            return errors.rate_quota()
        case "user-rate-403":
            return errors.rate_limit("userRateLimitExceeded")
        case "project-rate-403":
            return errors.rate_limit()
        case "load-403":
            return errors.load_quota()
        case "daily-403":
            return errors.daily_limit()
        case "permission-403":
            return errors.no_permission(call.site)
        case "api-disabled":
            return errors.api_disabled(project)
        case "scope-403":
            return errors.scope_insufficient()
        case "rate-429":
            return errors.too_many_requests(fault.retry_after)
        case "token-expired":
            return errors.unauthenticated()
        case "bad-request":
            return errors.invalid(fault.message or "Invalid value for dimensions.", "dimensions")
        case "not-found":
            return errors.not_found(fault.message or f"'{call.site}' is not found.")
        case "backend-error":
            return errors.backend_error(fault.status or 503)
        case "invalid-grant":
            return TokenError("invalid_grant", fault.message or "Token has been expired or revoked.")
        case "impersonation-403":
            return errors.may_not_act_for(call.feedpath)
        case "invalid-client":
            return TokenError("invalid_client", fault.message or "The OAuth client was not found.", 401)
        case _:
            return None
