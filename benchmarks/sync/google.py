"""The stand-ins for Google: one process for each state of its data, all frozen at the same evening.

`published`: what a first sync sees. `recounted`: every tenth row of every day has other numbers. `restated`: besides, the
newest day was published anew: some of its rows vanished, some appeared, a third changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.sync.case import EMPTY_PROPERTY, LAST_DAY, PROPERTY, Key, Metrics, Size
from emulator import Account, Config, Dataset, Property, Stage

NOW = f"{LAST_DAY.isoformat()}T23:59:00-08:00"
STATES: Mapping[str, Mapping[str, Any]] = {
    "published": {},
    "recounted": {"revision": 1},
    "restated": {"revision": 1, "published_anew": frozenset({LAST_DAY})},
}
ACCOUNTS = {"robot": "service_account", "person": "authorized_user"}


def config_of(size: Size, state: str) -> Config:
    return Config(
        seed=7,
        properties=(Property(url=PROPERTY, rows={"web": size.rows}), Property(url=EMPTY_PROPERTY)),
        accounts=tuple(
            Account(name=name, kind=kind, properties=dict.fromkeys((PROPERTY, EMPTY_PROPERTY), "siteOwner"))
            for name, kind in ACCOUNTS.items()
        ),
        fresh_days=0,
        unknown_members="ignore",  # Airbyte's source sends two
        cache_megabytes=1024,
        **STATES[state],
    )


def oracle(size: Size, state: str) -> dict[Key, Metrics]:
    """What the tables must hold after a sync of this state."""
    config = config_of(size, state)
    data = Dataset(config.seed, config)
    return {
        (day.isoformat(), row.page, row.query or "", row.country, row.device): (
            row.clicks,
            row.impressions,
            row.position,
        )
        for day in size.window
        for row in data.visible(PROPERTY, day, "web", Stage.FINAL)
    }


@dataclass(frozen=True, slots=True)
class Google:
    """One running stand-in."""

    url: str
    pid: int

    def credentials(self, account: str) -> dict[str, Any]:
        found: dict[str, Any] = self._control("GET", f"credentials/{account}?url={quote(self.url)}")
        return found

    def latency(self, milliseconds: float) -> None:
        self._control("POST", "latency", {"milliseconds": milliseconds})

    def calls(self) -> list[dict[str, Any]]:
        """The calls since the last time."""
        found: list[dict[str, Any]] = self._control("GET", "requests")["requests"]
        self._control("DELETE", "requests")
        return found

    def prepare(self, questions: Iterable[dict[str, Any]], token: str) -> None:
        """Ask them all once, so that the answers lie ready."""
        path = f"/webmasters/v3/sites/{quote(PROPERTY, safe='')}/searchAnalytics/query"
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "gzip",
        }

        def ask(body: dict[str, Any]) -> None:
            request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)  # noqa: S310
            with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
                answer.read()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ask, questions))
        self._control("DELETE", "requests")

    def token(self) -> str:
        user = self.credentials("person")
        form = "&".join(
            f"{name}={quote(str(user[name]), safe='')}"
            for name in ("client_id", "client_secret", "refresh_token")
        )
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/token", f"grant_type=refresh_token&{form}".encode()
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return str(json.load(answer)["access_token"])

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)


@contextmanager
def googles(size: Size, folder: Path) -> Iterator[dict[str, Google]]:
    """All states at once, each in a process of its own; idle ones cost memory only."""
    processes: list[subprocess.Popen[str]] = []
    found: dict[str, Google] = {}
    try:
        for state in STATES:
            config = folder / f"{state}.json"
            config.write_text(config_of(size, state).model_dump_json())
            arguments = ["--config", config, "--now", NOW, "--keys", folder / "keys"]
            process = subprocess.Popen(
                [sys.executable, "-m", "emulator", *map(str, arguments)],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )
            processes.append(process)
            assert process.stdout is not None
            found[state] = Google(json.loads(process.stdout.readline())["url"], process.pid)
        yield found
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
