"""Virtual environments for peers: made once below the user's cache, with exactly the versions that are compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "gsc-sync-operator" / "peers"


def python_of(name: str) -> str:
    return str(home() / name / "bin" / "python")


def install(name: str, *packages: str) -> None:
    """Make the environment unless it holds these packages already."""
    folder = home() / name
    done = folder / "installed"
    wanted = "\n".join(packages)
    if done.exists() and done.read_text() == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip: list[str | Path] = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, *packages], check=True)
    done.write_text(wanted)
