"""The authorities of an installation reach libpq by PGSSLROOTCERT, as `sync.caBundle` of the chart sets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.store.test_tls import Authority, authority, wire
from tests.integration.store.wire import Wire
from tests.postgres import Database

__all__ = ["authority", "wire"]

CONNECT = """
import sys
from contract import Destination
from sync.errors import DatabaseRefused
from sync.store.connect import Connections

try:
    Connections(Destination(path=sys.argv[1]), limit=1).connect().close()
    print("connected")
except DatabaseRefused:
    print("refused")
"""


@pytest.mark.parametrize(
    ("named", "in_secret", "sslmode", "result"),
    [
        pytest.param("ours", "", "verify-full", "connected", id="it is enough for verify-full"),
        pytest.param("theirs", "", "verify-full", "refused", id="and it is the only one"),
        pytest.param("ours", "", "", "connected", id="without a word of sslmode"),
        pytest.param("theirs", "", "", "refused", id="without a word of sslmode it is verified, too"),
        pytest.param("theirs", "ours", "", "connected", id="the Secret's own beats it"),
    ],
)
def test_databases_are_verified_with_the_authorities_of_the_installation(
    database: Database,
    wire: Wire,
    authority: Authority,
    tmp_path: Path,
    named: str,
    in_secret: str,
    sslmode: str,
    result: str,
) -> None:
    pem = {"ours": authority.pem, "theirs": Authority.new("theirs").pem}
    bundle = tmp_path / "ca.crt"
    bundle.write_text(pem[named])
    if in_secret:
        (database.secret / "ca.crt").write_text(pem[in_secret])
    if sslmode:
        (database.secret / "sslmode").write_text(sslmode)
    done = subprocess.run(
        [sys.executable, "-c", CONNECT, str(database.secret)],
        env={"PATH": "/usr/bin:/bin", "PGSSLROOTCERT": str(bundle)},
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == f"{result}\n", done.stderr[-1000:]
