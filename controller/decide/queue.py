"""Queue: who of those that could be launched now goes first, and who has to wait.

By priority, which grows with waiting, so nobody starves; then fairly between namespaces: the first of each, the second of
each; then by lateness. Of equals chance decides, by a hash of object and slot: another one each time, and the same after a
restart. A queue's limit counts the launches that run, in the whole cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contract.run_spec import unix_minutes
from controller.model.names import digest
from controller.model.policy import Policy

AGEING = timedelta(minutes=5)
"""For each such wait a launch moves up by one priority."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A launch that may begin."""

    uid: str
    namespace: str
    name: str
    queue: str
    priority: int
    """0 first to 9 last."""
    due: datetime
    frees: int = 0
    """Launches that would be ended for it: the place of one of them is its own."""


def in_order(candidates: Iterable[Candidate], now: datetime) -> list[Candidate]:
    """The order in which they are launched."""
    by_lateness = sorted(
        candidates, key=lambda item: (_effective(item, now), item.due, turn(item.uid, item.due))
    )
    seen: dict[tuple[int, str], int] = {}
    ranked = []
    for item in by_lateness:
        level = _effective(item, now)
        rank = seen.get((level, item.namespace), 0)
        seen[level, item.namespace] = rank + 1
        ranked.append((level, rank, item))
    return [item for _, _, item in sorted(ranked, key=lambda each: each[:2])]


def turn(uid: str, due: datetime) -> str:
    """Whose turn it is among equals: the lowest goes first. A name would let the same ones go first in each slot."""
    return digest("turn", uid, str(unix_minutes(due)))


def refuse(ordered: Sequence[Candidate], running: Mapping[str, int], policy: Policy) -> dict[str, str]:
    """Who has to wait, by UID, with the reason. `running` counts the launches of each queue.

    What one launch leaves to another (`frees`) goes first to those who wait before that one.
    """
    waiting = {}
    taken, before = Counter(running), Counter[str]()
    for item in ordered:
        rule = policy.queue(item.queue)
        if rule.paused:
            waiting[item.uid] = f"queue '{item.queue}' is paused"
        elif rule.limit is not None and taken[item.queue] - item.frees + before[item.queue] >= rule.limit:
            waiting[item.uid] = f"queue '{item.queue}' is full"
            before[item.queue] += 1
        else:
            # What is to end holds its place until it is gone.
            taken[item.queue] += max(1 - item.frees, 0)
    return waiting


def _effective(item: Candidate, now: datetime) -> int:
    return max(0, item.priority - max(now - item.due, timedelta()) // AGEING)
