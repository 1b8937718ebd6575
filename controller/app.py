"""App: the composition root. Everything is made here, once, and tied together; nothing else knows the whole.

One TaskGroup holds the lease, the watch's supervisor, the resync, the scheduler and the recorder: a bug in any of
them ends the process, and the next one starts from what the API server holds. SIGTERM is ours, not kopf's: no new
launch, the turn under way may end, the Lease is given back, exit 0.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from controller.act.launcher import Launcher
from controller.act.recorder import Recorder
from controller.act.status_writer import StatusWriter
from controller.clock import SystemClock
from controller.cluster.access import read_access
from controller.cluster.gate import GatedCluster
from controller.cluster.kube import KubeCluster
from controller.cluster.lease import Lease, Terms
from controller.cluster.port import ClusterError
from controller.cluster.skew import Skew
from controller.observe.health import Facts, Server, health_routes, metrics_routes
from controller.observe.metrics import Metrics
from controller.scheduler import Scheduler
from controller.table import Table
from controller.term import Term
from controller.watch.feed import Feed
from controller.watch.resync import Resync
from controller.watch.switch import Switch

if TYPE_CHECKING:
    from controller.clock import Clock
    from controller.cluster.port import Cluster
    from controller.intake import News
    from controller.settings import Settings

PROBLEM_CHECK_SECONDS = 15.0
LAST_TURN_SECONDS = 3.0
SETTLE_SECONDS, SETTLE_ROUNDS = 10.0, 3
"""After the watch (re)started its first list is surely done, in so many times what a round of ours took, too; a resync then
sees what vanished in between."""

log = logging.getLogger(__name__)


class _StopAsked(Exception):  # noqa: N818 - no error: the way out of the TaskGroup
    """SIGTERM, or a test's wish."""


