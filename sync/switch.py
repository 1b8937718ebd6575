"""Switch: a directory in which somebody may write that nothing more is to be begun here.

In a pod it is the ConfigMap `gsc-sync-switch` of the pod's namespace, mounted as a directory, so that a change reaches a
launch under way. It is looked at every second; the cells under way are finished. Any word but `run` says stop:
a spelling mistake must not be taken for a licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RUN = "run"
MODE = "mode"
LOOK_SECONDS = 1.0
_MAX_BYTES = 64


@dataclass(frozen=True, slots=True)
class Switch:
    """Off for ever when there is no directory."""

    folder: Path | None = None

    def closed(self) -> str:
        """The word that says stop, such as `hold`; '' while everything may go on."""
        if self.folder is None:
            return ""
        try:
            with (self.folder / MODE).open("rb") as file:
                word = file.read(_MAX_BYTES).decode(errors="replace").strip().lower()
        except OSError:
            return ""  # no ConfigMap, or no such key: nobody said anything
        return "" if word in ("", RUN) else word
