"""Tokens without a key: the exchange of another provider's token, acting for a service account, the metadata server.

The token of an external account is a JWT signed with that account's key, as its provider would sign it; signature,
audience, times and subject are checked as Google checks them. What comes of an exchange may only act for service
accounts unless it asked for more.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from emulator.answers import Answer, json_answer
from emulator.calls import Call
from emulator.clock import Clock
from emulator.config import Account, Config
from emulator.errors import ApiError, TokenError, invalid, may_not_act_for
from emulator.keys import Keys
from emulator.tokens import READ_SCOPES, Tokens, claims_of, is_signed

OPERATIONS = ("exchange", "impersonate", "sign", "metadata")
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
JWT_TYPES = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")
IAM_SCOPES = frozenset(
    ("https://www.googleapis.com/auth/iam", "https://www.googleapis.com/auth/cloud-platform")
)
ISSUER = "https://cluster.emulator.example"
FLAVOR = {"Metadata-Flavor": "Google"}
_SKEW = 300
_LONGEST = 3600


class Federation:
    """Answers the calls of OPERATIONS."""

    def __init__(self, config: Config, keys: Keys, tokens: Tokens) -> None:
        self._config = config
        self._keys = keys
        self._tokens = tokens
        self._externals = {
            account.provider: account for account in config.accounts if account.kind == "external"
        }

    def identity_token(self, account: Account, wall: float, seconds: int, **claims: Any) -> str:
        """What the provider of an external account gives it."""
        known = {
            "iss": ISSUER,
            "sub": f"system:serviceaccount:{account.name}",
            "aud": f"https:{account.provider}",
        }
        return self._signed(account, {**known, "iat": int(wall), "exp": int(wall) + seconds, **claims})

    def answer(
        self,
        call: Call,
        authorization: str | None,
        form: Mapping[str, str],
        clock: Clock,
        wall: float,
        *,
        metadata_flavor: str = "",
    ) -> Answer:
        """Raises ApiError or TokenError. `wall` is the real time that identity tokens are dated by."""
        elapsed = clock.elapsed()
        if call.operation == "exchange":
            return json_answer(self._exchange(form, elapsed, wall))
        if call.operation == "metadata":
            return self._metadata(call, elapsed, metadata_flavor)
        caller = self._tokens.identify(authorization, elapsed, IAM_SCOPES)
        target = self._tokens.by_email(call.feedpath)
        if target is None or target.name not in caller.impersonates or target.name in self._tokens.revoked:
            raise may_not_act_for(call.feedpath)
        if call.operation == "sign":
            return json_answer({"keyId": self._keys.key_id(target), "signedJwt": self._sign(call, target)})
        scopes = call.hint("scope")
        if not isinstance(scopes, list) or not scopes:
            raise invalid("scope is required", "scope")
        seconds = _seconds(call.hint("lifetime"))
        expires = clock.now() + timedelta(seconds=seconds)
        token = self._tokens.grant(target, map(str, scopes), elapsed, seconds)
        return json_answer({"accessToken": token, "expireTime": f"{expires:%Y-%m-%dT%H:%M:%SZ}"})

    def _exchange(self, form: Mapping[str, str], elapsed: float, wall: float) -> dict[str, Any]:
        if form.get("grant_type") != GRANT:
            raise TokenError("unsupported_grant_type", "The grant type is not supported.")
        account = self._externals.get(form.get("audience", ""))
        if account is None:
            raise TokenError(
                "invalid_target", 'The target service indicated by the "audience" parameters is invalid.'
            )
        if (
            form.get("requested_token_type") != ACCESS_TOKEN
            or form.get("subject_token_type") not in JWT_TYPES
        ):
            raise TokenError("invalid_request", "Invalid token type.")
        self._check(account, form.get("subject_token", ""), wall)
        scopes = set(form.get("scope", "").split())
        if not scopes:
            raise TokenError("invalid_scope", "The scope is missing.")
        lifetime = self._config.token_seconds
        token = self._tokens.grant(account, scopes, elapsed, lifetime)
        return {
            "access_token": token,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": lifetime,
        }

    def _check(self, account: Account, token: str, wall: float) -> None:
        claims = claims_of(token)
        if claims.get("iss") != ISSUER or not is_signed(token, self._keys.private_key(account).public_key()):
            raise TokenError("invalid_grant", "The signature of the given credential cannot be verified.")
        if claims.get("aud") != f"https:{account.provider}":
            raise TokenError(
                "invalid_grant", "The audience in ID Token does not match the expected audience."
            )
        issued, expires = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(expires, int):
            raise TokenError("invalid_grant", "The given credential lacks iat or exp.")
        if self._config.check_token_times and not issued - _SKEW <= wall < expires:
            raise TokenError("invalid_grant", f"ID Token issued at {issued} is stale to sign-in.")
        if account.name in self._tokens.revoked:
            raise TokenError("invalid_grant", "The given credential is rejected by the attribute condition.")

    def _sign(self, call: Call, target: Account) -> str:
        try:
            claims = json.loads(str(call.hint("payload")))
        except ValueError:
            claims = None
        if not isinstance(claims, dict):
            raise invalid("payload is no JSON object", "payload")
        return self._signed(target, claims)

    def _metadata(self, call: Call, elapsed: float, flavor: str) -> Answer:
        if flavor != "Google":
            return Answer(
                403, b"Your client does not have permission: Metadata-Flavor is missing.", headers=FLAVOR
            )
        account = next((each for each in self._config.accounts if each.name == self._config.ambient), None)
        if account is None or account.name in self._tokens.revoked:
            return Answer(404, b"No service account is attached.", headers=FLAVOR)
        asked = call.parameters.get("scopes", "").split(",")
        scopes = [scope for scope in asked if scope] or sorted(READ_SCOPES)
        lifetime = self._config.token_seconds
        token = self._tokens.grant(account, scopes, elapsed, lifetime)
        return json_answer(
            {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}, headers=FLAVOR
        )

    def _signed(self, account: Account, claims: Mapping[str, Any]) -> str:
        head = {"alg": "RS256", "typ": "JWT", "kid": self._keys.key_id(account)}
        message = f"{_encoded(head)}.{_encoded(claims)}"
        signature = self._keys.private_key(account).sign(message.encode(), PKCS1v15(), SHA256())
        return f"{message}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def _encoded(value: Mapping[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _seconds(lifetime: object) -> int:
    """Of '3600s'; raises ApiError beyond an hour."""
    text = str(lifetime or "3600s").removesuffix("s")
    if not text.isdecimal() or not 0 < int(text) <= _LONGEST:
        raise ApiError(400, "The token lifetime is out of range; the longest is 3600s.", "invalidParameter")
    return int(text)
