"""From an HTTP request line to a `Call`: which method of the API, on which property.

Paths are read raw, since a property is one percent-encoded segment that may contain encoded slashes. What the body says
about day, type and offset is read leniently here, only for fault rules and for the request log.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from emulator.config import SEARCH_TYPES

PREFIX = "/webmasters/v3"
_SEARCH_TYPES = {name.lower(): name for name in SEARCH_TYPES}
INSPECTION_PATH = "/v1/urlInspection/index:inspect"
TOKEN_PATHS = ("/token", "/oauth2/v4/token", "/o/oauth2/token")
STS_PATH = "/sts/v1/token"
IAM_PREFIX = "/iam/v1/projects/-/serviceAccounts/"
_IAM_METHODS = {"generateAccessToken": "impersonate", "signJwt": "sign"}
METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `operation` is empty when no method lives at the path.

    `feedpath` is the second thing that a path names: a sitemap, or of the IAM methods the service account.
    """

    operation: str
    site: str = ""
    feedpath: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    account: str = ""
    body: Any = None
    valid_json: bool = True

    def hint(self, name: str) -> Any:
        return self.body.get(name) if isinstance(self.body, dict) else None

    @property
    def day(self) -> str:
        return str(self.hint("startDate") or "")

    @property
    def last_day(self) -> str:
        return str(self.hint("endDate") or "")

    @property
    def search_type(self) -> str:
        if self.operation != "query":
            return ""
        given = str(self.hint("type") or self.hint("searchType") or "web")
        return _SEARCH_TYPES.get(given.replace("_", "").lower(), given)

    @property
    def dimensions(self) -> tuple[str, ...]:
        given = self.hint("dimensions")
        return tuple(str(name) for name in given) if isinstance(given, list) else ()

    @property
    def start_row(self) -> int:
        value = self.hint("startRow")
        return value if isinstance(value, int) else 0


def parse_call(method: str, raw_target: str, body: bytes, account: str = "") -> Call:
    """Name the operation of a request."""
    path, _, query = raw_target.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if path in TOKEN_PATHS:
        return Call("token" if method == "POST" else "", parameters=parameters)
    if path == STS_PATH:
        token = dict(parse_qsl(body.decode("utf-8", "replace"))).get("subject_token", "")
        return Call(
            "exchange" if method == "POST" else "", parameters=parameters, body={"token": digest(token)}
        )
    if path.startswith(IAM_PREFIX):
        email, _, name = unquote(path.removeprefix(IAM_PREFIX)).partition(":")
        parsed, valid = _json(body)
        operation = _IAM_METHODS.get(name, "") if method == "POST" else ""
        return Call(operation, "", email, parameters, account, parsed, valid)
    if path == METADATA_PATH:
        return Call("metadata" if method == "GET" else "", parameters=parameters)
    if path == INSPECTION_PATH:
        parsed, valid = _json(body)
        site = parsed.get("siteUrl") if isinstance(parsed, dict) else None
        operation = "inspect" if method == "POST" else ""
        return Call(operation, site if isinstance(site, str) else "", "", parameters, account, parsed, valid)
    segments = path.removeprefix(PREFIX).strip("/").split("/")
    if segments[0] != "sites":
        return Call("", parameters=parameters)
    names = [unquote(segment) for segment in segments[1:]]
    prop = names[0] if names else ""
    feedpath = ""
    match (method, names[1:] if names else None):
        case ("GET", None):
            operation = "sites.list"
        case ("GET", []):
            operation = "sites.get"
        case ("GET", ["sitemaps"]):
            operation = "sitemaps.list"
        case ("GET", ["sitemaps", feedpath]):
            operation = "sitemaps.get"
        case ("POST", ["searchAnalytics", "query"]):
            operation = "query"
        case _:
            operation = ""
    parsed, valid = _json(body) if operation == "query" else (None, True)
    return Call(operation, prop, feedpath, parameters, account, parsed, valid)


def digest(token: str) -> str:
    """How the request log tells identity tokens apart."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def _json(body: bytes) -> tuple[Any, bool]:
    if not body:
        return {}, True
    try:
        return json.loads(body), True
    except ValueError:
        return None, False
