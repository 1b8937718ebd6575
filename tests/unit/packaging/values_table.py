"""The table of values in the chart's README, made from the comments of values.yaml.

`python -m tests.unit.packaging.values_table` writes it anew; test_values_table.py sees that it is up to date.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[3] / "helm" / "gsc-sync-operator"
README = CHART / "README.md"
BEGIN = "<!-- values: made by python -m tests.unit.packaging.values_table -->"
END = "<!-- end of values -->"
KEY = re.compile(r"^( *)([A-Za-z]+):")

Key = tuple[str, ...]


def comments(text: str) -> dict[Key, str]:
    """What stands above each key."""
    found: dict[Key, str] = {}
    stack: list[tuple[int, str]] = []
    above: list[str] = []
    for line in text.splitlines():
        if line.strip().startswith("#"):
            above.append(line.strip().lstrip("#").strip())
            continue
        if match := KEY.match(line):
            indent = len(match[1])
            stack = [*((depth, name) for depth, name in stack if depth < indent), (indent, match[2])]
            if above:
                found[tuple(name for _, name in stack)] = " ".join(above)
        above = []
    return found


def table(text: str) -> str:
    """A row for each value with a comment; a group has its words and no default."""
    values: dict[str, Any] = yaml.safe_load(text)
    said = comments(text)
    lines = ["| Value | Default | Meaning |", "| --- | --- | --- |"]
    for path, words in said.items():
        value: Any = values
        for name in path:
            value = value[name]
        is_group = any(len(other) > len(path) and other[: len(path)] == path for other in said)
        default = "" if is_group else f"`{json.dumps(value)}`"
        lines.append(f"| `{'.'.join(path)}` | {default} | {words.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def with_table(readme: str, made: str) -> str:
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(), table((CHART / "values.yaml").read_text())))
