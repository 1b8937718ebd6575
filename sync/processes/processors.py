"""How many processors this process may use: those it is allowed to run on, and no more than its cgroup is given time of.

Python's own count is that of the whole node; a pod with `limits.cpu: 1` on it has one.
"""

from __future__ import annotations

import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""Of cgroup v2, seen from inside a container: microseconds in each period, or `max`, and the period."""


def processors(cpu_max: Path = CPU_MAX) -> int:
    """Whole processors, at least one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        given, period = cpu_max.read_text(encoding="ascii").split()
        quota = allowed if given == "max" else int(given) // int(period)
    except (OSError, ValueError, ZeroDivisionError):
        quota = allowed
    return max(1, min(allowed, quota))
