"""Records: one state of the model, as nested tuples of small values, and the bodies that the real code reads of it.

A state is what the API server holds, what the operator in service knows of it, a turn of another operator that stands
still half-way, the time, and what a witness has written down (`Past`). Statuses are kept once, in a `Book`, and a state
holds their numbers: so states are cheap to compare and to remember, and what was parsed once is not parsed again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from controller.model import names

BORN = datetime(2026, 3, 10, 3, 55, tzinfo=UTC)
UID = "5f0c1a52-0000-4000-8000-000000000001"
NAMESPACE, NAME = "team", "marketing"
BASE: dict[str, Any] = {
    "schedule": "*/10 * * * *",
    "timeoutSeconds": 570,
    "workspaces": [{"name": "acme", "credentialsSecretRef": {"name": "acme-google"}}],
    "destination": {"secretRef": {"name": "warehouse"}},
}
ENDS = ("ok", "partial", "fail", "cancel", "snooze", "continue", "evict", "deadline", "unseen")
"""How a launch may end; `unseen` is a failure whose pod is gone before anybody looked."""


class Job(NamedTuple):
    """A Job with its pod. Times are seconds since the schedule was born, -1 for never."""

    run: str
    slot: int
    trigger: str
    attempt: int
    launch: int
    copy: int = 0
    """How many Jobs of this name there were before."""
    ours: bool = True
    created: int = 0
    started: int = -1
    end: str = ""
    ended: int = -1
    pod: str = ""
    """What its pod shows: '', 'runs' or one of ENDS."""
    deleting: bool = False
    shards: int = 1
    """How many pods share its work; what they show stands in `pod`, joined by '+'."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What each of its pods shows."""
        return tuple(self.pod.split("+")) if self.pod else ("",) * self.shards

    @property
    def name(self) -> str:
        return job_name(self.run, self.launch)

    @property
    def uid(self) -> str:
        return f"{self.run}.{self.launch}.{self.copy}{'' if self.ours else '.foreign'}"

    @property
    def version(self) -> int:
        return 1 + (self.end != "") + self.deleting


@lru_cache(maxsize=10_000)
def job_name(run: str, launch: int) -> str:
    return names.job_name(NAME, UID, run, launch)


class Wish(NamedTuple):
    """What the user wants: which of the story's specs, whether suspended, which run-now token (0: none)."""

    spec: int = 0
    suspend: bool = False
    token: int = 0
    generation: int = 1
    wrapped: bool = False
    """The token stands in JSON, with a reason."""
    cancel: str = ""
    """The annotations as they stand."""
    retry: str = ""


class Switch(NamedTuple):
    """What the installation allows now: the kill switch, and the queue of the schedule."""

    mode: str = "run"
    limit: int | None = None
    paused: bool = False


class Again(NamedTuple):
    """A finished run that was opened once more by hand, as it stood in the history."""

    run: str
    launches: int
    attempts: int
    wish: str


class Held(NamedTuple):
    """The schedule as the API server holds it, or as somebody read it once."""

    wish: Wish
    version: int
    status: int
    """Number in the Book."""


class Gone(NamedTuple):
    """What the witness remembers of a Job that is no more."""

    run: str
    launch: int
    attempt: int
    end: str
    told: bool
    """Whether a status knew of it by then."""
    vanished: bool
    """Taken away by somebody else than the operator."""
    uid: str


class Past(NamedTuple):
    """What the witness knows and the cluster may have forgotten."""

    gone: tuple[Gone, ...] = ()
    closed: tuple[str, ...] = ()
    """Runs that a written status called finished; none of them may be launched again."""
    wiped: bool = False
    stepped: bool = False
    """The clock went back."""
    edited: bool = False
    most_attempts: int = 0
    fewest_attempts: int = 0
    doomed: tuple[str, ...] = ()
    """UIDs of the Jobs that a written status meant to delete: they count by that reason, whatever they say."""
    late: tuple[str, ...] = ()
    """UIDs of Jobs that an operator made when another one had long gone on."""
    strays: tuple[str, ...] = ()
    """Those among them that the books rightly do not know."""
    asked: tuple[int, ...] = ()
    """Tokens that ever stood in the annotation run-now."""
    again: tuple[Again, ...] = ()
    cancelled: tuple[tuple[str, int], ...] = ()
    """(run, how often it was opened again) of those that a written status cancelled by a person's wish."""
    spent: tuple[str, ...] = ()
    """Wishes to cancel that stood already when their run was opened again: they were followed once."""
    stopped: tuple[str, ...] = ()
    """UIDs of the Jobs that a written status meant to delete by the kill switch."""


class Behind(NamedTuple):
    """What the watch has not shown yet: the schedule, the Jobs, or both as they were. None: up to date."""

    held: Held | None = None
    jobs: tuple[Job, ...] | None = None


class Frozen(NamedTuple):
    """A turn of an operator that stands still before a write: what it began from, and the answers it got so far."""

    held: Held
    jobs: tuple[Job, ...]
    answers: tuple[tuple[int, Any], ...]
    """(time, answer) of each request, in order; the turn began at the time of the first."""
    began: int
    switch: Switch = Switch()
    compared: bool = True
    owed: int | None = None


class World(NamedTuple):
    """One state."""

    held: Held
    jobs: tuple[Job, ...]
    now: int
    mode: str = "up"
    """Of the operator in service: up, asleep (set back, starved) or down."""
    behind: Behind = Behind()
    frozen: Frozen | None = None
    past: Past = Past()
    faults: int = 0
    edits: int = 0
    switch: Switch = Switch()
    standby: Behind | None = None
    """The whole of what a replica that stands by last saw, when it sees nothing more."""
    compared: bool = True
    """Whether what the operator in service knows was compared with the server in its term."""
    owed: int | None = None
    """What the operator in service decided and has not written: its number in the Book."""


def at(seconds: int) -> datetime:
    return BORN + timedelta(seconds=seconds)


def seconds(moment: datetime) -> int:
    """Whole seconds, rounded up: a clock that ticks to a moment must have reached it."""
    return -int(-(moment - BORN).total_seconds() // 1)


def stamp(moment: int) -> str:
    return at(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
