"""Steps: everything that may happen next in a state, each with a label that reads as one line of a story.

The operator in service is eager: as long as its turn would write something, only that turn happens, whole or broken at
one of its writes. What breaks it, withholds news from it or acts behind its back costs a fault; what a user does costs an
edit; clock, pods and recovery are free. So a bounded number of faults is spread in all ways over a long story, instead
of a short story being drowned in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from controller.act.launcher import Done
from controller.cluster.port import Refused
from tests.model import launches, people
from tests.model.book import Book, Essence, essence
from tests.model.changes import forget, mine, remove, short
from tests.model.records import Behind, Held, Job, Past, Wish, World
from tests.model.server import Wrong
from tests.model.story import Story
from tests.model.turn import LOST_ANSWERS, Operator, Trace, view
from tests.model.witness import told

FORGET = 10
"""Resource versions are counted from here again whenever nobody remembers an older one."""
GRID = 300
"""Without an operator to ask, the clock ticks to the next multiple of five minutes."""


class Next(NamedTuple):
    label: str
    world: World


@dataclass
class Stage:
    """A story with the code that plays in it."""

    story: Story
    book: Book = field(init=False)
    operator: Operator = field(init=False)

    def __post_init__(self) -> None:
        self.book = Book(self.story.specs)
        self.operator = Operator(self.book)
        self._essences: dict[int, Essence] = {}

    def essence(self, status: int) -> Essence:
        found = self._essences.get(status)
        if found is None:
            found = self._essences[status] = essence(self.book.statuses[status])
        return found

    def opening(self) -> World:
        most = self.attempts(0)
        return World(
            Held(Wish(), FORGET, 0), (), 0, past=Past(most_attempts=most, fewest_attempts=most),
            faults=self.story.faults, edits=self.story.edits,
        )  # fmt: skip

    def attempts(self, spec: int) -> int:
        made = {**self.story.specs[0], **self.story.specs[spec]}
        return int(made.get("retry", {}).get("maxAttempts", 3))

    def nexts(self, world: World) -> Iterator[Next]:
        """All that may happen next."""
        for label, after in self._all(world):
            yield Next(label, plain(after))

    def _all(self, world: World) -> Iterator[tuple[str, World]]:
        if world.frozen is not None:
            yield from self._thaw(world)
        wake: int | None = None
        if world.mode == "up":
            trace = self.operator.turn(world)
            wake = trace.wake_at
            if not quiet(world, trace):
                patient = self._patient(world, trace)
                yield "the operator acts", trace.world
                if world.faults:
                    yield from self._broken(world, trace)
                if patient is None or patient.world != world:
                    if patient is not None:
                        yield "the operator acts, and owes the status", patient.world
                    return
                # It owes what it owed: until its patience ends, anything may happen.
                wake = patient.wake_at
        elif world.mode == "down":
            yield "the operator starts", world._replace(mode="up", behind=Behind(), compared=True)
            if world.standby is not None:
                yield "the replica that stood by takes over", _taken_over(world, world.standby)
        else:
            yield "the operator looks again", world._replace(mode="up")
        yield from self._clock(world, wake)
        yield from launches.goings(self, world)
        if world.edits:
            yield from people.deeds(self, world._replace(edits=world.edits - 1))
        if self.story.neighbours:
            yield from people.neighbours(world)
        if world.faults:
            yield from self._trouble(world._replace(faults=world.faults - 1))
        if world.behind != Behind():
            yield from self._news(world)

    # -- the operator -------------------------------------------------------------------------------------------------

    def _broken(self, world: World, trace: Trace) -> Iterator[tuple[str, World]]:
        """The turn, broken at each of its writes in each way."""
        spent = world.faults - 1
        for number, step in enumerate(trace.steps):
            call = step.request.call
            down = {"mode": "down", "behind": Behind(), "faults": spent}
            yield f"the operator dies before {call}", step.before._replace(**down)
            if step.after != step.before:
                yield f"the operator dies after {call}", step.after._replace(**down)
            for label, wrong, done in LOST_ANSWERS:
                yield f"{call}: {label}", self._wrong(world, number, wrong, done=done)
            if call == "create_job":
                yield f"{call}: refused", self._wrong(world, number, Wrong(Refused), done=False)
            if self.story.freezes and world.frozen is None:
                yield (
                    f"the operator freezes before {call}, another takes over",
                    step.before._replace(frozen=step.frozen, behind=Behind(), owed=None, faults=spent),
                )
                if self.story.withholds and spent:
                    yield (
                        f"the operator freezes before {call}, another with an old view of the Jobs takes over",
                        step.before._replace(
                            frozen=step.frozen,
                            behind=Behind(jobs=mine(step.before)),
                            owed=None,
                            faults=spent - 1,
                        ),
                    )
        yield "the operator is slow", world._replace(mode="asleep", faults=spent)

    def _patient(self, world: World, trace: Trace) -> Trace | None:
        """The turn that may wait with its status; None when there is none, or it is the same."""
        if not self.story.crowded:
            return None
        patient = self.operator.turn(world, patient=True)
        return None if patient.world.owed is None or patient.world == trace.world else patient

    def _wrong(self, world: World, number: int, wrong: Wrong, *, done: bool) -> World:
        trace = self.operator.turn(world, wrong=(number, wrong, done))
        mode = "asleep" if trace.done is None else "up"
        return trace.world._replace(mode=mode, faults=world.faults - 1)

    def _thaw(self, world: World) -> Iterator[tuple[str, World]]:
        """The frozen operator does its next write, and stands still again or goes on to its end."""
        trace = self.operator.go_on(world)
        yield "the frozen operator goes on to its end", trace.world
        if len(trace.steps) > 1:
            second = trace.steps[1]
            yield "the frozen operator does one write", second.before._replace(frozen=second.frozen)
        if trace.steps and trace.steps[0].after != world:
            yield "the frozen operator does one write and dies", trace.steps[0].after._replace(frozen=None)

    # -- what happens around it ---------------------------------------------------------------------------------------

    def _clock(self, world: World, wake: int | None) -> Iterator[tuple[str, World]]:
        if world.now > self.story.minutes * 60:
            return
        grid = (world.now // GRID + 1) * GRID
        to = grid if wake is None else max(wake, world.now + 1)
        yield f"the clock ticks to {_clock(to)}", world._replace(now=to)
        if wake is not None and grid < wake and any(not job.end for job in world.jobs):
            yield f"the clock ticks to {_clock(grid)}", world._replace(now=grid)

    def _trouble(self, world: World) -> Iterator[tuple[str, World]]:
        """`world` has paid for it."""
        if world.mode == "up":
            yield "the operator dies", world._replace(mode="down", behind=Behind())
        if self.story.vanish:
            for job in world.jobs:
                if job.ours:
                    gone = remove(self.book, world, job, vanished=True)
                    yield f"{short(job)} is deleted by hand", gone
                    if self.story.withholds and world.mode != "down":
                        yield f"{short(job)} is deleted by hand, unseen", _unseen(world, gone, "jobs")
        if self.story.withholds and world.mode != "down" and world.behind == Behind():
            yield "the watch of schedules stands still", world._replace(behind=Behind(held=world.held))
            yield "the watch of Jobs stands still", world._replace(behind=Behind(jobs=mine(world)))
        if self.story.stands_by and world.standby is None and world.mode == "up":
            old = Behind(world.held, mine(world))
            yield "the replica that stands by sees nothing more", world._replace(standby=old)
        if self.story.wipes and world.held.status:
            held = world.held._replace(status=0, version=world.held.version + 1)
            past = world.past._replace(wiped=True)
            yield "the status is wiped", forget(world._replace(held=held, past=past))
        if self.story.squats:
            yield from self._squat(world)
        if self.story.steps_clock:
            status = self.book.statuses[world.held.status]
            if all(told(status, job) for job in world.jobs):  # else see docs/reliability.md
                back = world._replace(now=max(0, world.now - 1200), past=world.past._replace(stepped=True))
                yield "the clock steps back 20 minutes", back
            yield "the clock steps on 2 hours", world._replace(now=world.now + 7200)

    def _squat(self, world: World) -> Iterator[tuple[str, World]]:
        """Somebody else's Job under the name of the next launch, or of one that is gone."""
        status = self.book.statuses[world.held.status]
        run = status.current
        taken = {job.name for job in world.jobs}
        names = [(gone.run, gone.launch) for gone in world.past.gone]
        if run is not None:
            names.append((run.run_id, run.launch + 1))
        for run_id, launch in dict.fromkeys(names):
            job = Job(run_id, 0, "Cron", 1, launch, ours=False, created=world.now)
            if job.name not in taken:
                yield (
                    f"somebody takes the name of {short(job)}",
                    world._replace(jobs=(*world.jobs, job)),
                )

    def _news(self, world: World) -> Iterator[tuple[str, World]]:
        yield "the watch catches up", world._replace(behind=Behind())
        jobs = world.behind.jobs
        if jobs is not None:
            there = mine(world)
            ghosts = tuple(job for job in jobs if job.uid not in {it.uid for it in there})
            if ghosts and (*there, *ghosts) != jobs:
                yield (
                    "the watch lists anew and forgets what vanished",
                    world._replace(behind=world.behind._replace(jobs=(*there, *ghosts))),
                )


