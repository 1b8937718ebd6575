"""What the sync's tests talk to: a Search Console of a few lines, and a store of a few more."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from contract import Destination, Limits, RunSpec, RunSummary, Workspace
from sync.clock import ManualClock
from sync.google.exchange import Addresses
from sync.google.transport import Request, Response
from sync.plan.cells import Cell, CellResult, FetchedCell, Row
from sync.plan.order import Synced
from sync.quota.memory import MemoryQuotaTable
from sync.store.memory_inspections import MemoryInspections
from sync.store.memory_inventory import MemoryInventory
from sync.store.port import AlreadyComplete, Claimed, LedgerEntry, RunKey

SLOT = datetime(2026, 6, 15, 4, 0, tzinfo=UTC)
"""21:00 on 14 June in California."""
TODAY = date(2026, 6, 14)

ADDRESSES = Addresses(
    token_url="https://token.example/token",
    sts_url="https://sts.example/v1/token",
    iam_base_url="https://iam.example/v1",
    metadata_base_url="http://metadata.example/computeMetadata/v1",
)
AUTHORIZED_USER = {
    "type": "authorized_user",
    "client_id": "client",
    "client_secret": "hush-client",
    "refresh_token": "hush-refresh",
}


def answer(status: int, body: Any = None, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    return Response(status, {"content-type": "application/json", **headers}, content)


def refusal(status: int, message: str, reason: str = "", domain: str = "global", **headers: str) -> Response:
    error: dict[str, Any] = {"code": status, "message": message}
    if reason:
        error["errors"] = [{"message": message, "domain": domain, "reason": reason}]
    return answer(status, {"error": error}, **headers)


def load_refusal() -> Response:
    return refusal(
        403, "Search Analytics load quota exceeded. Learn about usage limits.", "quotaExceeded", "usageLimits"
    )


def qps_refusal(**headers: str) -> Response:
    return refusal(403, "Search Analytics QPS quota exceeded.", "quotaExceeded", "usageLimits", **headers)


def permission_refusal() -> Response:
    return refusal(403, "User does not have sufficient permission for site 'x'.", "forbidden")


def row(
    *keys: str, clicks: float = 1, impressions: float = 10, position: float | None = 3.5
) -> dict[str, Any]:
    found = {"keys": list(keys), "clicks": clicks, "impressions": impressions, "ctr": 0.1}
    return found if position is None else {**found, "position": position}


@dataclass
class FakeGoogle:
    """A Transport behind which a few days of a few properties lie; `script` may answer first."""

    sites: Mapping[str, str] = field(default_factory=lambda: {"sc-domain:a.example": "siteOwner"})
    rows: Callable[[str, date, str], list[dict[str, Any]]] = lambda _property, day, _type: [
        row(f"https://a.example/{day}", "shoes", "usa", "MOBILE"),
        row(f"https://a.example/{day}", "", "usa", "MOBILE", clicks=0),
    ]
    first_incomplete: date | None = TODAY - timedelta(days=2)
    script: Callable[[Request, dict[str, Any]], Response | None] = lambda _request, _body: None
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, request: Request) -> Response:
        if request.url.startswith("https://token.example"):
            with self._lock:
                self.tokens += 1
                return answer(200, {"access_token": f"token-{self.tokens}", "expires_in": 3600})
        body = json.loads(request.body) if request.body else {}
        with self._lock:
            self.requests.append((request.url, body))
        scripted = self.script(request, body)
        if scripted is not None:
            return scripted
        if request.url.split("?")[0].endswith("/sites"):
            entries = [{"siteUrl": url, "permissionLevel": level} for url, level in self.sites.items()]
            return answer(200, {"siteEntry": entries} if entries else {})
        property_ = unquote(request.url.split("/sites/")[1].split("/")[0])
        if body["dimensions"] == ["date"]:
            return self._probe(property_, body)
        found = self.rows(property_, date.fromisoformat(body["startDate"]), body["type"])
        page = found[body["startRow"] : body["startRow"] + body["rowLimit"]]
        return answer(200, {"responseAggregationType": "byPage", **({"rows": page} if page else {})})

    def close(self) -> None:
        return None

    def asked(self, operation: str = "query") -> list[dict[str, Any]]:
        """The bodies of the queries, probes left out unless asked for."""
        probes = operation == "probe"
        return [body for _, body in self.requests if body and (body["dimensions"] == ["date"]) is probes]

    def _probe(self, property_: str, body: dict[str, Any]) -> Response:
        first, last = date.fromisoformat(body["startDate"]), date.fromisoformat(body["endDate"])
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        sums = {
            day: [
                sum(found[name] for found in self.rows(property_, day, body["type"]))
                for name in ("clicks", "impressions")
            ]
            for day in days
        }
        rows = [
            {"keys": [day.isoformat()], "clicks": clicks, "impressions": shown}
            for day, (clicks, shown) in sums.items()
            if shown
        ]
        metadata = (
            {"first_incomplete_date": self.first_incomplete.isoformat()} if self.first_incomplete else None
        )
        return answer(200, {"rows": rows, **({"metadata": metadata} if metadata else {})})


@dataclass
class TinyStore:
    """A Store of dictionaries that can be told to fail."""

    cells: dict[Cell, FetchedCell] = field(default_factory=dict)
    by: dict[Cell, RunKey] = field(default_factory=dict)
    """The run that wrote or skipped a cell last."""
    holder: dict[RunKey, int] = field(default_factory=dict)
    complete: dict[RunKey, RunSummary] = field(default_factory=dict)
    summaries: list[tuple[RunSummary, bool]] = field(default_factory=list)
    on_write: Callable[[FetchedCell], None] = lambda _fetched: None
    on_migrate: Callable[[], None] = lambda: None
    on_settle: Callable[[Callable[[], bool]], Sequence[str]] = lambda _enough: ()
    problems: tuple[str, ...] = ()
    now: Callable[[], datetime] = lambda: SLOT
    fetched_at: dict[Cell, datetime] = field(default_factory=dict)
    opened: int = 0
    inventory: MemoryInventory = field(
        default_factory=lambda: MemoryInventory(threading.Lock(), lambda _run, _launch: None, lambda: SLOT)
    )
    inspections: MemoryInspections = field(
        default_factory=lambda: MemoryInspections(threading.Lock(), lambda _run, _launch: None, lambda: SLOT)
    )
    budgets: MemoryQuotaTable | None = None

    def __enter__(self) -> Self:
        self.opened += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.opened -= 1

    def shared_by(self, processes: int) -> bool:
        return processes == 1

    def migrate(self) -> None:
        self.on_migrate()

    def settle(self, enough: Callable[[], bool]) -> Sequence[str]:
        return self.on_settle(enough)

    def check(self) -> tuple[str, ...]:
        return self.problems

    def quotas(self) -> MemoryQuotaTable:
        def now() -> datetime:
            return self.now()

        self.budgets = self.budgets or MemoryQuotaTable(now)
        return self.budgets

    def claim_run(self, run: RunKey, launch: int) -> Claimed | AlreadyComplete:
        if run in self.complete:
            return AlreadyComplete(self.complete[run])
        previous = self.holder.get(run, 0)
        self.holder[run] = max(previous, launch)
        return Claimed(previous)

    def write_cell(self, fetched: FetchedCell, run: RunKey, launch: int) -> CellResult:
        self.on_write(fetched)
        old = self.cells.get(fetched.cell)
        if old is not None and old.rows and not fetched.rows:
            return CellResult(unchanged=len(old.rows), kept_because_empty=True)
        self.cells[fetched.cell] = fetched
        self.fetched_at[fetched.cell] = self.now()
        self.by[fetched.cell] = run
        return CellResult(inserted=len(fetched.rows))

    def skip_cells(self, cells: Collection[Cell], run: RunKey, launch: int) -> None:
        self.by.update(dict.fromkeys(cells, run))

    def finish_run(self, run: RunKey, launch: int, summary: RunSummary, *, complete: bool) -> None:
        self.summaries.append((summary, complete))
        if complete:
            self.complete[run] = summary

    def ledger(self, property_: str, first: date, last: date) -> list[LedgerEntry]:
        return [
            LedgerEntry(
                cell,
                len(found.rows),
                b"",
                found.final,
                found.saturated,
                self.by[cell].run_id,
                0,
                found.totals,
                self.fetched_at[cell],
                self.by[cell].schedule_uid,
                found.parts,
                found.split_requests,
            )
            for cell, found in self.cells.items()
            if cell.property == property_ and first <= cell.day <= last
        ]

    def known_before(self, property_: str, day: date) -> set[tuple[Any, Any]]:
        return {
            (cell.search_type, cell.dimension_set)
            for cell in self.cells
            if cell.property == property_ and cell.day < day
        }

    def synced(self, properties: Sequence[str], first: date) -> dict[str, Synced]:
        found: dict[str, Synced] = {}
        for cell, at in self.fetched_at.items():
            if cell.property in properties and cell.day >= first:
                old = found.get(cell.property, Synced(at, 0))
                found[cell.property] = Synced(max(at, old.at), old.rows + len(self.cells[cell].rows))
        return found

    def rows(self, cell: Cell) -> list[Row]:
        return sorted(self.cells[cell].rows)


@dataclass
class Recorder:
    """Is told of requests, tokens, budgets and breakers."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    refreshes: list[bool] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    lessons: list[dict[str, Any]] = field(default_factory=list)
    rests: list[dict[str, Any]] = field(default_factory=list)
    circuits: list[dict[str, Any]] = field(default_factory=list)

    def api_request(self, **fields: Any) -> None:
        self.requests.append(fields)

    def token_refresh(self, *, workspace: str, duration_ms: int, ok: bool) -> None:
        self.refreshes.append(ok)

    def quota_waited(self, seconds: float) -> None:
        self.waits.append(seconds)

    def quota_learned(self, **fields: Any) -> None:
        self.lessons.append(fields)

    def quota_rests(self, **fields: Any) -> None:
        self.rests.append(fields)

    def circuit_changed(self, **fields: Any) -> None:
        self.circuits.append(fields)


def clock() -> ManualClock:
    return ManualClock(SLOT + timedelta(seconds=5))


def workspace(folder: Path, name: str = "acme", content: Any = AUTHORIZED_USER, **fields: Any) -> Workspace:
    path = folder / f"{name}.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    hint = f"Secret '{name}-google' key 'credentials.json'"
    return Workspace(name=name, credentials_path=str(path), credentials_hint=hint, **fields)


def spec(
    workspaces: Iterable[Workspace], *, days: int = 3, limits: Limits | None = None, **fields: Any
) -> RunSpec:
    known = {
        "schedule_uid": "uid-1",
        "namespace": "data",
        "name": "marketing",
        "run_id": "29690640",
        "slot": SLOT,
        "window": {"days": days},
        "workspaces": list(workspaces),
        "destination": Destination(path="/nowhere"),
        "limits": limits or Limits(requests_per_second_per_property=100, cells_per_property=1),
    }
    return RunSpec(**{**known, **fields})


def days_of(bodies: Iterable[dict[str, Any]]) -> Counter[str]:
    return Counter(body["startDate"] for body in bodies)
