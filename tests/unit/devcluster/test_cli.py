"""The commands where there is no cluster: exit codes, and on stdout nothing but what was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def devcluster(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(state), "XDG_CACHE_HOME": str(state)}
    command = [sys.executable, "-m", "devcluster", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--help"], 0, ""),
        (["down"], 0, "there is no cluster default"),
        (["status"], 0, ""),
        (["status", "--name", "x"], 3, ""),
        (["kubeconfig", "--name", "x"], 1, "x is not up; start it with"),
        (["down", "--name", "../x"], 1, "is no name for a cluster"),
        (["load-image"], 2, "Missing argument"),
        (["load-image", "no-such-file"], 2, "does not exist"),
        (["fly"], 2, "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_codes_and_words(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    done = devcluster(tmp_path, *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    if code in {1, 2}:
        assert done.stdout == ""


def test_help_names_every_command(tmp_path: Path) -> None:
    text = devcluster(tmp_path, "--help").stdout
    for command in ("up", "down", "load-image", "kubeconfig", "status", "build", "tools", "preflight"):
        assert f"\n  {command} " in text


def test_looking_changes_nothing(tmp_path: Path) -> None:
    devcluster(tmp_path, "preflight", "--control-plane")
    devcluster(tmp_path, "status")
    devcluster(tmp_path, "down")
    assert list(tmp_path.iterdir()) == []
