"""The chart's README says of each value what values.yaml says."""

from __future__ import annotations

from typing import Any

import yaml

from tests.unit.packaging.values_table import BEGIN, CHART, END, README, comments, table, with_table

VALUES = (CHART / "values.yaml").read_text()


def names(tree: dict[str, Any], *path: str) -> set[tuple[str, ...]]:
    return {(*path, key) for key in tree}.union(
        *(names(value, *path, key) for key, value in tree.items() if isinstance(value, dict))
    )


def test_the_table_is_up_to_date() -> None:
    readme = README.read_text()
    assert readme.count(BEGIN) == readme.count(END) == 1
    again = "python -m tests.unit.packaging.values_table"
    assert readme == with_table(readme, table(VALUES)), f"write it anew: {again}"


def test_each_comment_belongs_to_a_value() -> None:
    said = comments(VALUES)
    assert set(said) <= names(yaml.safe_load(VALUES))
    assert len(said) > 90


def test_a_row_is_made_of_key_default_and_comment() -> None:
    text = "# Of a group.\na:\n  # First line,\n  # second | line.\n  b: {x: [1]}\n  c: 1\n"
    assert table(text).splitlines()[2:] == [
        "| `a` |  | Of a group. |",
        '| `a.b` | `{"x": [1]}` | First line, second \\| line. |',
    ]
