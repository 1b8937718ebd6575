"""Python that stands in the pages runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEDULE = """
metadata: {name: marketing}
spec:
  schedule: "0 4 * * *"
  workspaces: [{name: acme, credentialsSecretRef: {name: acme-google}}]
  destination: {secretRef: {name: warehouse}}
"""


async def test_the_test_of_a_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (DOCS / "user-guide.md").read_text(), flags=re.DOTALL)
    (tmp_path / "marketing.yaml").write_text(SCHEDULE)
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(snippet, space)
    (test,) = (value for name, value in space.items() if name.startswith("test_"))
    await test()  # type: ignore[operator]
