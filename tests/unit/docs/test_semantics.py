"""docs/semantics.md names for each rule the test that holds it; these tests keep the names true."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RULES = re.findall(
    r"^\| .+ \| `(test_\w+)` \|$", (ROOT / "docs" / "semantics.md").read_text(), flags=re.MULTILINE
)


def test_every_rule_names_a_test_that_exists() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"def (test_\w+)\(", text))
    assert len(RULES) > 30
    assert set(RULES) <= defined
