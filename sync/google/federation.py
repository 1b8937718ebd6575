"""External accounts: the token of another identity provider, from a file, for one of Google's (workload identity federation).

The configuration lies in the workspace's Secret, which its owner writes; what it may choose is whom to be: the provider
(`audience`) and the service account to act for. It chooses neither where a token is sent nor which file is read: the
addresses are settings (`exchange`), and the one file is the token that the installation mounts. The file is read anew
for each token, since its writer renews it long before an hour is over, and nothing of it stands in a message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google.auth.credentials
from google.auth import identity_pool, impersonated_credentials
from google.auth.external_account import SupplierContext

from contract import FailureClass
from sync.errors import CredentialsError
from sync.google.exchange import Exchange

MAX_TOKEN_BYTES = 64 * 1024
PROVIDER = re.compile(
    r"//iam\.googleapis\.com/projects/[^/\s]+/locations/[^/\s]+/workloadIdentityPools/[^/\s]+/providers/[^/\s]+"
    r"|identitynamespace:\S+"
)
_SERVICE_ACCOUNT = re.compile(r"/serviceAccounts/([a-zA-Z0-9._-]+@[a-zA-Z0-9.-]+):generateAccessToken$")
_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"  # noqa: S105 - a name
_SOURCES = {
    "url": "a URL",
    "executable": "a program",
    "certificate": "a certificate",
    "environment_id": "AWS",
}
_TOKEN = re.compile(r"[!-~]+")


def check(content: Mapping[str, Any], subject: str | None, token_path: Path | None, place: str) -> None:
    """Raises CredentialsError when the configuration is none that can be used here, saying what is allowed."""
    source = content.get("credential_source")
    if not isinstance(source, Mapping):
        raise CredentialsError(f"{place} (external_account) lacks credential_source: make the file again.")
    if token_path is None:
        raise CredentialsError(
            f"{place} is an external account, and this installation mounts no identity token for one; the administrator sets"
            " `sync.identityToken.audience` of the chart (outside a cluster GSC_SYNC_IDENTITY_TOKEN_PATH). Or use another"
            " kind of credential.",
        )
    allowed = f'{{"file": "{token_path}"}}'
    for key, what in _SOURCES.items():
        if key in source:
            raise CredentialsError(
                f"{place} takes its identity token from {what}, which is not allowed: credential_source must be {allowed}."
            )
    if source.get("file") != str(token_path):
        raise CredentialsError(
            f"{place} takes its identity token from another file than the one that is mounted for it: credential_source"
            f" must be {allowed}."
        )
    _check_format(source.get("format", {}), place)
    _check_identity(content, subject, place)


def _check_format(given: object, place: str) -> None:
    kind = given.get("type", "text") if isinstance(given, Mapping) else None
    field = given.get("subject_token_field_name") if isinstance(given, Mapping) else None
    if kind == "text" or (kind == "json" and isinstance(field, str) and field):
        return
    raise CredentialsError(
        f'{place} has a credential_source.format that cannot be used; allowed are {{"type": "text"}} and'
        ' {"type": "json", "subject_token_field_name": "..."}.'
    )


def _check_identity(content: Mapping[str, Any], subject: str | None, place: str) -> None:
    if not PROVIDER.fullmatch(content["audience"]):
        raise CredentialsError(
            f"{place} has an audience that is no provider of a workload identity pool; it must be like"
            " //iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/POOL/providers/PROVIDER."
        )
    if not content["subject_token_type"].startswith(_TOKEN_TYPE):
        raise CredentialsError(f"{place} has a subject_token_type that is not known; use {_TOKEN_TYPE}jwt.")
    url = content.get("service_account_impersonation_url")
    if url is None and subject:
        raise CredentialsError(
            f"{place} is an external account by itself, which cannot act for a subject; add a"
            " service_account_impersonation_url whose account may, or remove the subject."
        )
    if url is not None and service_account_of(content) is None:
        raise CredentialsError(
            f"{place} has a service_account_impersonation_url that names no service account; it must end with"
            " /serviceAccounts/NAME@PROJECT.iam.gserviceaccount.com:generateAccessToken."
        )


def service_account_of(content: Mapping[str, Any]) -> str | None:
    """The e-mail address of the account to act for; all else in the address is not read."""
    url = content.get("service_account_impersonation_url")
    match = _SERVICE_ACCOUNT.search(url) if isinstance(url, str) else None
    return match[1] if match else None


def build(
    content: Mapping[str, Any],
    subject: str | None,
    token_path: Path,
    sts_url: str,
    scope: str,
    exchange: Exchange,
) -> google.auth.credentials.Credentials:
    """google-auth's view of a configuration that `check` let pass."""
    made = identity_pool.Credentials(  # type: ignore[no-untyped-call]  # google-auth is only partly typed
        audience=content["audience"],
        subject_token_type=content["subject_token_type"],
        token_url=sts_url,
        subject_token_supplier=_TokenFile(
            token_path, content["credential_source"].get("format", {}), exchange
        ),
        scopes=[scope],
    )
    account = service_account_of(content)
    if account is None:
        return made
    return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]  # as above
        source_credentials=made, target_principal=account, target_scopes=[scope], subject=subject
    )


@dataclass(frozen=True, slots=True)
class _TokenFile(identity_pool.SubjectTokenSupplier):
    """Gives google-auth the token in the file, as it is now, and keeps answers from repeating it."""

    path: Path
    format: Mapping[str, Any]
    exchange: Exchange

    def get_subject_token(self, context: SupplierContext, request: object) -> str:  # noqa: ARG002 - google-auth's signature
        field = self.format["subject_token_field_name"] if self.format.get("type") == "json" else ""
        token = read_token(self.path, field)
        self.exchange.hide(token)
        return token


def read_token(path: Path, field: str = "") -> str:
    """The token in a file, or in a field of the JSON object there.

    Raises CredentialsError.
    """
    place = f"The identity token {path}"
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TOKEN_BYTES + 1)
    except OSError as error:
        kind = (
            FailureClass.CREDENTIALS_MISSING
            if isinstance(error, FileNotFoundError | NotADirectoryError)
            else FailureClass.CREDENTIALS_INVALID
        )
        raise CredentialsError(
            f"{place} cannot be read ({error.strerror}); it is mounted by the installation, the next attempt reads it.",
            kind,
        ) from None
    if len(raw) > MAX_TOKEN_BYTES:
        raise CredentialsError(
            f"{place} is larger than {MAX_TOKEN_BYTES} bytes: the file must hold one token and nothing else."
        )
    if not raw.strip():
        raise CredentialsError(
            f"{place} is empty; whoever writes it must write it whole, the next attempt reads it.",
            FailureClass.CREDENTIALS_MISSING,
        )
    token = _field(raw, field) if field else raw.decode("ascii", "replace").strip()
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        where = " in the field that credential_source.format names" if field else ", and nothing else"
        raise CredentialsError(f"{place} holds no token; the file must hold one{where}.")
    return token


def _field(raw: bytes, name: str) -> object:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        # The parser's own message quotes the text around the fault.
        return None
    return found.get(name) if isinstance(found, dict) else None
