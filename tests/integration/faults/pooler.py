"""PgBouncer in transaction mode, from Debian's package: what stands between many an application and its Postgres."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from devcluster.packages import ensure_packages, find
from tests.integration.faults.world import eventually
from tests.postgres import free_port

PACKAGE = "pgbouncer"


def install() -> None:
    """Raises DevclusterError where it is missing and cannot be installed."""
    ensure_packages([PACKAGE], lambda _: None)


@contextmanager
def pooler(server: str, *, size: int) -> Iterator[int]:
    """The port of a pooler before a server; each of its databases gets `size` server connections, for one transaction each."""
    port, host = free_port(), urlsplit(server)
    with tempfile.TemporaryDirectory(prefix="gsc-pool-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "users").write_text('"postgres" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"""
            [databases]
            * = host={host.hostname} port={host.port}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {folder / "users"}
            pool_mode = transaction
            default_pool_size = {size}
            ignore_startup_parameters = extra_float_digits
            """.replace("            ", "")
        )
        account: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        program = find(PACKAGE)
        assert program is not None
        process = subprocess.Popen([program, "-q", folder / "pgbouncer.ini"], cwd="/", **account)
        try:
            eventually(lambda: process.poll() is None and _answers(port))
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _answers(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
