"""The token endpoint: refresh tokens and signed assertions in, bearer tokens out, and who a bearer token is.

Signatures are verified with the public key of the identity, so a client that signs wrongly fails here as it would at
Google. Tokens expire by the emulator's elapsed time.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from emulator.config import Account, Config
from emulator.errors import TokenError, scope_insufficient, unauthenticated
from emulator.keys import Keys

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
READ_SCOPES = frozenset(
    ("https://www.googleapis.com/auth/webmasters.readonly", "https://www.googleapis.com/auth/webmasters")
)
_TIMES = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
_SKEW = 300
_LONGEST = 3600


@dataclass(frozen=True, slots=True)
class Grant:
    """What a bearer token stands for."""

    account: str
    scopes: frozenset[str]
    expires: float


class Tokens:
    """Issues and checks bearer tokens. `revoked` may be changed while running."""

    def __init__(self, config: Config, keys: Keys) -> None:
        self._config = config
        self._keys = keys
        self._grants: dict[str, Grant] = {}
        self._by_email = {account.email: account for account in config.accounts}
        self.revoked = {account.name for account in config.accounts if account.revoked}

    def issue(
        self, form: Mapping[str, str], elapsed: float, wall: float, seconds: int | None = None
    ) -> dict[str, Any]:
        """Answer a token request; raises TokenError. `wall` is the real time that assertions are dated by."""
        match form.get("grant_type"):
            case "refresh_token":
                account, scopes = self._refresh(form)
            case grant if grant == JWT_GRANT:
                account, scopes = self._assertion(form.get("assertion", ""), wall)
            case None:
                raise TokenError("invalid_request", "Required parameter is missing: grant_type")
            case grant:
                raise TokenError("unsupported_grant_type", f"Invalid grant_type: {grant}")
        lifetime = seconds or self._config.token_seconds
        return {
            "access_token": self.grant(account, scopes, elapsed, lifetime),
            "expires_in": lifetime,
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }

    def grant(self, account: Account, scopes: Iterable[str], elapsed: float, lifetime: float) -> str:
        """A new bearer token of an account."""
        token = f"ya29.{secrets.token_urlsafe(48)}"
        self._forget_expired(elapsed)
        self._grants[token] = Grant(account.name, frozenset(scopes), elapsed + lifetime)
        return token

    def by_email(self, email: str) -> Account | None:
        return self._by_email.get(email)

    def identify(
        self, authorization: str | None, elapsed: float, scopes: frozenset[str] = READ_SCOPES
    ) -> Account:
        """The account behind an Authorization header, whose token has one of the scopes; raises ApiError."""
        scheme, _, token = (authorization or "").partition(" ")
        grant = self._grants.get(token.strip())
        if (
            scheme.lower() != "bearer"
            or grant is None
            or grant.expires <= elapsed
            or grant.account in self.revoked
        ):
            raise unauthenticated()
        if not grant.scopes & scopes:
            raise scope_insufficient()
        return next(account for account in self._config.accounts if account.name == grant.account)

    def expire_all(self) -> None:
        """Every token issued so far is refused from now on."""
        self._grants.clear()

    def _forget_expired(self, elapsed: float) -> None:
        if len(self._grants) > 10_000:
            self._grants = {token: grant for token, grant in self._grants.items() if grant.expires > elapsed}

    def _refresh(self, form: Mapping[str, str]) -> tuple[Account, set[str]]:
        given = form.get("refresh_token", "")
        for account in self._config.accounts:
            if account.kind == "authorized_user" and secrets.compare_digest(
                given.encode(), self._keys.refresh_token(account).encode()
            ):
                break
        else:
            raise TokenError("invalid_grant", "Bad Request")
        if form.get("client_id") != self._keys.client_id(account):
            raise TokenError("invalid_client", "The OAuth client was not found.", 401)
        if form.get("client_secret") != self._keys.client_secret(account):
            raise TokenError("invalid_client", "Unauthorized", 401)
        if account.name in self.revoked:
            raise TokenError("invalid_grant", "Token has been expired or revoked.")
        asked = set(form.get("scope", "").split())
        if not asked <= set(account.scopes):
            raise TokenError("invalid_scope", "Some requested scopes were invalid or were not consented to.")
        return account, asked or set(account.scopes)

    def _assertion(self, assertion: str, wall: float) -> tuple[Account, set[str]]:
        payload = claims_of(assertion)
        account = self._by_email.get(str(payload.get("iss")))
        if account is None or account.kind != "service_account" or account.name in self.revoked:
            raise TokenError("invalid_grant", "Invalid grant: account not found")
        public_key = self._keys.private_key(account).public_key()
        if not is_signed(assertion, public_key):
            raise TokenError("invalid_grant", "Invalid JWT Signature.")
        self._check_claims(payload, wall)
        scopes = set(str(payload.get("scope", "")).split())
        if not scopes:
            raise TokenError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return self._subject(account, payload.get("sub")), scopes

    def _subject(self, account: Account, subject: object) -> Account:
        if subject is None or subject == account.email:
            return account
        person = self._by_email.get(str(subject))
        if person is None or person.name not in account.impersonates:
            raise TokenError(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any"
                " of the scopes requested.",
                401,
            )
        return person

    def _check_claims(self, payload: Mapping[str, Any], wall: float) -> None:
        audience = str(payload.get("aud", ""))
        if not audience.rstrip("/").endswith("/token"):
            raise TokenError("invalid_grant", "Invalid JWT: Failed audience check.")
        issued, expires = payload.get("iat"), payload.get("exp")
        if not isinstance(issued, int) or not isinstance(expires, int) or expires - issued > _LONGEST:
            raise TokenError("invalid_grant", _TIMES)
        if self._config.check_token_times and not (issued - _SKEW <= wall < expires + _SKEW):
            raise TokenError("invalid_grant", f"{_TIMES} Check your iat and exp values in the JWT claim.")


def claims_of(assertion: str) -> dict[str, Any]:
    """The claims, unverified: the issuer must be known to choose the key."""
    try:
        _, claims, _ = assertion.split(".")
        payload = json.loads(_decode(claims))
    except ValueError as error:
        raise TokenError("invalid_grant", "Invalid JWT: could not be parsed.") from error
    if not isinstance(payload, dict):
        raise TokenError("invalid_grant", "Invalid JWT: could not be parsed.")
    return payload


def is_signed(assertion: str, public_key: RSAPublicKey) -> bool:
    message, _, signature = assertion.rpartition(".")
    try:
        public_key.verify(_decode(signature), message.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
