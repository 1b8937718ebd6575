"""The big comparison: pinned time zone data instead of the machine's, and a sum of what was compared at the end."""

from __future__ import annotations

import os
import platform
import zoneinfo
from importlib.metadata import version

import pytest
import tzdata

SEED = int(os.environ.get("SLOTS_SEED", "20260329"))
FROM_THE_PACKAGE: list[str] = []

zoneinfo.reset_tzpath(to=FROM_THE_PACKAGE)
zoneinfo.ZoneInfo.clear_cache()


@pytest.fixture
def seed() -> int:
    return SEED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no process waits for it at the end."""
    items.sort(key=lambda item: "changed_code" not in item.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    sums: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, number in report.user_properties:
                    sums[name] = sums.get(name, 0) + number
    if sums:
        terminalreporter.section("slots compared")
        for name, number in sums.items():
            terminalreporter.write_line(f"{number:>14,}  {name}")
        terminalreporter.write_line(
            f"seed {SEED}, tzdata {tzdata.IANA_VERSION}, cronsim {version('cronsim')}, Python {platform.python_version()}"
        )
