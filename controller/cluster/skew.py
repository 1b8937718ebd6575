"""Skew: how far our wall clock is from the API server's, and what follows from it.

Slots are instants of the wall clock, so a wrong clock would fire them at the wrong time and could move a watermark
past slots that are still to come. Beyond the allowed skew nothing is decided; the reason is shown in conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.cluster.port import ClusterError

if TYPE_CHECKING:
    from controller.clock import Clock
    from controller.cluster.port import Cluster

RESOLUTION = 1.0
"""Of the Date header, in seconds."""
STEP_SECONDS = 5.0
"""A wall clock that moved this much against the monotonic one was set, and is checked before anything is decided."""


@dataclass(slots=True)
class Skew:
    cluster: Cluster
    clock: Clock
    allowed_seconds: float = 60.0
    seconds: float = 0.0
    """Ours minus the server's, as last measured; 0 within the resolution."""
    bad_since: float | None = None
    """Monotonic; None while the clock is good."""
    unsure: bool = False
    """Our clock moved, and the server has not been asked since."""

    async def stepped(self) -> bool:
        """Our clock moved: it counts as wrong until the server has told its time."""
        self.unsure = True
        return await self.check()

    async def check(self) -> bool:
        """Measure. False when the server did not answer: the last measurement then stands.

        False, too, when our clock was set while the server was asked. What was measured is then true of a time that is gone,
        and would free what `stepped` holds: two of these may be under way at once.
        """
        started, asked = self.clock.now(), self.clock.monotonic()
        try:
            theirs = await self.cluster.server_time()
        except ClusterError:
            return False
        took = self.clock.monotonic() - asked
        if abs((self.clock.now() - started).total_seconds() - took) > STEP_SECONDS:
            self.unsure = True
            return False
        # The server stamped between asking and answering, and cut the fraction off: half of each is the best guess.
        ours = started.timestamp() + took / 2
        skew = ours - (theirs.timestamp() + RESOLUTION / 2)
        self.unsure = False
        self.seconds = skew if abs(skew) > RESOLUTION / 2 + took / 2 else 0.0
        if abs(self.seconds) <= self.allowed_seconds:
            self.bad_since = None
        elif self.bad_since is None:
            self.bad_since = self.clock.monotonic()
        return True

    @property
    def held(self) -> str:
        """Why nothing may be decided; '' when the clock is good. Stable: it stands in every status."""
        if self.unsure:
            return "the operator's clock stepped, and the API server could not be asked for its time since"
        if self.bad_since is None:
            return ""
        return (
            f"the operator's clock is more than {self.allowed_seconds:.0f} s "
            f"{'ahead of' if self.seconds > 0 else 'behind'} the API server's: set the time of its node right"
        )

    def bad_for(self) -> float:
        return 0.0 if self.bad_since is None else self.clock.monotonic() - self.bad_since
