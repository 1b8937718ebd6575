"""What is known of one cluster: a JSON file in its run folder, written after every start of a program.

Dying between a start and its record leaves a program that only `processes.strays` finds; `down` looks for both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devcluster.processes import Process, Program

FILE = "cluster.json"


@dataclass(frozen=True, slots=True)
class Started:
    program: Program
    process: Process


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    mode: str  # "cluster" or "control-plane"
    url: str
    owner: Process | None = None  # who will take it down: a test's process, or nobody
    complete: bool = False  # everything was up once
    started: tuple[Started, ...] = ()

    def with_started(self, started: Started) -> Record:
        kept = tuple(s for s in self.started if s.program.name != started.program.name)
        return replace(self, started=(*kept, started))

    def find(self, program: str) -> Started | None:
        return next((s for s in self.started if s.program.name == program), None)

    def dead(self) -> list[str]:
        return [s.program.name for s in self.started if not s.process.alive()]

    def write(self, folder: Path) -> None:
        # Dying before the rename leaves the previous record, which is still true of what it names.
        fresh = folder / f"{FILE}.new"
        fresh.write_text(json.dumps(self.as_json(), indent=1))
        fresh.rename(folder / FILE)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "mode": self.mode,
            "url": self.url,
            "owner": [self.owner.pid, self.owner.ticks] if self.owner else None,
            "complete": self.complete,
            "started": [
                {
                    "name": s.program.name,
                    "argv": list(s.program.argv),
                    "log": str(s.program.log),
                    "environment": dict(s.program.environment),
                    "pid": s.process.pid,
                    "ticks": s.process.ticks,
                }
                for s in self.started
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Record:
        return cls(
            name=data["name"],
            mode=data["mode"],
            url=data["url"],
            owner=Process(*data["owner"]) if data["owner"] else None,
            complete=data["complete"],
            started=tuple(
                Started(
                    Program(s["name"], tuple(s["argv"]), Path(s["log"]), s["environment"]),
                    Process(s["pid"], s["ticks"]),
                )
                for s in data["started"]
            ),
        )


def read(folder: Path) -> Record | None:
    try:
        return Record.from_json(json.loads((folder / FILE).read_text()))
    except FileNotFoundError:
        return None
