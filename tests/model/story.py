"""Story: what may happen in one exploration, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.model.records import Switch


@dataclass(frozen=True)
class Story:
    """What may happen, and how much of it."""

    name: str
    specs: tuple[dict[str, Any], ...] = ({},)
    ends: tuple[str, ...] = ("ok", "fail")
    """How launches end of their own accord."""
    faults: int = 1
    edits: int = 0
    starts: bool = False
    """Pods are seen to start, and may run for too long."""
    vanish: bool = False
    """Jobs are deleted by hand, or by their TTL."""
    suspends: bool = False
    tokens: int = 0
    repeats: bool = False
    """The annotation run-now is taken away, put back, and wrapped in JSON."""
    cancels: bool = False
    retries: bool = False
    """Runs that ended are opened again by hand."""
    switches: tuple[Switch, ...] = ()
    """What the switch may say, besides what it says at first: nothing."""
    neighbours: bool = False
    """Launches of another schedule come and go in the same queue."""
    overruns: bool = False
    """A launch of several pods meets its deadline while some of them run."""
    freezes: bool = False
    """An operator may stand still before any write and go on later, while another one serves."""
    withholds: bool = False
    """The watch may be late, or lose what happens."""
    crowded: bool = False
    """Others are launched in the same turn, so a status may be owed for a while."""
    stands_by: bool = False
    """A replica that stands by may see nothing more, and take over later."""
    wipes: bool = False
    squats: bool = False
    """Somebody makes a Job under a name that is ours."""
    steps_clock: bool = False
    share: int = 1
    """How many times as many states as the others it is given."""
    minutes: int = 25
    """How long its clock runs; everything that may happen until then is explored."""
