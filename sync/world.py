"""What a process of the sync has around it: environment, clock, streams, and how store and helpers are made.

`command` works in one; tests give another, which is why nothing below reads the environment or writes to a stream by itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from sync.clock import Clock, SystemClock
from sync.compose import StoreFactory, postgres
from sync.processes.choice import CarrierFactory, carrier_of

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(slots=True)
class World:
    """What a process has around it; tests give another one."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock = field(default_factory=SystemClock)
    store: StoreFactory = postgres
    logs: TextIO = field(default_factory=lambda: sys.stderr)
    out: TextIO = field(default_factory=lambda: sys.stdout)
    carrier: CarrierFactory = carrier_of

    def terminal(self) -> Console | None:
        """The terminal where progress is shown, if a person looks at one."""
        return console_of(self.logs) if self.logs.isatty() else None


def console_of(stream: TextIO) -> Console:
    from rich.console import Console  # noqa: PLC0415 - only when a person looks: a pod starts without it

    return Console(file=stream)
