"""Whose budget a request uses: a property's, an identity's and a project's. Pure.

Google counts per site, per user and per Cloud project. The user is the account behind a credential and not our
workspace, so two workspaces with one credential, in whatever Job, share one budget.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

MAX_NAME = 200
"""Characters of a name as it is stored: enough to read, and far below what an index entry can hold."""


class Scope(StrEnum):
    """What Google counts by."""

    IDENTITY = "identity"
    PROJECT = "project"
    PROPERTY = "property"


class BucketName(NamedTuple):
    """Names one budget; sorts the same everywhere, which is the order in which rows are locked."""

    scope: Scope
    name: str


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose quotas a credential uses; `project` is empty when the credential does not say."""

    identity: str
    project: str = ""

    @property
    def buckets(self) -> tuple[BucketName, ...]:
        identity = bucket(Scope.IDENTITY, self.identity)
        return (identity, bucket(Scope.PROJECT, self.project)) if self.project else (identity,)


def bucket(scope: Scope, name: str) -> BucketName:
    """A name that can be stored: what is too long, or holds what Postgres refuses, is cut and marked with a digest."""
    plain = name.encode("utf-8", "replace").decode().replace("\0", "?")
    if plain == name and len(name) <= MAX_NAME:
        return BucketName(scope, name)
    return BucketName(scope, f"{plain[: MAX_NAME - 18]} {_digest(name)}")


def payer_of(content: Mapping[str, Any], subject: str | None) -> Payer:
    """The payer of a credentials file's content.

    A subject is the user that Google counts. A refresh token does not say whose it is, so it counts as a user of its
    own: the client with a digest of the token. A key file names its project; a client id begins with its number.
    """
    email = _text(content, "client_email") or _impersonated(content)
    client = _text(content, "client_id")
    audience = _text(content, "audience")
    project = (
        _text(content, "project_id")
        or _found(r"@([a-z0-9-]+)\.iam\.gserviceaccount\.com$", email)
        or _found(r"/projects/([^/]+)/", audience)
        or _found(r"^(\d+)-", client)
    )
    if subject or email:
        return Payer(subject or email, project)
    if client:
        return Payer(f"{client} {_digest(_text(content, 'refresh_token'))}", project)
    return Payer(audience or _digest(json.dumps(content, sort_keys=True, default=str)), project)


def _impersonated(content: Mapping[str, Any]) -> str:
    url = _text(content, "service_account_impersonation_url")
    return _found(r"/serviceAccounts/([^/:]+):", url)


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    return value if isinstance(value, str) else ""


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
