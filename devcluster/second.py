"""A second API server on the same etcd, as a highly available control plane has: for tests of one that lags behind.

It gets the command line of the first one, as it stands in the record, with a port, an audit log and a way to etcd of
its own. It is recorded like every program, so that `down` ends it with the rest.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from devcluster import controlplane
from devcluster.errors import DevclusterError
from devcluster.processes import Program
from devcluster.record import Record, Started, read
from devcluster.starter import Starter, tail

FIRST, SECOND = "kube-apiserver", "kube-apiserver-2"


def etcd_port(folder: Path) -> int:
    """Where the first API server finds etcd, on this machine."""
    return int(_flag(_first(folder)[1].program, "--etcd-servers").rpartition(":")[2])


def start(folder: Path, port: int, etcd: int, seconds: float = 60) -> tuple[str, Path]:
    """Start it at `port`, speaking to etcd at `etcd`; its URL and its audit log, when it is ready.

    Raises DevclusterError when it does not become ready in time.
    """
    record, first = _first(folder)
    address = _flag(first.program, "--bind-address")
    url, audit_log = f"https://{address}:{port}", folder / "logs" / "audit-2.jsonl"
    program = replace(
        first.program,
        name=SECOND,
        argv=_with(
            first.program.argv,
            {
                "--secure-port": str(port),
                "--audit-log-path": str(audit_log),
                "--etcd-servers": f"https://127.0.0.1:{etcd}",
                # Both have one address, and would take turns in naming their port.
                "--endpoint-reconciler-type": "none",
            },
        ),
        log=folder / "logs" / f"{SECOND}.log",
    )
    Starter(folder, record).start(program)
    server, end = controlplane.rest(folder, url), time.monotonic() + seconds
    while not server.ready():
        if time.monotonic() > end:
            raise DevclusterError(
                f"the second API server is not ready after {seconds:.0f} s:\n{tail(program.log)}"
            )
        time.sleep(0.03)
    return url, audit_log


def _first(folder: Path) -> tuple[Record, Started]:
    record = read(folder)
    started = record.find(FIRST) if record else None
    if record is None or started is None:
        raise DevclusterError(f"there is no {FIRST} in {folder}")
    return record, started


def _with(argv: tuple[str, ...], flags: dict[str, str]) -> tuple[str, ...]:
    """Set flags, instead of those that are there: of some, both would count."""
    kept = (word for word in argv if word.partition("=")[0] not in flags)
    return (*kept, *(f"{name}={value}" for name, value in flags.items()))


def _flag(program: Program, name: str) -> str:
    return next(word.partition("=")[2] for word in program.argv if word.startswith(f"{name}="))
