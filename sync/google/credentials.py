"""From a mounted credentials file to one access token, by google-auth over our Transport.

Two kinds are read: a service-account key, with a subject to act for if wanted, and an OAuth refresh token
(`authorized_user`). The file is read anew for each token, so a Secret replaced in mid-run is picked up. The token URL
is a setting for both kinds: a key file must not choose where its owner's assertion is sent, and google-auth ignores the
one in authorized-user files anyway. Nothing of a file's content ever stands in a message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import google.auth.credentials
import google.auth.exceptions
import google.auth.transport
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from contract import FailureClass, Workspace
from sync.errors import CredentialsError
from sync.google.classify import Verdict, classify_token
from sync.google.transport import Request, Transport

SCOPE = "https://www.googleapis.com/auth/webmasters.readonly"
MAX_FILE_BYTES = 64 * 1024
_ALLOWED = (
    'a service-account key ("type": "service_account") or an OAuth refresh token ("type": "authorized_user")'
)
_NEEDED = {
    "service_account": ("client_email", "private_key"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
}
_DEFAULT_LIFETIME = 3600.0
_LONGEST_LIFETIME = 24 * _DEFAULT_LIFETIME
"""Beyond it a lifetime is nonsense, and the default is taken."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, good for `lifetime` seconds from when it was asked for."""

    value: str
    lifetime: float

    def __repr__(self) -> str:
        return f"Token(lifetime={self.lifetime})"


class TokenRefusedError(Exception):
    """The token endpoint did not give a token; the verdict says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Minter(Protocol):
    """Gets one access token, without retrying."""

    def mint(self) -> Token:
        """Raises CredentialsError, TokenRefusedError or TransportError."""


@dataclass(frozen=True, slots=True)
class FileMinter:
    """Mints from the file of a workspace."""

    workspace: Workspace
    transport: Transport
    token_url: str
    now: Callable[[], datetime]

    def mint(self) -> Token:
        content = read_credentials(self.workspace)
        exchange = _Exchange(self.transport, self.now)
        made = _build(content, self.workspace, self.token_url)
        try:
            made.refresh(exchange)  # type: ignore[no-untyped-call]  # google-auth is only partly typed
        except google.auth.exceptions.GoogleAuthError as error:
            raise CredentialsError(
                f"{_place(self.workspace)} could not be turned into a token request ({type(error).__name__});"
                " download the key again and replace it.",
            ) from error
        return Token(str(made.token), exchange.lifetime)


def read_credentials(workspace: Workspace) -> Mapping[str, Any]:
    """The file's content, checked to be of an allowed kind and whole; a directory holds an OAuth client, key by key."""
    path = Path(workspace.credentials_path)
    place = _place(workspace)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError:
        return _read_oauth_directory(path, workspace)
    except (FileNotFoundError, NotADirectoryError):
        raise CredentialsError(
            f"{place} is missing: add the key with {_ALLOWED} as its value; the next attempt reads it.",
            FailureClass.CREDENTIALS_MISSING,
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file can have this path"
        raise CredentialsError(f"{place} cannot be read ({reason}).") from None
    if not raw.strip():
        raise CredentialsError(
            f"{place} is empty: it must hold {_ALLOWED}.", FailureClass.CREDENTIALS_MISSING
        )
    if len(raw) > MAX_FILE_BYTES:
        raise CredentialsError(f"{place} is larger than {MAX_FILE_BYTES} bytes: it must hold {_ALLOWED}.")
    try:
        content: Any = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        # The parser's own message quotes the text around the fault: it must not be chained into a log.
        raise CredentialsError(f"{place} is no JSON: it must hold {_ALLOWED}.") from None
    kind = content.get("type") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(kind, str) or kind not in _NEEDED:
        raise CredentialsError(f"{place} is of no kind that can be used: it must hold {_ALLOWED}.")
    missing = [key for key in _NEEDED[kind] if not isinstance(content.get(key), str) or not content[key]]
    if missing:
        raise CredentialsError(
            f"{place} ({kind}) lacks {', '.join(missing)}: download it again and replace it."
        )
    if content.get("universe_domain", "googleapis.com") != "googleapis.com":
        raise CredentialsError(
            f"{place} belongs to another universe than googleapis.com, which Search Console does not serve."
        )
    if kind == "authorized_user" and workspace.subject:
        raise CredentialsError(
            f"{place} is an OAuth refresh token, which cannot act for a subject; remove the subject or use a service-account key.",
        )
    return content


def _read_oauth_directory(folder: Path, workspace: Workspace) -> Mapping[str, Any]:
    place, content = _place(workspace), {"type": "authorized_user"}
    for key in _NEEDED["authorized_user"]:
        try:
            with (folder / key).open("rb") as file:
                content[key] = file.read(MAX_FILE_BYTES).decode().strip()
        except FileNotFoundError:
            content[key] = ""
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialsError(f"{place}: key '{key}' cannot be read ({type(error).__name__}).") from None
    missing = [key for key in _NEEDED["authorized_user"] if not content[key]]
    if missing:
        raise CredentialsError(
            f"{place}: {', '.join(missing)} missing; add what is missing, the next attempt reads it.",
            FailureClass.CREDENTIALS_MISSING,
        )
    if workspace.subject:
        raise CredentialsError(
            f"{place} is an OAuth client, which cannot act for a subject; remove the subject."
        )
    return content


def _build(
    content: Mapping[str, Any], workspace: Workspace, token_url: str
) -> google.auth.credentials.Credentials:
    if content["type"] == "authorized_user":
        # No scopes: Google refuses a refresh that names anything but an exact subset of the consent.
        return user_credentials.Credentials(  # type: ignore[no-untyped-call]  # google-auth is only partly typed
            token=None,
            refresh_token=content["refresh_token"],
            token_uri=token_url,
            client_id=content["client_id"],
            client_secret=content["client_secret"],
        )
    try:
        return service_account.Credentials.from_service_account_info(  # type: ignore[no-any-return, no-untyped-call]  # as above
            {**content, "token_uri": token_url},
            scopes=[SCOPE],
            subject=workspace.subject,
        )
    except (ValueError, google.auth.exceptions.GoogleAuthError):
        raise CredentialsError(
            f"{_place(workspace)} holds a private_key that cannot be read: download the key again and replace it.",
        ) from None


def _place(workspace: Workspace) -> str:
    """How a person finds the file: the Secret if the controller named it, else the path."""
    return workspace.credentials_hint or f"The credentials file {workspace.credentials_path}"


@dataclass(slots=True)
class _Answer:
    """google-auth's view of a response."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Exchange(google.auth.transport.Request):
    """Lets google-auth speak through our Transport; refusals are judged here, so its own retry never sleeps."""

    def __init__(self, transport: Transport, now: Callable[[], datetime]) -> None:
        self._transport = transport
        self._now = now
        self.lifetime = _DEFAULT_LIFETIME

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - google-auth passes it; the Transport has its own
        **_: Any,
    ) -> _Answer:
        response = self._transport.send(Request(method, url, headers or {}, body or b""))
        verdict = classify_token(response.status, response.headers, response.body, self._now())
        if verdict is not None:
            raise TokenRefusedError(verdict)
        lifetime = json.loads(response.body).get("expires_in")
        if isinstance(lifetime, int | float) and 0 < lifetime < _LONGEST_LIFETIME:
            self.lifetime = float(lifetime)
        # google-auth adds expires_in to its own clock and chokes on what is no number; ours above is what counts.
        answer = {**json.loads(response.body), "expires_in": int(self.lifetime)}
        return _Answer(response.status, response.headers, json.dumps(answer).encode())
