"""Runs other programs: what they say is shown when they fail, or always when the person asked for it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class BuildError(Exception):
    """A build that cannot go on; the message says why and what to do."""


class Shell(Protocol):
    """Runs programs."""

    def run(self, *command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
        """Standard output of the command. Raises BuildError when it fails or is missing."""
        ...


@dataclass(frozen=True, slots=True)
class RealShell:
    verbose: bool = False

    def run(self, *command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
        if self.verbose:
            print("+", " ".join(command), flush=True)
        try:
            done = subprocess.run(
                command,
                cwd=cwd,
                env=None if environ is None else dict(environ),
                stdout=subprocess.PIPE,
                stderr=None if self.verbose else subprocess.STDOUT,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise BuildError(f"'{command[0]}' is not installed") from error
        if done.returncode:
            raise BuildError(f"`{shown(command)}` failed with code {done.returncode}:\n{done.stdout[-4000:]}")
        return done.stdout


def shown(command: Sequence[str]) -> str:
    """A command short enough to read."""
    text = " ".join(command)
    return text if len(text) <= 200 else f"{text[:200]} ..."
