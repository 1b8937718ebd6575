"""Storms: many faults at once, drawn by hypothesis, three runs long. Cells stay whole, and the calm makes all right.

Faults strike by chance and threads interleave, so a storm cannot be repeated exactly; `make test-storms` runs as many as
wanted (STORMS=100), and tells in full what is wrong. They found what no single fault shows: an empty answer, then one
that was known before and so came unread, of which the first row was stepped over.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract import ExitCode
from tests.integration.faults.conftest import Beginning, copy_of
from tests.integration.faults.world import ACME, BLOG, GLOBEX, NEXT_DAY, NOW, World, of

KINDS = (
    "rate-403", "rate-429", "load-403", "permission-403", "unknown-403", "not-found", "bad-request", "token-expired",
    "html-500", "backend-error", "200-with-error", "redirect", "no-content", "captive-page", "empty-rows", "short-page",
    "duplicate-rows", "ignore-start-row", "reset-mid-body", "incomplete-body", "truncated-gzip", "truncated-json",
    "invalid-json", "byte-order-mark", "wrong-content-type", "not-gzip", "drop-connection",
)  # fmt: skip

rules = st.fixed_dictionaries(
    {
        "match": st.fixed_dictionaries(
            {
                "operation": st.sampled_from(["query", "query", "query", "sites.list", "token"]),
                "probability": st.sampled_from([0.05, 0.2, 0.5]),
                "nth": st.integers(1, 8),
            },
            optional={
                "property": st.sampled_from([ACME, BLOG, GLOBEX]),
                "type": st.sampled_from(["web", "image"]),
                "times": st.integers(1, 6),
            },
        ),
        "fault": st.fixed_dictionaries({"kind": st.sampled_from(KINDS)}),
    }
)


@settings(
    max_examples=int(os.environ.get("STORMS", "25")),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(storm=st.lists(rules, min_size=2, max_size=8))
def test_in_any_storm_cells_stay_whole_and_the_calm_makes_all_right(
    world: World, beginning: Beginning, postgres: str, storm: list[dict[str, Any]]
) -> None:
    copy_of(beginning.template, postgres, world.database)
    world.moments = [NOW]
    world.at(NEXT_DAY)
    for _ in range(2):
        world.faults(*storm)
        ended = world.run()
        assert ended.exit_code in {ExitCode.SUCCESS, ExitCode.FAILURE, ExitCode.SNOOZED}
        assert "nobody foresaw" not in ended.logs
        wrong = world.wrong(behind=of(ACME, BLOG, GLOBEX), emptied=True)
        assert wrong == {}, "\n".join(world.explained(cell) for cell in wrong)
    world.heal(emptied=True)
