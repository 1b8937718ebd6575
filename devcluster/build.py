"""Builds the programs from their Go modules, once for each content of the sources and each version of Go.

A build happens in a folder beside its final one and is renamed when it is complete, so a half build is never used;
a lock lets a second command wait for the first instead of doing the same work beside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import recipe
from devcluster.errors import DevclusterError
from devcluster.lock import locked
from devcluster.places import SOURCES, Places
from devcluster.progress import Meter
from devcluster.recipe import Module
from devcluster.tools import ensure_go, go_version


@dataclass(frozen=True, slots=True)
class Binaries:
    """Folders of finished builds by module name."""

    folders: dict[str, Path]

    def file(self, module: Module, name: str) -> Path:
        return self.folders[module.name] / name


def sources(module: Module) -> dict[str, bytes]:
    return {
        file.name: file.read_bytes() for file in sorted((SOURCES / module.name).iterdir()) if file.is_file()
    }


def folder_of(module: Module, places: Places, go: str) -> Path:
    files = sources(module)
    flags = recipe.link_flags(module, files["go.mod"].decode())
    return places.binaries / f"{module.name}-{recipe.key(module, files, go, flags)}"


def needed_go() -> tuple[int, ...]:
    return max(recipe.go_line(sources(module)["go.mod"].decode()) for module in recipe.FOR_CLUSTER)


def missing(modules: Sequence[Module], places: Places, go: str | None) -> list[Module]:
    """Those that have not been built with this Go yet; all of them where there is none."""
    return [m for m in modules if go is None or not folder_of(m, places, go).is_dir()]


def ensure_binaries(modules: Sequence[Module], places: Places, say: Callable[[str], None]) -> Binaries:
    """Build what is missing; a few milliseconds when nothing is."""
    go = ensure_go(places, needed_go(), say)
    version = go_version(go)
    if missing(modules, places, version):
        lock = places.binaries / ".lock"
        with locked(lock, lambda: say("another command is building the same programs; waiting for it")):
            for module in missing(modules, places, version):
                _build(module, places, go, version, say)
    return Binaries({module.name: folder_of(module, places, version) for module in modules})


def _build(module: Module, places: Places, go: Path, version: str, say: Callable[[str], None]) -> None:
    source = SOURCES / module.name
    target = folder_of(module, places, version)
    # What an interrupted build left; nobody else is in here, for the lock is ours.
    for leftover in places.binaries.glob(".building-*"):
        shutil.rmtree(leftover)
    fresh = Path(tempfile.mkdtemp(prefix=".building-", dir=places.binaries))
    log = places.binaries / f"{module.name}.log"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    environment.setdefault("GOTOOLCHAIN", "local")
    flags = recipe.link_flags(module, (source / "go.mod").read_text())
    output = f"{fresh}/{module.targets[0][1]}" if len(module.targets) == 1 else f"{fresh}/"
    listing = [str(go), "list", "-deps", *module.packages]
    command = [str(go), "build", "-v", "-trimpath", f"-ldflags={flags}", "-o", output, *module.packages]

    with log.open("w") as record, Meter(f"building {module.name}", say) as meter:
        packages = _lines(listing, source, environment, lambda line: _note(line, meter, record.write))
        meter.total = len(packages)
        _lines(command, source, environment, lambda line: _note(line, meter, record.write))
    for _, name in module.targets:
        if not (fresh / name).is_file():
            raise DevclusterError(f"building {module.name} gave no {name}; see {log}")
    # Dying before the rename leaves a folder that the next build sweeps; after it, the build is complete.
    fresh.rename(target)


def _note(line: str, meter: Meter, record: Callable[[str], object]) -> None:
    record(f"{line}\n")
    if line.startswith("go: downloading"):
        meter.downloaded += 1
    elif not line.startswith(("go: ", "#")):
        meter.done += 1


def _lines(
    command: list[str], folder: Path, environment: dict[str, str], heard: Callable[[str], None]
) -> list[str]:
    """Run it; stderr goes to `heard` line by line, stdout comes back. Raises with its last words."""
    last: deque[str] = deque(maxlen=15)
    with (
        tempfile.TemporaryFile("w+") as stdout,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        for line in process.stderr:
            last.append(line.rstrip())
            heard(line.rstrip())
        code = process.wait()
        stdout.seek(0)
        answer = stdout.read().splitlines()
    if code != 0:
        raise DevclusterError(
            f"{' '.join(command[:3])} failed in {folder.name} (exit code {code}):\n" + "\n".join(last)
        )
    return answer
