"""Turn: one turn of the operator, by the real code, held still at every request.

`decide`, the Launcher, the StatusWriter, the Table and the intake are the real ones; only the loop around them (which
schedule, when) is retold here in a few lines, and compared with the real Scheduler by a test of its own. The cluster of
this room yields each request to whoever drives the turn, who answers it, answers it wrongly, or never does.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from controller.act.launcher import Done, Launcher, Work
from controller.act.status_writer import StatusWriter
from controller.cluster.port import AlreadyExists, ClusterError, Unavailable
from controller.model.job import JobRecord
from controller.model.status import Status
from controller.settings import Settings
from controller.table import Table
from tests.model import server
from tests.model.bodies import job_record, launch_facts, pod_facts
from tests.model.book import Book
from tests.model.line import Line, Loop, Mute, StillClock, resync
from tests.model.records import UID, Behind, Frozen, Held, Job, World, at, seconds
from tests.model.server import Request, Wrong
from tests.model.switch import HERE, neighbour, policy


class Step(NamedTuple):
    """A write of a turn: the world before and after it."""

    request: Request
    before: World
    after: World
    frozen: Frozen
    """The turn as it stood before the write."""


class Trace(NamedTuple):
    """A whole turn."""

    steps: tuple[Step, ...]
    world: World
    done: Done | None
    """None when it ended with an error and is set back."""
    wake_at: int | None


class End(NamedTuple):
    """How a turn ended, and what its table knew then."""

    done: Done | None
    wake_at: int | None
    version: str
    jobs: tuple[JobRecord, ...]
    owed: int | None = None


_SETTINGS = Settings(environment=HERE)
MOST_KNOWN = 20_000
"""Requests remembered at once."""


class Operator:
    """What of an operator outlives its turns here: nothing. It is made anew from a world for every turn."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._line: Any = Line(book)
        self.known: dict[Any, Request | End] = {}

    def turn(
        self, world: World, *, wrong: tuple[int, Wrong, bool] | None = None, patient: bool = False
    ) -> Trace:
        """The turn of the operator in service. `wrong`: the n-th write gets that answer, and is done or not.

        `patient`: a status that may be owed is.
        """
        held, jobs = view(world)
        start = Frozen(held, jobs, (), world.now, world.switch, world.compared, world.owed)
        return self._drive(world, start, wrong=wrong, patient=patient)

    def go_on(self, world: World) -> Trace:
        """The frozen turn does the write it stands before, and all after it."""
        assert world.frozen is not None
        trace = self._drive(world, world.frozen, late=True)
        return trace._replace(world=trace.world._replace(frozen=None))

    def owing(self, work: Work) -> int:
        return self._book.owing(work)

    def resync(self, held: Held, jobs: tuple[Job, ...], world: World) -> Behind:
        """What is left behind after the real comparison with the server."""
        table = self._table(held, jobs)
        _run(resync(self._line, table), self._book, world)
        entry = table.entry(UID)
        assert entry is not None
        end = End(None, None, entry.schedule.resource_version, table.jobs_of(UID))
        return _left(end, held, jobs, world)

    def _drive(
        self,
        world: World,
        start: Frozen,
        *,
        wrong: tuple[int, Wrong, bool] | None = None,
        late: bool = False,
        patient: bool = False,
    ) -> Trace:
        replay = _Replay(self, start, patient)
        answers, steps = list(start.answers), list[Step]()
        writes = 0
        while True:
            came = replay.after(tuple(answers))
            if isinstance(came, End):
                return self._trace(came, start, world, steps)
            before = world
            said, after = server.answer(self._book, world, came, late=late)
            if came.call in server.WRITES:
                if wrong is not None and wrong[0] == writes:
                    said, after = wrong[1], after if wrong[2] else before
                steps.append(Step(came, before, after, start._replace(answers=tuple(answers))))
                writes += 1
            world = after
            answers.append((world.now, said))

    def begin(self, start: Frozen, patient: bool) -> tuple[Table, StillClock, Loop]:
        """The real things, as they were when the turn began."""
        clock, mute, table = StillClock(), Mute(), self._table(start.held, start.jobs)
        clock.moment = at(start.began)
        allowed = policy(start.switch)
        launcher = Launcher(
            self._line,
            table,
            StatusWriter(self._line, table),
            mute,
            mute,
            _SETTINGS,
            clock,
            lambda: allowed,
        )
        return table, clock, Loop(
            self._line, table, launcher, clock, allowed, HERE,
            compared=start.compared,
            owed=None if start.owed is None else self._book.owings[start.owed],
            patient=patient,
        )  # fmt: skip

    def _table(self, held: Held, jobs: tuple[Job, ...]) -> Table:
        table = Table()
        table.put_schedule(self._book.schedule(held), self._book.statuses[held.status])
        table.put_schedule(neighbour(), Status())
        for job in jobs:
            if job.ours:
                table.put_job(job_record(job))
                for pod in pod_facts(job):
                    table.put_pod(*pod)
        return table

    def _trace(self, end: End, start: Frozen, world: World, steps: list[Step]) -> Trace:
        if not start.answers:  # else it is a frozen one's, and nobody knows what it knows
            world = world._replace(owed=end.owed)
            if world.behind != Behind():
                world = world._replace(behind=_left(end, start.held, start.jobs, world))
        return Trace(tuple(steps), world, end.done, end.wake_at)


