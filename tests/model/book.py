"""Book: every status met so far, kept once and known by its number; and the schedules as the API server gives them out.

A status is read by the real code when it is met first, and never again. Its `Essence` is what anything can follow from:
states that differ in texts, or in times that nobody asks for, are explored once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from controller.act.launcher import Work
from controller.model import names
from controller.model.parse import parse_schedule
from controller.model.schedule import Schedule
from controller.model.status import Status
from controller.model.status_io import read_status
from tests.model.records import BASE, NAME, NAMESPACE, UID, Held, Wish, stamp


class Essence(NamedTuple):
    """A status without its texts, and without the times from which nothing follows."""

    facts: tuple[Any, ...]
    shape: tuple[Any, ...]
    """Without any time and any counter."""
    active_names: tuple[str, ...]


def essence(status: Status) -> Essence:
    runs = status.runs
    shapes = tuple(
        (
            run.run_id, run.state, run.attempt, run.launch, run.snoozes, run.continues, run.lost, run.unknown,
            run.refusals > 0, run.not_before is not None,
        )
        for run in runs
    )  # fmt: skip
    times = tuple((run.not_before, run.refusals, run.coalesced) for run in runs)
    active = tuple((it.run_id, it.launch, it.started_at is not None, it.doomed) for it in status.active)
    over = tuple((record.run_id, record.outcome.value) for record in status.history)
    shape = (shapes, active, tuple(sorted(over)), status.waiting)
    facts = (
        shape, times, tuple((it.created_at, it.started_at) for it in status.active), over, status.schedule_hash,
        status.effective_since, status.watermark, status.manual_watermark, status.counters, status.tokens,
        status.tokens_seen,
    )  # fmt: skip
    return Essence(facts, shape, tuple(it.job_name for it in status.active))


@dataclass
class Book:
    """Every status met so far, once. Also the story's specs, which bodies are made of."""

    specs: tuple[Mapping[str, Any], ...]
    statuses: list[Status] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    owings: list[Work] = field(default_factory=list)
    """What an operator decided and has not written."""
    _owing_numbers: dict[Work, int] = field(default_factory=dict)
    _numbers: dict[Status, int] = field(default_factory=dict)
    _schedules: dict[tuple[Wish, int], Schedule] = field(default_factory=dict)
    _patched: dict[tuple[int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.number({})

    def number(self, body: dict[str, Any]) -> int:
        status = read_status({"status": body} if body else {})
        known = self._numbers.get(status)
        if known is None:
            known = self._numbers[status] = len(self.statuses)
            self.statuses.append(status)
            self.bodies.append(body)
        return known

    def owing(self, work: Work) -> int:
        known = self._owing_numbers.get(work)
        if known is None:
            known = self._owing_numbers[work] = len(self.owings)
            self.owings.append(work)
        return known

    def patched(self, number: int, patch: Mapping[str, Any]) -> int:
        return self.number(merge(self.bodies[number], patch))

    def body(self, held: Held) -> dict[str, Any]:
        """The schedule as the API server gives it out."""
        return {**self._plain(held.wish, held.version), "status": self.bodies[held.status]}

    def schedule(self, held: Held) -> Schedule:
        key = (held.wish, held.version)
        found = self._schedules.get(key)
        if found is None:
            found = self._schedules[key] = parse_schedule(self._plain(*key))
        return found

    def _plain(self, wish: Wish, version: int) -> dict[str, Any]:
        metadata = {
            "namespace": NAMESPACE, "name": NAME, "uid": UID, "generation": wish.generation,
            "resourceVersion": str(version), "creationTimestamp": stamp(0),
            "annotations": annotations(wish),
        }  # fmt: skip
        spec = {**BASE, **self.specs[0], **self.specs[wish.spec], "suspend": wish.suspend}
        return {"metadata": metadata, "spec": spec}


def annotations(wish: Wish) -> dict[str, str]:
    """What people ask for."""
    token = f"token-{wish.token}"
    asks = {
        names.ANNOTATION_RUN_NOW: json.dumps({"token": token, "reason": "again"}) if wish.wrapped else token,
        names.ANNOTATION_CANCEL: wish.cancel,
        names.ANNOTATION_RETRY: wish.retry,
    }
    if not wish.token:
        del asks[names.ANNOTATION_RUN_NOW]
    return {name: text for name, text in asks.items() if text}


def merge(target: Any, patch: Any) -> Any:
    """A merge patch, as the API server applies it."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result
