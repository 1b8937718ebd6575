"""Processes of the sync without the second that Python takes to start: a parent that has everything loaded forks them.

Run as a program it reads one JSON object a line (`environment`, `logs`), forks a child that runs `python -m sync run`'s
own entry point, says its process id, waits for it and says how it ended. A child is a process like any other: signals
and kill -9 meet it alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Zygote:
    """The parent, seen from a test; one child at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._child: int | None = None

    def start(self, environment: Mapping[str, str], logs: Path) -> int:
        """The process id of a launch that has just begun. One that a failed test left behind is ended first."""
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            self.wait()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"environment": dict(environment), "logs": str(logs)}) + "\n")
        self._process.stdin.flush()
        self._child = self._answer()
        return self._child

    def wait(self) -> int:
        """The exit code of the launch; negative when a signal ended it."""
        code = self._answer()
        self._child = None
        return code

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


@contextmanager
def zygote() -> Iterator[Zygote]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.faults.zygote"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Zygote(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def _main() -> None:
    import sync.store.postgres  # noqa: F401, PLC0415 - loaded here so that no child has to
    from sync.command import cli  # noqa: PLC0415

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.update(order["environment"])
            logs = os.open(order["logs"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(logs, 1)
            os.dup2(logs, 2)
            code = 1
            try:
                cli(["run"], prog_name="python -m sync")
            except SystemExit as error:
                code = int(error.code or 0)
            finally:
                os._exit(code)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