class _Replay:
    """A turn as a function of what it began from and of the answers it got; nothing is asked of the real code twice."""

    def __init__(self, operator: Operator, start: Frozen, patient: bool) -> None:
        self._operator, self._start, self._patient = operator, start, patient
        self._given = -1
        self._live: tuple[Table, StillClock, Loop] | None = None
        self._coroutine: Coroutine[Any, Any, Done] | None = None

    def after(self, answers: tuple[tuple[int, Any], ...]) -> Request | End:
        """What the turn asks next, or how it ends."""
        start = self._start
        key = (
            start.held,
            start.jobs,
            start.began,
            start.switch,
            start.compared,
            start.owed,
            self._patient,
            answers,
        )
        known = self._operator.known.get(key)
        if known is None:
            if len(self._operator.known) > MOST_KNOWN:
                self._operator.known.clear()
            known = self._operator.known[key] = self._play(answers)
        return known

    def _play(self, answers: tuple[tuple[int, Any], ...]) -> Request | End:
        if self._coroutine is None:
            self._live = self._operator.begin(self._start, self._patient)
            self._coroutine = self._live[2].run()
        assert self._live is not None
        table, clock, turn = self._live
        done: Done | None = None
        request = None
        try:
            while self._given < len(answers):
                said = None
                if self._given >= 0:
                    moment, said = answers[self._given]
                    clock.moment = at(moment)
                self._given += 1
                if isinstance(said, Wrong):
                    request = self._coroutine.throw(said.error("model"))
                else:
                    request = self._coroutine.send(said)
        except StopIteration as end:
            done = end.value
        except ClusterError:
            pass
        else:
            assert isinstance(request, Request)
            return request
        entry = table.entry(UID)
        assert entry is not None
        wake = None if turn.wake_at is None else seconds(turn.wake_at)
        owed = None if turn.owes is None else self._operator.owing(turn.owes)
        return End(done, wake, entry.schedule.resource_version, table.jobs_of(UID), owed)


def _left(end: End, held: Held, jobs: tuple[Job, ...], world: World) -> Behind:
    """What the table does not know of the world, as old records."""
    known = {job.uid: job for job in jobs}
    records = {record.uid: record for record in end.jobs}
    # What it read in this turn it knows as it is, but for the deletion that it asked for itself.
    read = (job for job in world.jobs if job.uid in records)
    known |= {job.uid: job for job in read if job.uid not in known or records[job.uid] == _whole(job)}
    seen = tuple(sorted((known[uid] for uid in records), key=server.order))
    mine = tuple(job for job in world.jobs if job.ours)
    return Behind(None if end.version == str(world.held.version) else held, None if seen == mine else seen)


def _run(coroutine: Coroutine[Any, Any, None], book: Book, world: World) -> None:
    said: Any = None
    try:
        while True:
            request = coroutine.send(said)
            said, _ = server.answer(book, world, request)
    except StopIteration:
        return


def _whole(job: Job) -> Any:
    """The record as the table gives it out."""
    return replace(job_record(job), pod=launch_facts(job))


def view(world: World) -> tuple[Held, tuple[Job, ...]]:
    """What the operator in service knows."""
    held, jobs = world.behind
    return (world.held if held is None else held), (world.jobs if jobs is None else jobs)


LOST_ANSWERS: Sequence[tuple[str, Wrong, bool]] = (
    ("no answer, not done", Wrong(Unavailable), False),
    ("no answer, but done", Wrong(Unavailable), True),
)
__all__ = ["LOST_ANSWERS", "AlreadyExists", "Operator", "Step", "Trace", "view"]
