"""The programs that build images, behind one small port: Buildah (needs no daemon) and Docker or Podman.

Buildah keeps its storage below the per-user cache, so it neither touches nor needs that of the machine.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from devcluster.api import DevclusterError, ensure_packages
from images import base, wheels
from images.inputs import ROOT, cache
from images.shell import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    from images.shell import Shell


MANY = {"overlay": 60, "vfs": 12}
"""Nameless images kept for their layers; with vfs each holds a whole copy."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to build. `revision` goes into a label; `base_image` None means the best there is."""

    target: str
    name: str
    output: Path | None
    push: str | None = None
    base_image: str | None = None
    revision: str = "unknown"


class Tool(Protocol):
    def build(self, order: Order) -> None:
        """Build, and save or push what was asked for. Raises BuildError."""
        ...


@dataclass(frozen=True, slots=True)
class Buildah:
    shell: Shell
    storage: Path
    driver: str
    name: str = "buildah"

    def _run(self, *arguments: str) -> str:
        storage = ("--root", str(self.storage / "root"), "--runroot", str(self.storage / "run"))
        return self.shell.run("buildah", *storage, "--storage-driver", self.driver, *arguments)

    def has(self, image: str) -> bool:
        try:
            self._run("inspect", "--type", "image", "--format", "{{.FromImageID}}", image)
        except BuildError:
            return False
        return True

    def pull(self, image: str) -> None:
        self._run("pull", "--quiet", image)

    def from_folder(self, folder: Path, image: str) -> None:
        container = self._run("from", "scratch").strip()
        try:
            self._run("add", "--quiet", container, str(folder), "/")
            self._run("config", "--cmd", "python3", container)
            self._run("commit", "--quiet", container, image)
        finally:
            self._run("rm", container)

    def python_of(self, image: str) -> tuple[str, str]:
        """Version and machine of the image's Python, such as ("3.11", "x86_64")."""
        container = self._run("from", "--pull-never", image).strip()
        program = "import platform; print(*platform.python_version_tuple()[:2], platform.machine())"
        try:
            major, minor, machine = self._run(
                "run", "--isolation", "chroot", container, "python3", "-c", program
            ).split()[-3:]
        finally:
            self._run("rm", container)
        return f"{major}.{minor}", machine

    def build(self, order: Order) -> None:
        image = base.find(self, order.base_image)
        wheels.fetch(self.shell, *self.python_of(image))
        self._run(
            "bud", "--isolation", "chroot", "--layers", "--force-rm", "--pull-never", "--target", order.target,
            "--build-arg", f"BASE_IMAGE={image}", "--build-arg", "PIP_NO_INDEX=1",
            "--build-arg", "PIP_FIND_LINKS=/build/wheels", "--label", f"org.opencontainers.image.revision={order.revision}",
            "--ignorefile", str(ROOT / ".containerignore"), "-f", str(ROOT / "Containerfile"), "-t", order.name, str(ROOT),
        )  # fmt: skip
        if order.output:
            unfinished = order.output.with_suffix(".part")
            unfinished.unlink(missing_ok=True)
            self._run("push", "--quiet", order.name, f"oci-archive:{unfinished}:{order.name}")
            unfinished.replace(order.output)
        if order.push:
            self._run("push", "--quiet", order.name, f"docker://{order.push}")
        self._prune()

    def _prune(self) -> None:
        """Old builds and layers stay as nameless images; when there are many, start the next build from the base."""
        nameless = self._run("images", "--all", "--quiet", "--filter", "dangling=true").split()
        if len(nameless) > MANY[self.driver]:
            self._run("rmi", "--prune")


@dataclass(frozen=True, slots=True)
class Docker:
    """Docker and Podman take the same words; both fetch the base image and the packages themselves."""

    shell: Shell
    name: str = "docker"

    def build(self, order: Order) -> None:
        base_image = ("--build-arg", f"BASE_IMAGE={order.base_image}") if order.base_image else ()
        self.shell.run(
            self.name, "build", "--target", order.target, *base_image,
            "--label", f"org.opencontainers.image.revision={order.revision}",
            "-f", str(ROOT / "Containerfile"), "-t", order.name, str(ROOT),
        )  # fmt: skip
        if order.output:
            order.output.unlink(missing_ok=True)
            self.shell.run(self.name, "save", "-o", str(order.output), order.name)
        if order.push:
            self.shell.run(self.name, "tag", order.name, order.push)
            self.shell.run(self.name, "push", order.push)


def choose(shell: Shell, asked: str | None) -> Tool:
    """The tool asked for, or the first that works here; buildah is installed where that is possible.

    Raises BuildError when there is none.
    """
    if asked in {"docker", "podman"}:
        return Docker(shell, asked)
    if not asked and not shutil.which("buildah"):
        for name in ("docker", "podman"):
            try:
                shell.run(name, "info")
            except BuildError:
                continue
            return Docker(shell, name)
    _install()
    storage = cache(dict(os.environ)) / "images"
    storage.mkdir(parents=True, exist_ok=True)
    return Buildah(shell, storage, _driver(shell, storage))


def _install() -> None:
    """The same rule as for the cluster, so that neither brings what disturbs the other (crun)."""
    try:
        ensure_packages(("buildah", "debootstrap"), lambda line: print(line, flush=True))
    except DevclusterError as error:
        raise BuildError(f"no tool to build images: {error}. Docker or podman will do as well") from error


def _driver(shell: Shell, storage: Path) -> str:
    """Overlay shares layers; vfs copies them but works everywhere. The answer is kept: a storage has one driver."""
    answer = storage / "driver"
    if not answer.exists():
        probe = Buildah(shell, storage / "probe", "overlay")
        try:
            container = probe._run("from", "scratch").strip()  # noqa: SLF001 - a question to the same class
            probe._run("mount", container)  # noqa: SLF001 - as above
            probe._run("umount", container)  # noqa: SLF001 - as above
            probe._run("rm", container)  # noqa: SLF001 - as above
            answer.write_text("overlay")
        except BuildError:
            answer.write_text("vfs")
    return answer.read_text()
