"""What an image is made of, as one key: the same key means the same image, so nothing is built.

Also the places where builds keep things: the per-user cache (shared by checkouts) and `.build/` of this checkout.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
CONTENTS = {
    "runtime": ("contract", "controller", "sync", "requirements/prod.txt"),
    "demo": (
        "contract",
        "controller",
        "sync",
        "emulator",
        "demo",
        "requirements/prod.txt",
        "requirements/demo.txt",
    ),
}
RECIPE = ("Containerfile", ".containerignore", "images")


def cache(environ: dict[str, str]) -> Path:
    """The per-user cache of this project."""
    home = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".cache")
    return Path(home) / "gsc-sync-operator"


def files(places: Iterable[str], root: Path = ROOT) -> list[Path]:
    """Every file below `places` that reaches the build, in a stable order."""
    found: list[Path] = []
    for place in places:
        path = root / place
        if path.is_file():
            found.append(path)
        else:
            found += [
                file
                for file in path.rglob("*")
                if file.is_file() and "__pycache__" not in file.parts and "wheels" not in file.parts
            ]
    return sorted(found)


def digest(paths: Iterable[Path], root: Path = ROOT, *extra: str) -> str:
    """SHA-256 over names, modes and contents."""
    total = hashlib.sha256()
    for text in extra:
        total.update(f"{text}\0".encode())
    for path in paths:
        executable = os.access(path, os.X_OK)
        total.update(f"{path.relative_to(root)}\0{executable}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def key(target: str, *extra: str, root: Path = ROOT) -> str:
    """The key of an image; `extra` is everything that was asked for (base image, tool, name)."""
    return digest(files((*RECIPE, *CONTENTS[target]), root), root, target, *extra)
