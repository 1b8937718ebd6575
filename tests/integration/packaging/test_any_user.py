"""Both programs under a user that no list of users knows, as a cluster that gives out ids has them run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.packaging.shared import CHART, ROOT, only, render

USER = 1_000_770_000
AS_NOBODY_KNOWN = ("unshare", "--user", f"--map-user={USER}", "--map-group=0")
OPENSHIFT = ("-f", str(CHART / "ci" / "openshift-values.yaml"))

WATCH = """
import asyncio, kopf
from controller.watch.feed import settings_of

registry = kopf.OperatorRegistry()

@kopf.on.login(registry=registry)
def login(**_):
    return kopf.ConnectionInfo(server="http://127.0.0.1:1")

async def main():
    ended = asyncio.Event()
    ended.set()
    await kopf.operator(registry=registry, settings=settings_of(), clusterwide=True, stop_flag=ended)

asyncio.run(main())
print("watched")
"""
"""What `controller.watch.feed` does, with nobody to watch and an end at once."""

CONNECT = """
import sys
from contract import Destination
from sync.errors import DatabaseUnavailable
from sync.store.connect import Connections

try:
    Connections(Destination(path=sys.argv[1]), limit=1).connect()
except DatabaseUnavailable:
    print("nobody listens")
"""


def ran(code: str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    if subprocess.run([*AS_NOBODY_KNOWN, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no user namespaces")
    return subprocess.run(
        [*AS_NOBODY_KNOWN, sys.executable, "-c", code, *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": "/", **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def variables(deployment: dict[str, Any]) -> dict[str, str]:
    """The container's, with a name where the kubelet would put the pod's."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", "pod-1") for item in container["env"]}


def test_the_watch_needs_no_name_of_its_user() -> None:
    done = ran(WATCH, variables(only(render(*OPENSHIFT), "Deployment")))
    assert done.stdout == "watched\n", done.stderr[-1000:]


def test_the_database_is_reached_for_without_a_name_of_the_user(tmp_path: Path) -> None:
    for key, value in {"host": "127.0.0.1", "port": "1", "dbname": "d", "user": "u", "password": "p"}.items():
        (tmp_path / key).write_text(value)
    done = ran(CONNECT, {}, str(tmp_path))
    assert done.stdout == "nobody listens\n", done.stderr[-1000:]
