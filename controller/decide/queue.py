"""Queue: who of those that could be launched now goes first, and who has to wait.

By priority, which grows with waiting, so nobody starves; then fairly between namespaces: the first of each, the second of
each; then by lateness. A queue's limit counts the launches that run, in the whole cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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


def in_order(candidates: Iterable[Candidate], now: datetime) -> list[Candidate]:
    """The order in which they are launched."""
    by_lateness = sorted(
        candidates, key=lambda item: (_effective(item, now), item.due, item.namespace, item.name)
    )
    seen: dict[tuple[int, str], int] = {}
    ranked = []
    for item in by_lateness:
        level = _effective(item, now)
        rank = seen.get((level, item.namespace), 0)
        seen[level, item.namespace] = rank + 1
        ranked.append((level, rank, item))
    return [item for _, _, item in sorted(ranked, key=lambda each: each[:2])]


def refuse(ordered: Sequence[Candidate], running: Mapping[str, int], policy: Policy) -> dict[str, str]:
    """Who has to wait, by UID, with the reason. `running` counts the launches of each queue."""
    waiting = {}
    taken = dict(running)
    for item in ordered:
        rule = policy.queue(item.queue)
        count = taken.get(item.queue, 0)
        if rule.paused:
            waiting[item.uid] = f"queue '{item.queue}' is paused"
        elif rule.limit is not None and count >= rule.limit:
            waiting[item.uid] = f"queue '{item.queue}' is full"
        else:
            taken[item.queue] = count + 1
    return waiting


def _effective(item: Candidate, now: datetime) -> int:
    return max(0, item.priority - max(now - item.due, timedelta()) // AGEING)