class App:
    """One operator. `cluster` is a parameter so that tests can put something between us and the API server."""

    def __init__(self, settings: Settings, cluster: Cluster, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.cluster = cluster
        self.registry = CollectorRegistry()
        self.metrics = Metrics(
            self.registry,
            settings.environment,
            lambda: self.term.serves(),  # noqa: PLW0108 - the term is made below
        )
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.table = Table()
        self.lease = Lease(
            cluster,
            clock,
            Terms(
                namespace=settings.namespace,
                name=settings.lease_name,
                identity=settings.identity,
                lease_seconds=settings.lease_seconds,
                renew_deadline_seconds=settings.lease_renew_seconds,
                retry_seconds=settings.lease_retry_seconds,
            ),
        )
        self.skew = Skew(cluster, clock, settings.max_skew_seconds)
        self.resync = Resync(
            cluster, self.table, clock, settings.watched, settings.resync_seconds, self._found_gone
        )
        self.switch = Switch(
            cluster,
            clock,
            settings.namespace,
            settings.switch_seconds,
            self._look_at_everything,
        )
        self.term = Term(
            self.lease,
            self.resync,
            self.switch,
            self.skew,
            clock,
            elected=settings.leader_election,
            retry_seconds=settings.lease_retry_seconds,
            begun=self._look_at_everything,
        )
        gated = GatedCluster(cluster, self.term.is_leading)
        self.recorder = Recorder(gated, clock, settings.identity, self.metrics.events_dropped.inc)
        writer = StatusWriter(gated, self.table)
        launcher = Launcher(
            gated,
            self.table,
            writer,
            self.recorder,
            self.metrics,
            settings,
            clock,
            lambda: self.switch.policy,
        )
        self.scheduler = Scheduler(
            gated,
            self.table,
            launcher,
            self.metrics,
            clock,
            held=lambda: self.skew.held,
            policy=lambda: self.switch.policy,
            site=settings.site,
            start_rate=settings.start_rate,
            may_run=self.term.serves,
            clock_stepped=self.skew.stepped,
            compared=self.term.compared,
            max_in_flight=settings.max_in_flight,
        )
        self.feed = Feed(
            self._put,
            self.table.knows,
            lambda: read_access(settings.kubeconfig),
            settings.namespaces,
            clock,
            self._watch_restarted,
        )
        self.health_port = self.metrics_port = 0
        self._problems: tuple[str, ...] = ()
        self._started_at = clock.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Whatever else ends it is an error, and raised."""
        servers = await self._listen()
        try:
            async with asyncio.TaskGroup() as group:
                for task in (
                    self._compare(),
                    self.scheduler.run(),
                    self.recorder.run(),
                    self.switch.run(),
                    self._watch(),
                    self.term.run(),
                    self._look_for_problems(),
                    self._stop_when_asked(stop),
                ):
                    group.create_task(task)
        except* _StopAsked:
            log.info("stopped", extra={"event": "operator.stopped"})
        finally:
            await self.term.give_up()
            for server in servers:
                await server.stop()

    # -- tasks --------------------------------------------------------------------------------------------------------

    async def _listen(self) -> list[Server]:
        settings = self.settings
        health = Server(settings.bind, settings.health_port, health_routes(self.facts))
        metrics = Server(settings.bind, settings.metrics_port, metrics_routes(self.registry, self._refresh))
        self.health_port, self.metrics_port = await health.start(), await metrics.start()
        return [health, metrics]

    async def _compare(self) -> None:
        await self.term.tried()
        await self.resync.run()

    async def _watch(self) -> None:
        # The resource must be served before kopf starts: it looks for it once. The first resync proves it.
        await self.resync.done.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._resync_once_settled())
            group.create_task(self.feed.run())

    async def _resync_once_settled(self) -> None:
        await self.clock.sleep(self._settles_in())
        self.resync.ask()

    async def _look_for_problems(self) -> None:
        """Until nothing is missing, and now and then after: rights can be taken away."""
        while True:
            try:
                problems = tuple(await self.cluster.problems(self.settings.watched))
            except ClusterError as error:
                problems = (f"the API server does not answer: {error}",)
            for problem in sorted(set(problems) - set(self._problems)):
                log.error(problem, extra={"event": "operator.problem"})
            self._problems = problems
            await self.clock.sleep(PROBLEM_CHECK_SECONDS if problems else self.settings.resync_seconds)

    async def _stop_when_asked(self, stop: asyncio.Event) -> None:
        await stop.wait()
        log.info("stopping", extra={"event": "operator.stopping"})
        self.term.pause()
        resting, over = (
            asyncio.ensure_future(self.scheduler.rest()),
            asyncio.ensure_future(self.clock.sleep(LAST_TURN_SECONDS)),
        )
        await asyncio.wait((resting, over), return_when=asyncio.FIRST_COMPLETED)
        for waiting in (resting, over):
            waiting.cancel()
        # Before all else is taken down, which takes a second: another replica waits for it.
        await self.term.give_up()
        raise _StopAsked

    # -- small ties ---------------------------------------------------------------------------------------------------

    def _put(self, news: News) -> None:
        news.put(self.table)

    def _watch_restarted(self) -> None:
        self.metrics.kopf_restarts.inc()
        self.resync.ask()
        asyncio.get_running_loop().call_later(self._settles_in(), self.resync.ask)

    def _settles_in(self) -> float:
        return max(SETTLE_SECONDS, SETTLE_ROUNDS * self.resync.took)

    def _found_gone(self, kind: str, count: int) -> None:
        self.metrics.ghosts.labels(kind).inc(count)

    def _look_at_everything(self) -> None:
        self.scheduler.look_at_everything()

    def _unread(self) -> tuple[str, ...]:
        return (self.switch.refused,) if self.switch.refused else ()

    def _refresh(self) -> None:
        facts = self.facts()
        queues = self.scheduler.queues
        # Who does not serve hears no more of who got a place; running Jobs are seen by every replica.
        waiting = queues.waiting() if self.term.serves() else {}
        self.metrics.policy(self.switch.policy, queues.running(), waiting)
        self.metrics.queue(self.scheduler.pending())
        self.metrics.leader.set(int(facts.leading))
        self.metrics.skew.set(self.skew.seconds)
        self.metrics.resync_age.set(facts.since_start if facts.resync_age is None else facts.resync_age)
        self.metrics.turn_age.set(facts.turn_age)

    def facts(self) -> Facts:
        now = self.clock.monotonic()
        return Facts(
            turn_age=now - self.scheduler.last_turn,
            resync_age=self.resync.age(),
            resync_seconds=self.settings.resync_seconds,
            since_start=now - self._started_at,
            clock_bad_for=self.skew.bad_for(),
            held=self.skew.held,
            problems=(
                *self._problems,
                *self.resync.refused.values(),
                *self.switch.policy.problems,
                *self._unread(),
            ),
            leading=self.term.is_leading(),
        )


async def serve(settings: Settings) -> None:
    """Serve a real cluster by a real clock; raises Refused when there is no way to an API server."""
    cluster = await KubeCluster.connect(
        kubeconfig=settings.kubeconfig, seconds=settings.request_timeout_seconds
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = App(settings, cluster, SystemClock())
    log.info(
        "starting",
        extra={
            "event": "operator.starting",
            "identity": settings.identity,
            "namespaces": list(settings.namespaces) or "all",
            "image": settings.sync_image,
        },
    )
    try:
        await app.run(stop)
    finally:
        await cluster.close()
