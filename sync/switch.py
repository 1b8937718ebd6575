"""Switch: a directory in which somebody may write that what runs here is to end.

In a pod it is the ConfigMap `gsc-sync-switch` of the pod's namespace, mounted as a directory, so that a change reaches a
launch under way. It is looked at every second; the cells under way are finished. `drain` and `hold` are words for the
operator, which begins nothing then: what runs goes on. Any word that nobody knows says stop: a spelling mistake must not
be taken for a licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GO_ON = frozenset({"", "run", "drain", "hold"})
MODE = "mode"
LOOK_SECONDS = 1.0
_MAX_BYTES = 64


@dataclass(frozen=True, slots=True)
class Switch:
    """Off for ever when there is no directory."""

    folder: Path | None = None

    def closed(self) -> str:
        """The word that ends a launch, such as `stop`; '' while it may go on."""
        if self.folder is None:
            return ""
        try:
            with (self.folder / MODE).open("rb") as file:
                word = file.read(_MAX_BYTES).decode(errors="replace").strip().lower()
        except OSError:
            return ""  # no ConfigMap, or no such key: nobody said anything
        return "" if word in GO_ON else word
