"""Parameters: what one run by hand is to do instead of what the spec says, kept on its Job as an annotation.

The annotation by which a person asks may be another one by the time a Job is found that no status knows; a dry run that is
then launched again must still be one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from controller.model.bounds import MAX_CHOSEN

LONGEST = 8192
MAX_WINDOW_DAYS = 480


@dataclass(frozen=True, slots=True)
class Parameters:
    workspaces: tuple[str, ...] = ()
    """All of the spec when empty."""
    window_days: int = 0
    """As the spec says when 0."""
    dry_run: bool = False


def write_parameters(given: Parameters) -> str:
    return json.dumps(
        {"workspaces": given.workspaces, "windowDays": given.window_days, "dryRun": given.dry_run},
        separators=(",", ":"),
    )


def read_parameters(raw: str) -> Parameters | None:
    """None when it is not what `write_parameters` writes: anybody may annotate a Job."""
    if len(raw) > LONGEST:
        return None
    try:
        match json.loads(raw):
            case {"workspaces": [*names], "windowDays": int(days), "dryRun": bool(dry)} if (
                len(names) <= MAX_CHOSEN
                and all(isinstance(name, str) for name in names)
                and 0 <= days <= MAX_WINDOW_DAYS
                and not isinstance(days, bool)
            ):
                return Parameters(tuple(names), days, dry)
    except (ValueError, RecursionError):
        pass
    return None
