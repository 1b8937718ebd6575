"""The floors of coverage hold: a run of tests that misses them is a failure, whatever passed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
QUESTION = "import sys; sys.path.insert(0, 'scripts'); import test_tiers; sys.exit(3 if test_tiers.coverage_is_enough() else 0)"


def test_little_that_ran_is_not_enough(tmp_path: Path) -> None:
    environment = os.environ | {"COVERAGE_FILE": str(tmp_path / "data")}
    little = tmp_path / "little.py"
    little.write_text("import contract.exit_codes\n")
    for command in (["-m", "coverage", "run", "--source=contract", str(little)], ["-c", QUESTION]):
        environment["PYTHONPATH"] = str(ROOT)
        ended = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "TOTAL" in ended.stdout
