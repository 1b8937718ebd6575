"""The figures as a picture: `python -m benchmarks.sync.chart RESULTS.json PICTURE.svg`.

Bars on a logarithmic scale, since the tools lie two orders of magnitude apart; every bar carries its number.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import click

from benchmarks.sync.report import best

PASSES = ("first load", "identical", "10 % changed", "restated day")
COLOURS = ("#1f6f8b", "#5fa3b8", "#e0a458", "#b5532f")
LEFT, BAR, GAP, WIDTH, TOP = 150, 16, 18, 620, 64
LOWEST = 100.0


def svg(found: dict[str, Any]) -> str:
    """A picture of the passes without latency."""
    shown = [one for one in best(found) if not one["latency_ms"] and one["pass"] in PASSES]
    tools = list(dict.fromkeys(one["tool"] for one in shown))
    most = 10 ** math.ceil(math.log10(max(one["rows_per_s"] for one in shown)))
    scale = WIDTH / math.log10(most / LOWEST)
    parts = [
        _text(10, 22, f"Rows a second, {found['days']} days of {found['rows_a_day']:,} rows", 16),
        _text(10, 40, f"{found['machine']['cpus']} cores shared with Postgres and the stand-in; {found['date'][:10]}; log scale", 11),
    ]  # fmt: skip
    y = TOP
    for tool in tools:
        mine = [one for one in shown if one["tool"] == tool]
        parts.append(_text(10, y + BAR * len(mine) / 2 + 5, tool, 13))
        for one in mine:
            width = max(2.0, math.log10(max(one["rows_per_s"], LOWEST) / LOWEST) * scale)
            colour = COLOURS[PASSES.index(one["pass"])]
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 2}" fill="{colour}"/>')
            wrong = sum(one["wrong"].values())
            note = f"{one['rows_per_s']:,}  {one['pass']}" + (f", {wrong:,} rows wrong" if wrong else "")
            parts.append(_text(LEFT + width + 6, y + 11, note, 11))
            y += BAR
        y += GAP
    size = f'width="{LEFT + WIDTH + 220}" height="{y}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _text(x: float, y: float, text: str, size: int) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}">{escape(text)}</text>'


@click.command(help=__doc__)
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
def main(results: Path, picture: Path) -> None:
    picture.write_text(svg(json.loads(results.read_text())))


if __name__ == "__main__":
    main()
