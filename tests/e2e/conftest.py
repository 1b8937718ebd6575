"""The whole thing on a real kubelet: the demo's stage, taken through its own command, then used further.

`python -m demo up` is the first command of the README; these tests start with it, so what a new user types is what is
tested. They run in order, in one process: the last ones take the release and the cluster away.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import cluster
from demo.stage import Stage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def demo_output() -> Iterator[str]:
    """What `python -m demo up` printed. The cluster is taken down when the session ends."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "up"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=900,
        env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:] or done.stdout[-3000:]
    yield done.stdout
    subprocess.run([sys.executable, "-m", "demo", "down"], cwd=ROOT, check=True, timeout=300)


@pytest.fixture(scope="session")
def stage(demo_output: str) -> Stage:
    return cluster.made_here("gsc-demo", lambda _: None)


def eventually(what: str, check: Callable[[], Any], *, within: float = 120) -> Any:
    """The first true value of `check`; fails with what was waited for and what was seen last."""
    end, seen = time.monotonic() + within, None
    while time.monotonic() < end:
        seen = check()
        if seen:
            return seen
        time.sleep(0.5)
    pytest.fail(f"not within {within:.0f} s: {what}; last seen: {seen!r}")
