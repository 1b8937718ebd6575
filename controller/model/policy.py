"""Policy: what this installation allows now, beyond what a schedule says.

Read from the ConfigMap `gsc-sync-switch` in the operator's own namespace, so that it can be changed while everything
runs: the kill switch, and the queues. A switch that cannot be read holds: nothing starts by a spelling mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.model.raw import mapping
from controller.model.text import clean

DEFAULT_QUEUE = "gsc-sync"
"""Of schedules that name none."""
MAX_LIMIT = 100_000
_MAX_DIGITS = 32
"""Of a limit, leading zeros too: `int` raises at what has thousands."""
_PREFIX = "queue."


class Mode(StrEnum):
    """The kill switch, from off to deepest."""

    RUN = "run"
    DRAIN = "drain"
    """No new run begins; those under way go on to their end, with their retries."""
    HOLD = "hold"
    """No launch begins."""
    STOP = "stop"
    """No launch begins, and running Jobs are deleted; their runs go on afterwards, without using an attempt."""


@dataclass(frozen=True, slots=True)
class Queue:
    """How many launches of a queue may run at a time in the whole cluster; None means any number."""

    limit: int | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    mode: Mode = Mode.RUN
    queues: Mapping[str, Queue] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What could not be read, with what is allowed."""

    def queue(self, name: str) -> Queue:
        return self.queues.get(name, Queue())


@dataclass(frozen=True, slots=True)
class Site:
    """The installation as `decide` sees it."""

    environment: str = ""
    mode: Mode = Mode.RUN
    ambient: bool = False
    """Workspaces may use the identity of their pod."""
    min_interval_seconds: int = 60
    """Schedules with slots closer than this are not served."""

    @property
    def held(self) -> str:
        """Why the kill switch lets no launch begin."""
        return f"the kill switch is set to '{self.mode}'" if self.mode in (Mode.HOLD, Mode.STOP) else ""


def parse_policy(body: Mapping[str, Any]) -> Policy:
    """From the ConfigMap: keys `mode`, `queue.<name>.limit` and `queue.<name>.paused`. Never raises."""
    mode, problems = Mode.RUN, []
    queues: dict[str, Queue] = {}
    for key, value in sorted(mapping(body.get("data")).items()):
        text = clean(str(value)).strip()
        if key == "mode":
            try:
                mode = Mode(text.lower())
            except ValueError:
                mode = Mode.HOLD
                problems.append(
                    f"`mode` is '{text[:32]}'; allowed are {', '.join(Mode)}. Until then nothing starts"
                )
        elif key.startswith(_PREFIX) and key.count(".") >= 2:
            name, setting = key.removeprefix(_PREFIX).rsplit(".", 1)
            rule = _rule(queues.get(name, Queue()), setting, text)
            if rule is None:
                problems.append(
                    f"`{key}` is '{text[:32]}'; allowed are limit: 0 to {MAX_LIMIT}, paused: true or false"
                )
            else:
                queues[name] = rule
        else:
            problems.append(
                f"`{key[:64]}` is not known; allowed are mode, queue.<name>.limit, queue.<name>.paused"
            )
    return Policy(mode, queues, tuple(problems))


def _rule(known: Queue, setting: str, text: str) -> Queue | None:
    if setting == "limit" and len(text) <= _MAX_DIGITS and text.isdecimal() and int(text) <= MAX_LIMIT:
        return Queue(int(text), known.paused)
    if setting == "paused" and text.lower() in ("true", "false"):
        return Queue(known.limit, text.lower() == "true")
    return None
