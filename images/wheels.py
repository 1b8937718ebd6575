"""Wheels fetched outside the build and copied in: works behind proxies with a CA of their own, leaves nothing behind.

They are fetched for the Python of the base image, not for the one that runs this, with the hashes of the requirements.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from images.inputs import ROOT, digest

if TYPE_CHECKING:
    from images.shell import Shell

FOLDER = ROOT / "images" / "wheels"
REQUIREMENTS = (ROOT / "requirements" / "prod.txt", ROOT / "requirements" / "demo.txt")


def fetch(shell: Shell, python: str, machine: str) -> None:
    """Fill the folder for that Python ("3.11") and machine ("x86_64"); a no-op when it is filled for them already."""
    stamp = FOLDER / ".filled"
    wanted = digest(REQUIREMENTS, ROOT, python, machine)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"wheels: fetching them for Python {python}", flush=True)
    stamp.unlink(missing_ok=True)
    for wheel in FOLDER.glob("*.whl"):
        wheel.unlink()
    platforms = [
        part for minor in (17, 28, 34, 36) for part in ("--platform", f"manylinux_2_{minor}_{machine}")
    ]
    for requirements in REQUIREMENTS:
        shell.run(
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "--only-binary", ":all:", "--python-version", python, "--implementation", "cp",
            *platforms, "--platform", f"manylinux2014_{machine}",
            "--dest", str(FOLDER), "-r", str(requirements),
        )  # fmt: skip
    # The stamp comes last: dying before means fetching once more.
    stamp.write_text(wanted)
