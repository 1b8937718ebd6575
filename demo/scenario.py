"""The story the demo tells: who owns what, what goes wrong, and what the rows must be.

healthy  two properties of one service account
partial  two workspaces, of which one has a revoked credential
quota    one property whose first request is refused for its load quota: the run is snoozed, not failed
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from demo.stage import MANIFESTS, ROOT, Stage
from emulator.config import Account, Config, Property
from emulator.credentials import credentials_json, find_account
from emulator.dataset import Dataset
from emulator.keys import Keys
from emulator.pacific import pacific_day, stage_of

Say = Callable[[str], None]

SCHEDULES = ("healthy", "partial", "quota")
COOLDOWN_SECONDS = 20
LOAD_QUOTA_REFUSALS = 1

CONFIG = Config(
    seed=2026,
    properties=(
        Property(url="sc-domain:acme.example", rows={"web": 1200, "image": 90}, variation=0.2),
        Property(url="https://shop.acme.example/", rows={"web": 300}, variation=0.2),
        Property(url="sc-domain:bravo.example", rows={"web": 500}, variation=0.2),
        Property(url="sc-domain:charlie.example", rows={"web": 200}, variation=0.2),
    ),
    accounts=(
        Account(
            name="acme",
            properties={"sc-domain:acme.example": "siteFullUser", "https://shop.acme.example/": "siteOwner"},
        ),
        Account(name="bravo", kind="authorized_user", properties={"sc-domain:bravo.example": "siteOwner"}),
        Account(name="charlie", properties={"sc-domain:charlie.example": "siteRestrictedUser"}),
        Account(name="revoked", revoked=True, properties={"sc-domain:bravo.example": "siteFullUser"}),
    ),
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What Postgres must hold of one property and day (web search)."""

    property: str
    day: date
    rows: list[tuple[Any, ...]]


def deploy(stage: Stage, say: Say) -> None:
    """Everything up to the schedules. Safe to call again."""
    say("starting the stand-in for Search Console, and a Postgres")
    stage.namespace()
    stage.secret(
        "emulator-keys",
        {
            f"{account.name}.pem": keys().private_pem(account)
            for account in CONFIG.accounts
            if account.kind == "service_account"
        },
    )
    stage.backing(CONFIG.model_dump(mode="json"))
    say("installing the chart")
    stage.chart(f"sync.loadCooldownSeconds={COOLDOWN_SECONDS}")
    stage.backing_ready()
    say("creating the Secrets and three schedules")
    for account in CONFIG.accounts:
        stage.secret(f"{account.name}-google", credentials(stage, account.name))
    rule = {
        "match": {
            "operation": "query",
            "property": "sc-domain:charlie.example",
            "times": LOAD_QUOTA_REFUSALS,
        },
        "fault": {"kind": "load-403"},
    }
    control(stage, "POST", "faults", [rule])
    stage.schedules((MANIFESTS / "schedules.yaml").read_text())


def keys() -> Keys:
    """The keys of the stand-in's identities, made once per checkout."""
    return Keys(CONFIG, ROOT / ".build" / "demo-keys")


def credentials(stage: Stage, account: str) -> dict[str, str]:
    return {
        "credentials.json": json.dumps(
            credentials_json(find_account(CONFIG, account), keys(), stage.emulator_url)
        )
    }


def control(stage: Stage, method: str, path: str, body: Any) -> None:
    """Speak to the stand-in's control interface, from inside its pod."""
    program = (
        "import sys, urllib.request as u\n"
        "u.urlopen(u.Request('http://127.0.0.1:8080/_emulator/' + sys.argv[2], sys.argv[3].encode(), method=sys.argv[1])).read()"
    )
    stage.kubectl.run(
        "exec", "deployment/search-console", "--", "python", "-c", program, method, path, json.dumps(body)
    )


def slow_down(stage: Stage, milliseconds: int) -> None:
    """Wait so long before each answer."""
    control(stage, "POST", "latency", {"milliseconds": milliseconds})


def schedule(name: str, *, credentials: str, run_on_create: bool) -> str:
    """A schedule of one workspace, due once a year unless run on creation."""
    return json.dumps(
        {
            "apiVersion": "gscsync.io/v1beta1",
            "kind": "GscSyncSchedule",
            "metadata": {"name": name},
            "spec": {
                "schedule": "0 4 1 1 *",
                "runOnCreate": run_on_create,
                "workspaces": [
                    {
                        "name": "only",
                        "credentialsSecretRef": {"name": credentials},
                        "properties": {"include": ["https://shop.acme.example/"]},
                    },
                ],
                "destination": {"secretRef": {"name": "warehouse"}},
            },
        }
    )


def expected_rows(stage: Stage, name: str) -> Iterator[Expected]:
    """The data set for a schedule's last run, from the seed alone: every day of its window but the one still running."""
    status = stage.kubectl.get("gscsyncschedule", name)["status"]
    moment = datetime.fromisoformat(status["history"][0]["finishTime"]).astimezone(UTC)
    slot = datetime.fromisoformat(status["history"][0]["slot"]).astimezone(UTC)
    dataset = Dataset(CONFIG.seed, CONFIG)
    for url in ("sc-domain:acme.example", "https://shop.acme.example/"):
        for back in range(1, 14):
            day = pacific_day(slot) - timedelta(days=back)
            rows = dataset.visible(url, day, "web", stage_of(day, moment, CONFIG.fresh_days))
            yield Expected(url, day, [tuple(row) for row in rows])
