"""Recorder: Events on schedules, as the real API's `events.k8s.io/v1`, aggregated and rate-limited as client-go does.

The same reason on the same object within ten minutes becomes one Event whose series counts. The first repetition is
written at once, so that people see a series; the count of later ones is brought up to date every half hour (client-go's
refreshTime; events live an hour), since a schedule that runs each minute would else write as many counts as Jobs. Each
object may send 25 in a burst and one per five minutes after it. Events are a courtesy to people: failing to write one
never matters and never delays anything, so writes run beside the scheduler and are dropped when too many wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.cluster.port import ClusterError, NotFound
from controller.model import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.clock import Clock
    from controller.cluster.port import Cluster
    from controller.model.decision import Notice
    from controller.model.schedule import Schedule

SAME_WITHIN_SECONDS = 600.0
COUNTED_EVERY_SECONDS = 1800.0
BURST = 25
REFILL_SECONDS = 300.0
REMEMBERED = 5_000
QUEUE = 1_000
MAX_NOTE = 1024
CONTROLLER = "gscsync.io/gsc-sync-operator"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Series:
    name: str
    count: int
    last: float
    written: float
    """When the count was last written; both by the monotonic clock."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Recorder:
    """`on_drop` hears of each event that nobody will see."""

    def __init__(
        self, cluster: Cluster, clock: Clock, identity: str, on_drop: Callable[[], None] = lambda: None
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._identity = identity[:128]
        self._series: OrderedDict[tuple[str, str], _Series] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._queue: asyncio.Queue[tuple[Schedule, Notice]] = asyncio.Queue(maxsize=QUEUE)
        self._sent = 0
        self._on_drop = on_drop
        self.dropped = 0

    def record(self, schedule: Schedule, notice: Notice) -> None:
        """Hand over; returns at once."""
        try:
            self._queue.put_nowait((schedule, notice))
        except asyncio.QueueFull:
            self._drop()

    async def run(self) -> None:
        while True:
            schedule, notice = await self._queue.get()
            await self._write(schedule, notice)
            self._queue.task_done()

    async def flush(self) -> None:
        """Until all that was handed over has been tried."""
        await self._queue.join()

    async def _write(self, schedule: Schedule, notice: Notice) -> None:
        key = (schedule.uid, f"{notice.reason}/{notice.warning}")
        known = self._series.get(key)
        now = self._clock.monotonic()
        if known and now - known.last >= SAME_WITHIN_SECONDS:
            known = None
        if known and known.count > 1 and now - known.written < COUNTED_EVERY_SECONDS:
            known.count += 1
            known.last = now
            return
        if not self._admitted(schedule.uid):
            self._drop()
            return
        message = notice.message.encode()[:MAX_NOTE].decode(errors="ignore")
        try:
            if known:
                with contextlib.suppress(NotFound):
                    await self._count(schedule, known)
                    known.last = known.written = now
                    return
            # Dying around either write: an event more or less, and nobody acts on events.
            body = self._event(schedule, notice, message)
            await self._cluster.create_event(schedule.namespace, body)
        except ClusterError as error:
            log.debug("event not recorded", extra={"event": "event.dropped", "reason": str(error)[:200]})
            self._drop()
            return
        self._series[key] = _Series(body["metadata"]["name"], 1, now, now)
        self._series.move_to_end(key)
        while len(self._series) > REMEMBERED:
            self._series.popitem(last=False)

    def _drop(self) -> None:
        self.dropped += 1
        self._on_drop()

    async def _count(self, schedule: Schedule, series: _Series) -> None:
        """The series alone: an event's note may not change, and the API server refuses the whole patch."""
        patch: dict[str, Any] = {"series": {"count": series.count + 1, "lastObservedTime": self._stamp()}}
        await self._cluster.patch_event(schedule.namespace, series.name, patch)
        series.count += 1

    def _event(self, schedule: Schedule, notice: Notice, message: str) -> dict[str, Any]:
        self._sent += 1
        moment = int(self._clock.now().timestamp() * 1_000_000)
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{schedule.name}.{moment:x}{self._sent % 4096:03x}",
                "namespace": schedule.namespace,
            },
            "eventTime": self._stamp(),
            "reportingController": CONTROLLER,
            "reportingInstance": self._identity,
            "action": str(notice.reason),
            "reason": str(notice.reason),
            "type": "Warning" if notice.warning else "Normal",
            "note": message,
            "regarding": {
                "apiVersion": f"{names.GROUP}/{names.VERSION}",
                "kind": names.KIND,
                "name": schedule.name,
                "namespace": schedule.namespace,
                "uid": schedule.uid,
            },
        }

    def _admitted(self, uid: str) -> bool:
        now = self._clock.monotonic()
        bucket = self._buckets.setdefault(uid, _Bucket(BURST, now))
        self._buckets.move_to_end(uid)
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.at) / REFILL_SECONDS)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _stamp(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
