"""One access token for a workspace: from its credentials file, or from the metadata server when its order says `Ambient`.

The file is read anew for each token, so a Secret replaced in mid-run is picked up. google-auth makes the questions
(`exchange` sends them); the metadata server is asked by ourselves, since google-auth takes its address from the
environment. Nothing is retried here: `tokens` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import google.auth.credentials
import google.auth.exceptions
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from contract import FailureClass, Workspace
from sync.errors import CredentialsError
from sync.google import federation
from sync.google.classify import Kind, Verdict, object_of
from sync.google.classify_token import classify_metadata
from sync.google.credentials import place_of, read_credentials
from sync.google.exchange import Addresses, Exchange, TokenRefusedError, lifetime_of
from sync.google.transport import Request, Transport, TransportError

SCOPE = "https://www.googleapis.com/auth/webmasters.readonly"
METADATA_HEADERS = {"Metadata-Flavor": "Google"}
"""Without it the metadata server answers nobody: no page in a browser can send it."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, good for `lifetime` seconds from when it was asked for."""

    value: str
    lifetime: float

    def __repr__(self) -> str:
        return f"Token(lifetime={self.lifetime})"


class Minter(Protocol):
    """Gets one access token, without retrying."""

    def mint(self) -> Token:
        """Raises CredentialsError, TokenRefusedError or TransportError."""


@dataclass(frozen=True, slots=True)
class FileMinter:
    """Mints from the file of a workspace. `identity_token` is the one file that an external account may name."""

    workspace: Workspace
    transport: Transport
    addresses: Addresses
    now: Callable[[], datetime]
    identity_token: Path | None = None

    def mint(self) -> Token:
        content = read_credentials(self.workspace, self.identity_token)
        exchange = Exchange(self.transport, self.addresses, self.now)
        try:
            made = self._build(content, exchange)
            made.refresh(exchange)  # type: ignore[no-untyped-call]  # google-auth is only partly typed
        except google.auth.exceptions.GoogleAuthError as error:
            raise CredentialsError(
                f"{place_of(self.workspace)} could not be turned into a token request ({type(error).__name__});"
                " download the key again and replace it.",
            ) from error
        return Token(str(made.token), exchange.lifetime)

    def _build(self, content: Mapping[str, Any], exchange: Exchange) -> google.auth.credentials.Credentials:
        if content["type"] == "external_account":
            assert self.identity_token is not None, "read_credentials refuses an external account without one"
            return federation.build(
                content, self.workspace.subject, self.identity_token, self.addresses.sts_url, SCOPE, exchange
            )
        if content["type"] == "authorized_user":
            # No scopes: Google refuses a refresh that names anything but an exact subset of the consent.
            return user_credentials.Credentials(  # type: ignore[no-untyped-call]  # google-auth is only partly typed
                token=None,
                refresh_token=content["refresh_token"],
                token_uri=self.addresses.token_url,
                client_id=content["client_id"],
                client_secret=content["client_secret"],
            )
        try:
            return service_account.Credentials.from_service_account_info(  # type: ignore[no-any-return, no-untyped-call]  # as above
                {**content, "token_uri": self.addresses.token_url},
                scopes=[SCOPE],
                subject=self.workspace.subject,
            )
        except (ValueError, google.auth.exceptions.GoogleAuthError):
            raise CredentialsError(
                f"{place_of(self.workspace)} holds a private_key that cannot be read: download the key again and replace it.",
            ) from None


@dataclass(frozen=True, slots=True)
class AmbientMinter:
    """Asks the metadata server for a token of the identity that the pod has. `transport` must know no proxy."""

    transport: Transport
    base_url: str
    now: Callable[[], datetime]

    def mint(self) -> Token:
        query = urlencode({"scopes": SCOPE})
        url = f"{self.base_url}/instance/service-accounts/default/token?{query}"
        try:
            response = self.transport.send(Request("GET", url, METADATA_HEADERS))
        except TransportError as error:
            text = (
                f"the metadata server could not be reached ({error}); `credentials: Ambient` works on Google Cloud alone, and"
                " network policies must let the pod reach it"
            )
            raise TokenRefusedError(Verdict(Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, text)) from error
        verdict = classify_metadata(response.status, response.headers, response.body, self.now())
        if verdict is not None:
            raise TokenRefusedError(verdict)
        answer = object_of(response.body) or {}
        return Token(str(answer["access_token"]), lifetime_of(answer))
