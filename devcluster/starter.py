"""Starts programs one after the other, notes each, and waits for what they bring about."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from devcluster import processes
from devcluster.errors import DevclusterError
from devcluster.processes import Program
from devcluster.record import Record, Started


class ProgramEndedError(DevclusterError):
    """A program ended while it should run; the message has its last words."""

    def __init__(self, program: Program) -> None:
        self.last_words = tail(program.log)
        super().__init__(f"{program.name} ended right after its start; its last words:\n{self.last_words}")

    @property
    def port_was_taken(self) -> bool:
        return "address already in use" in self.last_words


class Starter:
    def __init__(self, folder: Path, record: Record) -> None:
        self.folder = folder
        self.record = record

    def start(self, program: Program) -> None:
        # Dying before the record is written leaves a process that `down` finds by its binary and its arguments.
        process = processes.spawn(program)
        self.record = self.record.with_started(Started(program, process))
        self.record.write(self.folder)

    def complete(self) -> None:
        self.record = replace(self.record, complete=True)
        self.record.write(self.folder)

    def wait(self, what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Until it holds. Raises when a program ends meanwhile, or when it takes too long."""
        end = time.monotonic() + seconds
        while not condition():
            for started in self.record.started:
                if not started.process.alive():
                    raise ProgramEndedError(started.program)
            if time.monotonic() > end:
                words = "\n".join(
                    f"--- {s.program.name}\n{tail(s.program.log, 6)}" for s in self.record.started
                )
                raise DevclusterError(
                    f"waited {seconds:.0f} s in vain: {what}; the programs' last words:\n{words}"
                )
            time.sleep(0.03)


def tail(log: Path, lines: int = 20) -> str:
    try:
        return "\n".join(line[:400] for line in log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(it wrote nothing)"
