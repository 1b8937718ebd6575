"""A small configured world, and a plain client that may do whatever a test wants."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import requests
from google.auth import crypt, jwt

from emulator import Account, Config, EmulatorThread, Property

NOON = datetime(2026, 3, 20, 20, tzinfo=UTC)
FINAL_DAY = date(2026, 3, 10)
FRESH_DAY = date(2026, 3, 19)
SITE = "sc-domain:shop.example"
SHARED = "https://www.shop.example/"
HIDDEN = "https://hidden.example/"
KEYS = ["page", "query", "country", "device"]
READONLY = "https://www.googleapis.com/auth/webmasters.readonly"


@lru_cache(maxsize=32)
def _signer(pem: str) -> crypt.RSASigner:
    """Reading a key is slow, and every test logs in."""
    return crypt.RSASigner.from_string(pem)


class Client:
    """Talks HTTP to an emulator as one account."""

    def __init__(self, emulator: EmulatorThread, account: str) -> None:
        self.emulator = emulator
        self.account = account
        self.session = requests.Session()
        self.session.headers["User-Agent"] = "test (gzip)"

    def assertion(self, key_of: str | None = None, **claims: Any) -> str:
        signer = _signer(self.emulator.credentials(key_of or self.account)["private_key"])
        now = int(time.time())
        payload = {
            "iss": self.emulator.credentials(self.account)["client_email"],
            "aud": f"{self.emulator.url}/token",
            "iat": now,
            "exp": now + 3600,
            "scope": READONLY,
        }
        return jwt.encode(signer, payload | claims).decode()

    def grant(self, **form: str) -> requests.Response:
        return self.session.post(f"{self.emulator.url}/token", data=form)

    def login(self, scope: str = READONLY) -> Client:
        info = self.emulator.credentials(self.account)
        if info["type"] == "service_account":
            grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
            answer = self.grant(grant_type=grant, assertion=self.assertion(scope=scope))
        else:
            form = {name: info[name] for name in ("client_id", "client_secret", "refresh_token")}
            answer = self.grant(grant_type="refresh_token", **form)
        answer.raise_for_status()
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return self

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.session.get(f"{self.emulator.url}/webmasters/v3/{path}", **kwargs)

    def query(
        self, site: str = SITE, *, parameters: str = "", timeout: float = 30, **body: Any
    ) -> requests.Response:
        path = f"/webmasters/v3/sites/{quote(site, safe='')}/searchAnalytics/query{parameters}"
        given = {
            "startDate": FINAL_DAY.isoformat(),
            "endDate": FINAL_DAY.isoformat(),
            "dimensions": KEYS,
        } | body
        return self.session.post(self.emulator.url + path, json=given, timeout=timeout, allow_redirects=False)


def world(**changes: Any) -> Config:
    given: dict[str, Any] = {
        "seed": 7,
        "properties": (
            Property(
                url=SITE,
                rows={"web": 400, "image": 30, "video": 20, "news": 10, "discover": 25, "googleNews": 15},
                sitemaps=2,
            ),
            Property(url=SHARED, rows={"web": 50}),
            Property(url=HIDDEN, rows={"web": 5}),
        ),
        "accounts": (
            Account(
                name="robot",
                properties={SITE: "siteFullUser", SHARED: "siteRestrictedUser", HIDDEN: "siteUnverifiedUser"},
                impersonates=("person",),
            ),
            Account(name="person", kind="authorized_user", properties={SHARED: "siteOwner"}),
            Account(name="dismissed", revoked=True),
        ),
    }
    return Config(**(given | changes))
