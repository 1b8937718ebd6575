"""google-auth's requests for tokens, sent by our Transport to the addresses of the settings, and judged.

google-auth knows how a token is asked for; where it is asked for is the installation's to say, so the address in each
request is replaced by ours. A request to anywhere else is not sent. Refusals are judged here, so that google-auth's own
retries never sleep, and lifetimes are read here, because its clock is not ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import google.auth.exceptions
import google.auth.transport

from sync.google.classify import Verdict
from sync.google.classify_token import classify_iam, classify_sts, classify_token
from sync.google.transport import Request, Transport

DEFAULT_LIFETIME = 3600.0
_LONGEST_LIFETIME = 24 * DEFAULT_LIFETIME
"""Beyond it a lifetime is nonsense, and the default is taken."""
_SHORTEST_SECRET = 16
_GOOGLES_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret
"""google-auth takes assertions that the IAM API signed there, whatever it is told."""
_IAM_METHODS = (":generateAccessToken", ":signJwt")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where tokens come from. Settings of the installation: no credentials file has a say."""

    token_url: str
    """Of keys, refresh tokens and signed assertions."""
    sts_url: str
    """Where the token of another identity provider is exchanged."""
    iam_base_url: str
    """Everything before `/projects`: where one acts for a service account."""
    metadata_base_url: str
    """Everything before `/instance`."""


class TokenRefusedError(Exception):
    """The token endpoint did not give a token; the verdict says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


@dataclass(slots=True)
class Answer:
    """google-auth's view of a response."""

    status: int
    headers: Mapping[str, str]
    data: bytes


Judge = Callable[[int, Mapping[str, str], bytes, datetime], Verdict | None]


class Exchange(google.auth.transport.Request):
    """One getting of a token, which may take several requests; `lifetime` is that of the last token, in seconds."""

    def __init__(self, transport: Transport, addresses: Addresses, now: Callable[[], datetime]) -> None:
        self._transport = transport
        self._addresses = addresses
        self._now = now
        self.lifetime = DEFAULT_LIFETIME
        self._hidden = b""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - google-auth passes it; the Transport has its own
        **_: Any,
    ) -> Answer:
        url, judge = self._place(url)
        response = self._transport.send(Request(method, url, headers or {}, body or b""))
        said = response.body.replace(self._hidden, b"***") if self._hidden else response.body
        verdict = judge(response.status, response.headers, said, self._now())
        if verdict is not None:
            raise TokenRefusedError(verdict)
        answer = self._with_plain_lifetime(json.loads(response.body))
        return Answer(response.status, response.headers, json.dumps(answer).encode())

    def hide(self, token: str) -> None:
        """No refusal may repeat this; what is too short for a token is left, since it stands in every text."""
        self._hidden = token.encode() if len(token) >= _SHORTEST_SECRET else b""

    def _place(self, url: str) -> tuple[str, Judge]:
        """Where a request goes and who judges its answer, by what google-auth wants to do."""
        path = urlsplit(url).path
        if path.endswith(_IAM_METHODS):
            account_and_method = path.rpartition("/")[2]
            return (
                f"{self._addresses.iam_base_url}/projects/-/serviceAccounts/{account_and_method}",
                classify_iam,
            )
        if url == self._addresses.sts_url:
            return url, classify_sts
        if url in {self._addresses.token_url, _GOOGLES_TOKEN_URL}:
            return self._addresses.token_url, classify_token
        raise google.auth.exceptions.TransportError("no address of the settings")  # type: ignore[no-untyped-call]  # only partly typed

    def _with_plain_lifetime(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer as google-auth can read it: it adds lifetimes to its own clock and chokes on what is no number."""
        if "accessToken" in answer:
            # An hour was asked for; a wrong clock of ours must not make it longer.
            self.lifetime = min(DEFAULT_LIFETIME, _seconds_until(answer.get("expireTime"), self._now()))
            expires = self._now().astimezone(UTC) + timedelta(seconds=self.lifetime)
            return {**answer, "expireTime": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}
        if "access_token" in answer:
            self.lifetime = lifetime_of(answer)
            return {**answer, "expires_in": int(self.lifetime)}
        return answer


def lifetime_of(answer: Mapping[str, Any]) -> float:
    """Seconds that a token of the OAuth kind is good for; an hour when the answer makes no sense."""
    lifetime = answer.get("expires_in")
    sensible = isinstance(lifetime, int | float) and 0 < lifetime < _LONGEST_LIFETIME
    return float(lifetime) if sensible else DEFAULT_LIFETIME  # type: ignore[arg-type]  # checked just above


def _seconds_until(moment: object, now: datetime) -> float:
    try:
        seconds = (datetime.fromisoformat(str(moment)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return DEFAULT_LIFETIME
    return seconds if seconds > 0 else DEFAULT_LIFETIME
