"""`python -m tests.model`: explore the stories on all cores and print what was visited, as a table."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.model.explore import Limits, Report, explore
from tests.model.stories import STORIES

if TYPE_CHECKING:
    from collections.abc import Iterator

STATES = 14_000
"""Of each story, times its share: ten minutes of one processor for all of them."""
LOGGERS = ("gsc.decision", "controller")


@contextmanager
def quietly() -> Iterator[None]:
    """Millions of decisions, none of which is read; other tests of this process read theirs."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def play(name: str, limits: Limits) -> Report:
    with quietly():
        return explore(next(story for story in STORIES if story.name == name), limits)


def table(reports: list[Report]) -> str:
    lines = [
        f"{'story':24} {'distinct':>9} {'states':>9} {'steps':>9} {'depth':>5} {'rested':>7} {'cpu s':>6}  whole"
    ]
    lines += [
        f"{it.story:24} {len(it.shapes):9,} {it.states:9,} {it.steps:9,} {it.depth:5} {it.rested:7,} {it.seconds:6.0f}"
        f"  {'yes' if it.whole else 'no'}"
        for it in reports
    ]
    union = set().union(*(it.shapes for it in reports))
    lines.append(
        f"{'all':24} {len(union):9,} {sum(it.states for it in reports):9,} {sum(it.steps for it in reports):9,} "
        f"{max(it.depth for it in reports):5} {sum(it.rested for it in reports):7,} {sum(it.seconds for it in reports):6.0f}"
    )
    return "\n".join(lines)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--story", action="append", help="only this story (may be given several times)")
    parser.add_argument(
        "--states", type=int, default=STATES, help=f"states of each story (default {STATES:,})"
    )
    parser.add_argument("--depth", type=int, default=100, help="steps from the beginning at most")
    parser.add_argument(
        "--rest-every", type=int, default=10, help="bring every n-th leaf to rest (default 10)"
    )
    parser.add_argument("--at-least", type=int, default=0, help="fail with fewer distinct states than this")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()

    chosen = [story.name for story in STORIES if not arguments.story or story.name in arguments.story]
    limits = Limits(states=arguments.states, depth=arguments.depth, rest_every=arguments.rest_every)
    with ProcessPoolExecutor(arguments.workers) as pool:
        reports = list(pool.map(play, chosen, [limits] * len(chosen)))
    say(table(reports))
    findings = [finding for report in reports for finding in report.findings]
    for finding in findings:
        say(f"\n{finding}")
    if arguments.json:
        rows = [asdict(report) | {"shapes": len(report.shapes)} for report in reports]
        arguments.json.write_text(json.dumps(rows, indent=1))
    distinct = len(set().union(*(report.shapes for report in reports)))
    if distinct < arguments.at_least:
        say(f"\nonly {distinct:,} distinct states, {arguments.at_least:,} are wanted")
    return 1 if findings or distinct < arguments.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
