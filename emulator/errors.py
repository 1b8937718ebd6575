"""Google's refusals: the envelope and a catalogue of the ones that clients must tell apart.

The API answers `{"error": {code, message, errors[], status}}`; the token endpoint answers a plain string with a
description. Both are values here, raised where a rule is broken and written out by the server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PERMISSION_HELP = "See also: https://support.google.com/webmasters/answer/2451999."
LIMITS_HELP = (
    "Learn about usage limits: https://developers.google.com/webmaster-tools/v3/how-tos/usage-limits."
)
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@dataclass(frozen=True)
class ApiError(Exception):
    """A refusal of the API, complete enough to be written out."""

    code: int
    message: str
    reason: str
    domain: str = "global"
    location: str | None = None
    details: tuple[dict[str, Any], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def envelope(self, style: str = "classic") -> dict[str, Any]:
        """The body. `details` is the style of newer front-ends, which leave out `errors`."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if style == "classic":
            entry: dict[str, Any] = {"message": self.message, "domain": self.domain, "reason": self.reason}
            if self.location:
                entry |= {"location": self.location, "locationType": "parameter"}
            error["errors"] = [entry]
        if name := STATUS_NAMES.get(self.code):
            error["status"] = name
        if self.details:
            error["details"] = list(self.details)
        elif style == "details":
            error["details"] = [error_info(self.reason, self.domain)]
        return {"error": error}


@dataclass(frozen=True)
class TokenError(Exception):
    """A refusal of the token endpoint."""

    error: str
    description: str
    code: int = 400

    def envelope(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.description}


def error_info(reason: str, domain: str, **metadata: str) -> dict[str, Any]:
    info: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": domain,
    }
    return info | {"metadata": metadata} if metadata else info


def invalid(message: str, location: str | None = None) -> ApiError:
    """400: a parameter is wrong."""
    return ApiError(400, message, "invalidParameter", location=location)


def bad_request(message: str) -> ApiError:
    """400: the request as a whole makes no sense."""
    return ApiError(400, message, "badRequest")


def unauthenticated() -> ApiError:
    return ApiError(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid"
        " authentication credential.",
        "authError",
        location="Authorization",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
    )


def no_permission(url: str) -> ApiError:
    return ApiError(
        403, f"User does not have sufficient permission for site '{url}'. {PERMISSION_HELP}", "forbidden"
    )


def scope_insufficient() -> ApiError:
    return ApiError(
        403,
        "Request had insufficient authentication scopes.",
        "insufficientPermissions",
        details=(
            error_info(
                "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", service="searchconsole.googleapis.com"
            ),
        ),
    )


def may_not_act_for(email: str) -> ApiError:
    return ApiError(
        403,
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        "forbidden",
        details=(
            error_info(
                "IAM_PERMISSION_DENIED",
                "iam.googleapis.com",
                permission="iam.serviceAccounts.getAccessToken",
                resource=f"projects/-/serviceAccounts/{email}",
            ),
        ),
    )


def api_disabled(project: str) -> ApiError:
    return ApiError(
        403,
        f"Google Search Console API has not been used in project {project} before or it is disabled. Enable it, then"
        " retry.",
        "accessNotConfigured",
        domain="usageLimits",
        details=(
            error_info(
                "SERVICE_DISABLED", "googleapis.com", service="searchconsole.googleapis.com", consumer=project
            ),
        ),
    )


def not_found(message: str = "Not Found") -> ApiError:
    return ApiError(404, message, "notFound")


def rate_quota() -> ApiError:
    return ApiError(
        403, f"Search Analytics QPS quota exceeded. {LIMITS_HELP}", "quotaExceeded", domain="usageLimits"
    )


def load_quota() -> ApiError:
    return ApiError(
        403, f"Search Analytics load quota exceeded. {LIMITS_HELP}", "quotaExceeded", domain="usageLimits"
    )


def rate_limit(reason: str = "rateLimitExceeded") -> ApiError:
    message = "User Rate Limit Exceeded" if reason == "userRateLimitExceeded" else "Rate Limit Exceeded"
    return ApiError(403, message, reason, domain="usageLimits")


def daily_limit() -> ApiError:
    return ApiError(
        403,
        "Daily Limit Exceeded. The quota will be reset at midnight Pacific Time (PT).",
        "dailyLimitExceeded",
        domain="usageLimits",
    )


def too_many_requests(retry_after: str | None) -> ApiError:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return ApiError(
        429,
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'.",
        "rateLimitExceeded",
        headers=headers,
    )


def backend_error(code: int = 503) -> ApiError:
    return ApiError(code, "Backend Error", "backendError")
