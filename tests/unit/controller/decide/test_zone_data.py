"""New time zone data come with a new image: the next process reads them, and goes on from what the old one wrote.

Each process of the story is a real one with time zone data of its own; between them stands nothing but the status.
"""

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
OPERATOR = """
import json, sys
from tests.unit.controller.decide.world import World, at, summary

body, *moments = json.loads(sys.stdin.read())
world = World(spec={"schedule": "30 4 * * *", "timeZone": "Europe/Istanbul"}, body=body, now=at(moments[0]))
nexts = []
for moment in moments:
    world.go(moment)
    if world.status.active:
        world.finish(0, summary())
        world.rest()
    nexts.append(world.status.next_slot.isoformat())
print(json.dumps([world.body, [launch.slot.isoformat() for launch in world.made], nexts]))
"""


def data(folder: Path, like: str) -> Path:
    """Time zone data in which Istanbul has the rules of that city."""
    (folder / "Europe").mkdir(parents=True)
    (folder / "Europe" / "Istanbul").write_bytes(files("tzdata.zoneinfo.Europe").joinpath(like).read_bytes())
    return folder


def operate(zones: Path, body: dict[str, Any], *moments: str) -> tuple[dict[str, Any], list[str], list[str]]:
    """A process with these data looks at the schedule at these moments."""
    done = subprocess.run(
        [sys.executable, "-c", OPERATOR], input=json.dumps([body, *moments]), capture_output=True, text=True,
        cwd=ROOT, env=os.environ | {"PYTHONTZPATH": str(zones)}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    body, slots, nexts = json.loads(done.stdout)
    return body, slots, nexts


def test_t5_a_process_with_new_rules_of_a_zone_reckons_anew_and_no_day_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    old, new = data(tmp_path / "old", "Athens"), data(tmp_path / "new", "Istanbul")
    body, _, nexts = operate(old, {}, "2026-10-24T01:31", "2026-10-24T02:00")
    assert nexts[-1] == "2026-10-25T02:30:00+00:00", "by the old rules winter time begins that night"
    body, slots, nexts = operate(
        new, body, "2026-10-24T12:00", "2026-10-25T01:30", "2026-10-25T02:30", "2026-10-26T01:30"
    )
    assert nexts[0] == "2026-10-25T01:30:00+00:00"
    assert slots == ["2026-10-25T01:30:00+00:00", "2026-10-26T01:30:00+00:00"]
