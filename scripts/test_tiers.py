"""Runs the test tiers, each with the set-up it needs, and judges coverage over what ran.

unit         pure and in-memory; under a minute
model        every order of crashes, stale views and edits to a depth, and mutants; not measured
integration  a real API server and controller manager (simulated pods), a real Postgres, the Search Console stand-in
e2e          a real kubelet and containerd, the built image, the chart

A tier that this machine cannot run says why and counts as skipped; with CI=true that is a failure. The programs
under test are also measured where they run as child processes (not inside containers).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOTAL_FLOOR = 85
PURE_FLOOR = 95
PURE = ("controller/model/*", "controller/decide/*", "sync/plan/*", "contract/*")


@dataclass(frozen=True)
class Result:
    """What became of one tier; `code` is pytest's, None when it could not run."""

    tier: str
    seconds: float
    code: int | None
    why: str = ""


def run(*command: str, **environment: str) -> int:
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode


def why_not(tier: str) -> str:
    """One sentence when the tier cannot run here, else ''."""
    if tier in {"unit", "model"}:
        return ""
    if sys.platform != "linux":
        return "the cluster of this tier needs Linux"
    if tier == "e2e" and os.geteuid() != 0:
        return "a real kubelet needs root"
    return ""


def prepare(tier: str) -> str:
    """Build what the tier needs; one sentence when that fails, else ''."""
    python = sys.executable
    if tier in {"integration", "e2e"} and run(python, "-m", "devcluster", "build"):
        return "the cluster's binaries could not be built (see above)"
    if tier == "e2e":
        for target in ("runtime", "demo"):
            if run(python, "-m", "images", "build", "--target", target):
                return f"the {target} image could not be built (see above)"
    return ""


def run_tier(tier: str, workers: int, extra: list[str], *, measure: bool) -> Result:
    start = time.monotonic()
    why = why_not(tier) or prepare(tier)
    if why:
        return Result(tier, time.monotonic() - start, None, why)
    parallel = []
    if tier != "e2e" and workers > 1:
        # Some unit tests wait rather than work: one process more keeps the cores busy.
        parallel = ["-n", str(workers + (tier == "unit")), "--dist", "loadscope"]
    # Measuring would make the model check three times slower, and it is no test of lines.
    measured = ["--cov", "--cov-append", "--cov-report="] if measure and tier != "model" else []
    code = run(sys.executable, "-m", "pytest", f"tests/{tier}", "-q", *parallel, *measured, *extra)
    return Result(tier, time.monotonic() - start, code)


def coverage_is_enough() -> bool:
    run(sys.executable, "-m", "coverage", "combine", "--append", "--quiet")
    total = run(sys.executable, "-m", "coverage", "report", f"--fail-under={TOTAL_FLOOR}")
    print("\nthe pure packages alone:")
    pure = run(
        sys.executable,
        "-m",
        "coverage",
        "report",
        f"--include={','.join(PURE)}",
        f"--fail-under={PURE_FLOOR}",
    )
    return total == 0 and pure == 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tiers", nargs="+", choices=["unit", "model", "integration", "e2e"])
    parser.add_argument("--workers", type=int, default=2, help="pytest processes side by side (default 2)")
    parser.add_argument("pytest", nargs="*", help="after --: handed to pytest")
    arguments, extra = parser.parse_known_args()

    for leftover in ROOT.glob(".coverage*"):
        leftover.unlink()
    # Lines are counted only when all that touch them are run.
    measure = {"unit", "integration"} <= set(arguments.tiers)
    results = []
    for tier in arguments.tiers:
        print(f"\n=== {tier}", flush=True)
        results.append(run_tier(tier, arguments.workers, extra, measure=measure))

    in_ci = os.environ.get("CI") == "true"
    failed = [r for r in results if r.code not in {0, None} or (r.code is None and in_ci)]
    enough = True
    if measure and not failed:
        print("\n=== coverage", flush=True)
        enough = coverage_is_enough()

    print()
    for r in results:
        word = (
            f"SKIPPED: {r.why}"
            if r.code is None
            else ("passed" if r.code == 0 else f"FAILED (pytest exit {r.code})")
        )
        print(f"{r.tier:12} {r.seconds:6.0f} s  {word}")
    if not enough:
        print(f"coverage     below {TOTAL_FLOOR} % in all, or {PURE_FLOOR} % in the pure packages")
    return 1 if failed or not enough else 0


if __name__ == "__main__":
    sys.exit(main())
