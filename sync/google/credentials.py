"""Credentials files: read, and checked to be of a kind that can be used and whole, before a token is asked for.

Three kinds: a service-account key, with a subject to act for if wanted; an OAuth refresh token (`authorized_user`, or a
directory with its three keys); an external account, whose identity token comes from the one file that the installation
allows (`federation`). The fourth credential, the identity of the pod itself, has no file and never stands in for one that
is missing. Nothing of a file's content ever stands in a message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract import FailureClass, Workspace
from sync.errors import CredentialsError
from sync.google import federation

MAX_FILE_BYTES = 64 * 1024
_ALLOWED = (
    'a service-account key ("type": "service_account"), an OAuth refresh token ("type": "authorized_user") or an external'
    ' account ("type": "external_account")'
)
_NEEDED = {
    "service_account": ("client_email", "private_key"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
    "external_account": ("audience", "subject_token_type"),
}


def read_credentials(workspace: Workspace, identity_token: Path | None = None) -> Mapping[str, Any]:
    """The file's content, checked to be of an allowed kind and whole; a directory holds an OAuth client, key by key.

    `identity_token` is the one file that an external account may name. Raises CredentialsError.
    """
    assert workspace.credentials_path is not None, "an ambient identity has no file"
    path = Path(workspace.credentials_path)
    place = place_of(workspace)
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
    if kind == "external_account":
        federation.check(content, workspace.subject, identity_token, place)
    return content


def _read_oauth_directory(folder: Path, workspace: Workspace) -> Mapping[str, Any]:
    place, content = place_of(workspace), {"type": "authorized_user"}
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


def place_of(workspace: Workspace) -> str:
    """How a person finds the file: the Secret if the controller named it, else the path."""
    return workspace.credentials_hint or f"The credentials file {workspace.credentials_path}"
