"""How a launch of the sync ends, as its exit code says it.

The code alone decides what the controller does next; the RunSummary explains. 75 and 78 are the traditional
sysexits.h values EX_TEMPFAIL and EX_CONFIG, so that people and tools read them right.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `python -m sync run`."""

    SUCCESS = 0
    """Every workspace, or at least `limits.min_success_ratio` of them (and never 0 of N), was synced."""
    FAILURE = 1
    """Too few workspaces succeeded, or a fatal error (database down): an attempt is used, the run is retried."""
    USAGE = 2
    """The command line was wrong. Only people see it; the controller treats it as FAILURE."""
    SNOOZED = 75
    """Not now: launch again after `snooze_seconds` of the summary; the attempt is given back.

    `snooze_seconds` 0 means Continues: the soft deadline came with cells committed and work left."""
    CANCELLED = 78
    """The configuration is wrong (RunSpec unreadable, destination refused for good): retrying cannot help."""
