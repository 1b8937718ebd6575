"""`python -m tests.soak`: weeks of a house of schedules in minutes, with faults by chance; prints what was lived through."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time

from tests.soak.soak import Soak


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--schedules", type=int, default=50)
    parser.add_argument(
        "--days", type=float, default=14.0, help="of the house's clock (default 14: 100,000 runs)"
    )
    parser.add_argument("--seed", type=int, default=20261130)
    arguments = parser.parse_args()
    for logger in ("gsc.decision", "controller"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    soak, began = Soak(arguments.schedules, arguments.days, arguments.seed), time.monotonic()
    asyncio.run(soak.run())
    found = soak.judge()
    runs = len({key[:2] for key in soak.made})
    say(
        f"{arguments.days:g} days, {arguments.schedules} schedules, seed {arguments.seed}: {runs:,} runs, {len(soak.made):,} launches,"
        f" {sum(soak.cluster.struck.values()):,} calls failed, {soak.restarts} deaths, {soak.vanished} Jobs vanished;"
        f" {time.monotonic() - began:.0f} s, memory day by day {soak.memory_mb} MB, at most {soak.peak_objects} objects"
    )
    for what, number in sorted(soak.cluster.struck.items()):
        say(f"  {number:6} {what}")
    for sentence in found[:20]:
        say(f"VIOLATED {sentence}")
    say("held" if not found else f"{len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