def quiet(world: World, trace: Trace) -> bool:
    """Whether the turn changed nothing and asks for no other turn."""
    return trace.done is not Done.AGAIN and trace.world == world


def plain(world: World) -> World:
    """The same state with small numbers: versions that nobody compares are forgotten."""
    if world.behind == Behind():
        world = world._replace(compared=True)  # what it knows is what a comparison would find
    if world.mode == "down":
        world = world._replace(owed=None)
    remembered = (
        world.owed is not None
        or world.frozen is not None
        or world.behind.held is not None
        or world.standby is not None
    )
    if not remembered and world.held.version != FORGET:
        return world._replace(held=world.held._replace(version=FORGET))
    return world


def _taken_over(world: World, old: Behind) -> World:
    behind = Behind(
        None if old.held == world.held else old.held, None if old.jobs == mine(world) else old.jobs
    )
    return world._replace(mode="up", behind=behind, compared=False, standby=None)


def _unseen(before: World, after: World, what: str) -> World:
    held, jobs = view(before)
    kept = Behind(after.behind.held, tuple(job for job in jobs if job.ours))
    return after._replace(behind=kept if what == "jobs" else Behind(held, after.behind.jobs))


def _clock(moment: int) -> str:
    return f"{3 + (moment + 3300) // 3600:02}:{(moment + 3300) // 60 % 60:02}:{moment % 60:02}"
