"""Login: who the watch is to the API server, read afresh each time that kopf asks.

kopf asks at its start, when credentials expire, and at once after a 401; then the token on disk may not be the new one
yet, and answering with the refused one would make it ask for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from controller.cluster.access import Access

Login = Callable[[], Awaitable[Access]]
CREDENTIALS_LAST = timedelta(minutes=10)
NEW_TOKEN_POLL, NEW_TOKEN_PATIENCE = 2.0, 60.0

log = logging.getLogger(__name__)


class WaitingLogin:
    """Reads the credentials afresh. Asked again before they expired, it waits for others than those just refused."""

    def __init__(self, read: Login, *, poll: float = NEW_TOKEN_POLL) -> None:
        self._read = read
        self._poll = poll
        self._given: Access | None = None
        self._given_at = datetime.fromtimestamp(0, UTC)

    async def handler(self, **_: Any) -> kopf.ConnectionInfo | None:
        refused = datetime.now(UTC) < self._given_at + CREDENTIALS_LAST
        waited = 0.0
        while True:
            try:
                access = await self._read()
            except Exception as error:  # noqa: BLE001 - kopf neither ends nor goes on when its login raises
                why = f"{type(error).__name__}: {error}"
                log.warning("no credentials", extra={"event": "watch.login", "why": why})
            else:
                if not refused or access != self._given or waited >= NEW_TOKEN_PATIENCE:
                    break
            await asyncio.sleep(self._poll)
            waited += self._poll
        self._given, self._given_at = access, datetime.now(UTC)
        return kopf.ConnectionInfo(
            server=access.server,
            ca_path=access.ca_path,
            insecure=access.insecure,
            token=access.token,
            username=access.username,
            password=access.password,
            certificate_path=access.certificate_path,
            private_key_path=access.private_key_path,
            expiration=self._given_at + CREDENTIALS_LAST,
        )
