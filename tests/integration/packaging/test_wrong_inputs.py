"""Wrong schedules at a real API server: what it refuses names the field, and the operator agrees with it.

The operator must agree, since a laxer schema may have let in what is refused today, and an API server does not look at stored
objects again. CI takes some hundred by chance; `make test-inputs` takes each wrong value in each field and 500 with several.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from controller.decide.epoch import cron_of
from controller.model.parse import parse_schedule
from controller.settings import Settings
from tests.inputs.wrong import GOOD, Wrong, one_by_one, several
from tests.integration.packaging.conftest import Server
from tests.unit.packaging.shared import schema

pytestmark = [pytest.mark.needs_cluster]

INPUTS = int(os.environ.get("INPUTS", "300"))
SEVERAL = 500
SEED = 20261130
SPEC = schema()["properties"]["spec"]
SITE = Settings(environment="production").site

NAME = "wrong-in-some-way"
"""Not one that another test on the same server leaves behind: what exists is refused before it is validated."""

MAY_DIFFER = (
    "unknown field",  # pruned when it is served, and read by nobody
    "Duplicate value",  # of a set: one is enough
    "must not be greater than `limits.",  # the API server says so again when the Job is created
)


def test_what_is_changed_was_right_before(server: Server) -> None:
    code, answer = server.dry_run(Wrong(GOOD, ()).body(NAME))
    assert (code, told(answer)) == (201, "")


def test_both_say_no_to_the_same_and_name_the_field(server: Server) -> None:
    chance = random.Random(SEED)
    tried = [*one_by_one(SPEC), *(several(SPEC, chance) for _ in range(SEVERAL))]
    tried = tried if len(tried) <= INPUTS else chance.sample(tried, INPUTS)
    refused, found = 0, []
    for wrong in tried:
        code, answer = server.dry_run(wrong.body(NAME))
        says = answer.get("message", "")
        why = told(answer if code == 201 else wrong.body(NAME))
        refused += code != 201
        if code not in {201, 400, 422}:
            found.append(f"{wrong}: {code} {says}")
        elif code == 201 and why and "time zone" not in why:
            found.append(f"{wrong}: accepted, but the operator says {why}")
        elif code != 201 and not named(wrong, says):
            found.append(f"{wrong}: no field that was changed stands in {says}")
        elif code != 201 and not why and not any(words in says for words in MAY_DIFFER):
            found.append(f"{wrong}: {says}, but the operator serves it")
    assert not found, "\n".join(found)
    assert refused > len(tried) / 2


def told(body: dict[str, Any]) -> str:
    """What the operator says of a schedule that it cannot serve; '' of one that it can."""
    return cron_of(parse_schedule(body), SITE)[1]


def named(wrong: Wrong, message: str) -> bool:
    """Whether one of the changed fields is in a message, or the object that misses it."""
    return any(
        not path or any(str(step) in message for step in path[-2:] if isinstance(step, str))
        for path, _ in wrong.changes
    )
