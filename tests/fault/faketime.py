"""Faketime: Debian's libfaketime, which gives one process another wall clock; the monotonic one is left alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

PACKAGE = "libfaketime"


def library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


async def ensure() -> None:
    """Install it where it is missing; raises when that cannot be."""
    if library() is None:
        installing = await asyncio.create_subprocess_exec("apt-get", "install", "-y", "-q", PACKAGE)
        await installing.wait()
    if library() is None:
        raise RuntimeError(f"the clock plans need {PACKAGE}: apt-get install {PACKAGE}")


def set_clock(file: Path, seconds: float) -> None:
    """So far from the true time; replaced in one step, since it is read at any moment."""
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{seconds:+.0f}\n")
    fresh.rename(file)


def environment(file: Path) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
    }
