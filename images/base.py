"""The base image: one given by name, or one that can be pulled, or one made from Debian's packages.

Made ones are kept in buildah's storage below the per-user cache, named by their recipe, so they are made once (about
a minute) and shared by all checkouts.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from images.shell import BuildError

if TYPE_CHECKING:
    from images.tools import Buildah

PUBLIC = "python:3.13-slim-bookworm"
SUITE = "bookworm"
PACKAGES = ("python3", "python3-venv", "ca-certificates")
# Nothing reads these in a container; without them the base shrinks by half.
UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
)


def recipe() -> str:
    """The name under which a base made here is kept."""
    text = "|".join((SUITE, *PACKAGES, *UNUSED))
    return f"localhost/gsc-sync-base:{SUITE}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def find(buildah: Buildah, asked: str | None) -> str:
    """A base image that is in the storage afterwards.

    Raises BuildError when there is none to be had.
    """
    if asked:
        if not buildah.has(asked):
            buildah.pull(asked)
        return asked
    for known in (PUBLIC, recipe()):
        if buildah.has(known):
            return known
    try:
        buildah.pull(PUBLIC)
    except BuildError:
        print(
            f"base image: '{PUBLIC}' cannot be pulled here; making one with debootstrap, about a minute",
            flush=True,
        )
        make(buildah)
        return recipe()
    return PUBLIC


def make(buildah: Buildah) -> None:
    """Debian's smallest system with python3, as an image. Raises BuildError."""
    if os.geteuid() != 0:
        raise BuildError(
            "no tool to build images: without a base image only root can make one. "
            f"Name one that you can pull by --base-image (such as '{PUBLIC}' of a mirror), or run as root"
        )
    debootstrap = (
        shutil.which("debootstrap") or shutil.which("debootstrap", path="/usr/sbin") or "debootstrap"
    )
    with tempfile.TemporaryDirectory(prefix="gsc-sync-base-") as folder:
        rootfs = Path(folder) / "rootfs"
        buildah.shell.run(
            debootstrap, "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(rootfs)
        )
        for place in UNUSED:
            shutil.rmtree(rootfs / place, ignore_errors=True)
            (rootfs / place).mkdir(parents=True)
        # The image is named last: dying before leaves a folder in /tmp and nothing that a next run would take.
        buildah.from_folder(rootfs, recipe())
