"""`python -m tests.fault`: run plan files, or sweep over all plans of a size.

python -m tests.fault run PLAN.json ...      # exit code 1 when one of them is violated
python -m tests.fault sweep --size ci        # or release; --family NAME ... picks some
python -m tests.fault list --size release    # the plans of a sweep need a reference run first; this counts them
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import logging
import signal
import sys
from pathlib import Path

from tests.fault.plan import Plan
from tests.fault.report import table
from tests.fault.sweep import FAMILIES, WHOLE, Part, repeat, say, sweep

FAILURES = Path(".build") / "fault"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__.splitlines()[0])
    parser.add_argument("--failures", type=Path, default=FAILURES, help="folder for plans that failed")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run", help="run plan files")
    one.add_argument("plans", nargs="+", type=Path)
    one.add_argument("--times", type=int, default=1)
    many = commands.add_parser("sweep", help="make all plans of a size and run them")
    many.add_argument("--size", choices=["ci", "release"], default="ci")
    many.add_argument("--family", nargs="*", choices=sorted(FAMILIES), default=sorted(FAMILIES))
    many.add_argument("--only", default="", help="only plans whose name contains this")
    many.add_argument(
        "--part",
        type=_part,
        default=WHOLE,
        help="K/N: every N-th plan of a family, from the K-th (K may be larger); K,K/N: several of these parts",
    )
    told = commands.add_parser("report", help="one table of the results of several sweeps")
    told.add_argument("results", nargs="+", type=Path)
    for command in (one, many):
        command.add_argument("--side-by-side", type=int, default=16)
    given = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)
    # A connection that is cut on purpose is no error to be told about; mistakes of the proxy make its plan fail.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    if given.command == "report":
        say(table(given.results))
        return 0
    if given.command == "run":
        plans = [Plan.read(file) for file in given.plans]
        return asyncio.run(repeat(plans, given.times, given.side_by_side, given.failures))
    return asyncio.run(
        sweep(given.size, tuple(given.family), given.only, given.side_by_side, given.failures, given.part)
    )


def _part(text: str) -> Part:
    try:
        return Part.read(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


if __name__ == "__main__":
    sys.exit(main())
