"""A Postgres of its own for faults that would disturb others: restarts, crashes, a full disk, passwords."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psycopg

from tests.integration.faults.world import eventually
from tests.postgres import free_port, programs_for_us

LOCKED = "locked"
"""A role that needs its password, everybody else is trusted."""

How = Literal["fast", "immediate", "kill"]
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}


class Server:
    """Started once, restarted at will; `uri` leads to its `postgres` database as a superuser."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs, self._account = programs_for_us(folder)
        self._data, self._port = folder / "data", free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.uri = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self._data.mkdir(mode=0o700)
        if self._account:
            folder.chmod(0o755)
            os.chown(self._data, self._account["user"], self._account["group"])
        self._run(
            "initdb", "-D", self._data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"
        )  # fmt: skip
        (self._data / "pg_hba.conf").write_text(
            f"host all {LOCKED} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n"
        )

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres", "-D", self._data, "-h", "127.0.0.1", "-p", str(self._port),
                    "-k", self._data, "-cfsync=off", "-cmax_connections=40",
                ],
                stdout=log, stderr=subprocess.STDOUT, cwd="/", **self._account,
            )  # fmt: skip
        eventually(self.accepts)

    def stop(self, how: How = "fast") -> None:
        assert self._process is not None
        self._process.send_signal(_SIGNALS[how])
        self._process.wait(30)
        if how == "kill":
            # Its children notice and end; the new one must not meet their shared memory.
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            eventually(lambda: not self._children())

    def restart(self, how: How) -> None:
        self.stop(how)
        self.start()

    def accepts(self) -> bool:
        try:
            psycopg.connect(self.uri, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def own(self, folder: Path) -> None:
        """Let the server write into a folder."""
        if self._account:
            os.chown(folder, self._account["user"], self._account["group"])

    def _children(self) -> list[str]:
        """Processes of this server that are still there: each has the data directory as its own."""
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                if (each / "cwd").resolve() == self._data:
                    found.append(each.name)
            except OSError:
                continue
        return found

    def _run(self, program: str, *arguments: Any) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **self._account,
        )


@contextmanager
def own_server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="gsc-pg-", dir="/tmp") as name:
        server = Server(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def small_disk(server: Server, megabytes: int) -> Iterator[Path]:
    """A tmpfs of its own that the server may write to. Needs root; raises OSError where mounting is forbidden."""
    with tempfile.TemporaryDirectory(prefix="gsc-disk-", dir="/tmp") as name:
        disk = Path(name)
        mount = shutil.which("mount") or "/bin/mount"
        done = subprocess.run(
            [mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "gsc-disk", disk],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OSError(done.stderr.strip() or "mount failed")
        try:
            server.own(disk)
            yield disk
        finally:
            subprocess.run([shutil.which("umount") or "/bin/umount", "-l", disk], check=False)
