"""Draws what a terminal showed as an SVG: `kubectl get gscsyncs | python scripts/picture.py "kubectl get gscsyncs" FILE`.

The picture in the README is made this way from the demo's cluster.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def draw(command: str, output: str) -> str:
    width = max(map(len, [*output.splitlines(), command])) + 4
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text(output.rstrip()))
    svg = console.export_svg(title="gsc-sync-operator")
    # No font from elsewhere: the reader's own monospace will do.
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(sys.argv[1], sys.stdin.read()), encoding="utf-8")
