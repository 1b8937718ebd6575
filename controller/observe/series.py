"""Series: what the operator exports of each schedule, made when somebody scrapes.

A metric object of the client library costs a kilobyte for every label it has; ten thousand schedules with ten of them
would be most of the operator's memory. Here a schedule is one slim record, and its samples live as long as a scrape. All
series of a schedule go when it goes. Totals count from the start of the process, as Prometheus wants it. Gauges are shown by
the replica that serves, and by no other: what one knew that lost the Lease stands still, and alerts would believe it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from contract import Dependency
from controller.model.bounds import read_summary
from controller.model.status import ConditionType, RunState

if TYPE_CHECKING:
    from controller.model.schedule import Schedule
    from controller.model.status import Status

OF_SCHEDULE = ("namespace", "schedule")
PHASES = ("Idle", "Waiting", "Queued", "Pending", "Running", "Retrying", "Snoozed", "Suspended", "Stalled")
_EPOCH = 719_163
"""Ordinal of 1970-01-01."""

GAUGES = {
    "schedule_next_timestamp_seconds": "Next slot.",
    "schedule_last_success_timestamp_seconds": "End of the last success.",
    "schedule_consecutive_failures": "Failed runs in a row.",
    "schedule_newest_final_day_timestamp_seconds": "Newest day with final data, at 00:00 UTC.",
    "schedule_open_circuits": "Dependencies whose breaker was not closed when the last run ended.",
}
COUNTERS: dict[str, tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "schedule_missed": ("Slots that were too old to run.", (), ((),)),
    "schedule_skipped": ("Slots passed over by a rollout or an edit.", (), ((),)),
    "schedule_caught_up": ("Slots coalesced into a newer one.", (), ((),)),
    "runs": ("Finished runs.", ("trigger", "outcome"), ()),
    "attempt_failures": ("Failed attempts.", ("error_class",), ()),
    "snoozes": ("Launches that asked to be repeated later.", ("reason",), (("Snoozed",), ("Continues",))),
    "rescues": ("Launches repeated after a loss.", ("reason",), (("Lost",), ("ResultUnknown",))),
    "workspaces": ("Workspaces of finished runs.", ("outcome",), (("succeeded",), ("failed",))),
    "rows_written": ("Rows written by finished runs.", (), ((),)),
    "api_requests": ("Requests to Google by the last launches of finished runs.", (), ((),)),
    "api_refusals": ("Those of them that a quota refused.", (), ((),)),
    "quota_wait_seconds": ("What threads waited, all together, until they might ask.", (), ((),)),
    "circuit_trips": (
        "Launches in which a dependency failed everybody, so that its breaker opened.",
        ("dependency",),
        tuple((each.value,) for each in Dependency),
    ),
}
"""Name: text, labels beside those of the schedule, and the series that are shown as zero before they count."""


class _One:
    """One schedule, by name: a namesake made anew goes on with its series."""

    __slots__ = ("counts", "gauges", "info", "uids")

    def __init__(self) -> None:
        self.uids: tuple[str, ...] = ()
        self.info: tuple[str, str, str] = ("", "", "")
        self.gauges: tuple[float | None, ...] = (None,) * len(GAUGES)
        self.counts: dict[tuple[str, ...], int] = {}


class ScheduleSeries(Collector):
    def __init__(self, prefix: str, serves: Callable[[], bool] = lambda: True) -> None:
        self._prefix = prefix
        self._serves = serves
        self._all: dict[tuple[str, str], _One] = {}
        self._where: dict[str, tuple[str, str]] = {}
        self._phase_of: dict[str, str] = {}

    def show(self, schedule: Schedule, status: Status) -> None:
        """Keep the present state of one schedule."""
        one = self._all.setdefault(schedule.key, _One())
        if schedule.uid not in one.uids:
            one.uids = (*one.uids, schedule.uid)
            self._where[schedule.uid] = schedule.key
        spec = schedule.spec
        one.info = (spec.queue, spec.schedule, spec.time_zone) if spec else ("", "", "")
        day = status.newest_final_day
        one.gauges = (
            status.next_slot.timestamp() if status.next_slot else None,
            status.last_success_at.timestamp() if status.last_success_at else None,
            status.consecutive_failures,
            (day.toordinal() - _EPOCH) * 86_400 if day else None,
            _open_circuits(status.last_summary),
        )
        self._phase_of[schedule.uid] = phase_of(schedule, status)

    def add(self, where: tuple[str, str], name: str, amount: int, *labels: str) -> None:
        """Count up; what is not more than nothing changes nothing."""
        if amount > 0:
            counts = self._all.setdefault(where, _One()).counts
            counts[name, *labels] = counts.get((name, *labels), 0) + amount

    def forget(self, uid: str) -> None:
        """Remove every series of a schedule that is gone."""
        self._phase_of.pop(uid, None)
        where = self._where.pop(uid, None)
        one = self._all.get(where) if where else None
        if where is None or one is None:
            return
        one.uids = tuple(other for other in one.uids if other != uid)
        if not one.uids:
            del self._all[where]

    def collect(self) -> Iterable[Metric]:
        items = tuple(self._all.items())
        if self._serves():
            yield from self._gauges(items)
        yield from self._counters(items)

    def _gauges(self, items: Iterable[tuple[tuple[str, str], _One]]) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            f"{self._prefix}schedule_info",
            "Always 1.",
            labels=(*OF_SCHEDULE, "queue", "cron", "time_zone"),
        )
        for where, one in items:
            info.add_metric((*where, *one.info), 1)
        yield info
        phases = GaugeMetricFamily(
            f"{self._prefix}schedules", "Schedules by what they are doing.", labels=("phase",)
        )
        counted = Counter(self._phase_of.values())
        for phase in PHASES:
            phases.add_metric((phase,), counted[phase])
        yield phases
        for number, (name, text) in enumerate(GAUGES.items()):
            gauge = GaugeMetricFamily(f"{self._prefix}{name}", text, labels=OF_SCHEDULE)
            for where, one in items:
                if (value := one.gauges[number]) is not None:
                    gauge.add_metric(where, value)
            yield gauge

    def _counters(self, items: Iterable[tuple[tuple[str, str], _One]]) -> Iterator[Metric]:
        counted: defaultdict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
        for where, one in items:
            for name, (_, _, zeros) in COUNTERS.items():
                counted[name].extend(
                    ((*where, *labels), 0) for labels in zeros if (name, *labels) not in one.counts
                )
            for (name, *further), count in one.counts.items():
                counted[name].append(((*where, *further), count))
        for name, (text, names, _) in COUNTERS.items():
            family = CounterMetricFamily(f"{self._prefix}{name}", text, labels=(*OF_SCHEDULE, *names))
            for labels, count in counted[name]:
                family.add_metric(labels, count)
            yield family


def _open_circuits(summary: str) -> int:
    """Almost always none, which can be seen without reading the whole summary."""
    if '"openCircuits":["' not in summary:
        return 0
    read = read_summary(summary)
    return len(read.open_circuits) if read else 0


def phase_of(schedule: Schedule, status: Status) -> str:
    """The one word for what a schedule is doing."""
    stalled = status.condition(ConditionType.STALLED)
    if schedule.spec is None or (stalled and stalled.status == "True"):
        return "Stalled"
    if status.current is not None:
        return RunState(status.current.state).value
    return "Suspended" if schedule.spec.suspend else "Idle"
