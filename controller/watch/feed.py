"""Feed: kopf carries the watch, and nothing else.

Three handlers parse what they see and hand it to the main loop; no finalizers, annotations, timers, peering or events
of kopf's. It runs in a thread and loop of its own, because it cancels every task of its loop when it ends, and it
ends on many faults of an API server (odd stream errors, odd Retry-After values, 401). The supervisor starts it again
and asks for a resync, since what was deleted meanwhile is never reported.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from typing import TYPE_CHECKING, Any

import kopf

from controller.intake import News, identity_of, job_news, pod_news, schedule_news
from controller.model import names
from controller.watch.login import WaitingLogin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controller.clock import Clock
    from controller.watch.login import Login

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
STEADY_SECONDS = 300.0
"""A watch that lived this long starts again at the first back-off."""
JOIN_SECONDS = 1.0
"""At the end of the process; with the API server away kopf takes five seconds, and the thread ends with us anyhow."""

log = logging.getLogger(__name__)


class EndlessBackoffs:
    """1, 2, 4 ... 60 s with jitter, iterable again and again: an API outage is no reason to end."""

    def __iter__(self) -> Iterator[float]:
        delay = FIRST_BACKOFF
        while True:
            yield delay * random.uniform(0.75, 1.25)  # noqa: S311 - spreading retries, not guarding secrets
            delay = min(delay * 2, LONGEST_BACKOFF)


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf copies and compares each object's essence for handlers that we do not have; that was a third of the watch."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None: ...


class _NoProgress(kopf.ProgressStorage):
    """Handlers of events have no progress to keep on the object."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None: ...

    def purge(self, **_: Any) -> None: ...

    def touch(self, **_: Any) -> None: ...

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def settings_of() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    settings.watching.chunk_size = 500
    settings.watching.label_selectors["batch", "v1", "jobs"] = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
    settings.watching.label_selectors["", "v1", "pods"] = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
    settings.networking.error_backoffs = EndlessBackoffs()
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.queueing.idle_timeout = 1
    settings.queueing.exit_timeout = 1
    settings.execution.max_workers = 2
    settings.process.ultimate_exiting_timeout = None  # it would kill the whole process, and that is ours
    return settings


def registry_of(
    put: Callable[[News], None], knows: Callable[[str, str], bool], login: Login
) -> kopf.OperatorRegistry:
    """Handlers must not fail and must return None: kopf never repeats them and PATCHes what they return."""
    registry = kopf.OperatorRegistry()

    def tell(event: kopf.RawEvent, news_of: Callable[..., News]) -> None:
        body, deleted = event["object"], event["type"] == "DELETED"
        if deleted or not knows(*identity_of(body)):
            put(news_of(body, deleted=deleted))

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def on_schedule(event: kopf.RawEvent, **_: Any) -> None:
        tell(event, schedule_news)

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def on_job(event: kopf.RawEvent, **_: Any) -> None:
        tell(event, job_news)

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def on_pod(event: kopf.RawEvent, **_: Any) -> None:
        tell(event, pod_news)

    kopf.on.login(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(WaitingLogin(login).handler)
    return registry


class Feed:
    """Keeps a watch running, from the main loop."""

    def __init__(
        self,
        put: Callable[[News], None],
        knows: Callable[[str, str], bool],
        login: Login,
        namespaces: tuple[str, ...],
        clock: Clock,
        on_restart: Callable[[], None],
    ) -> None:
        self._put = put
        self._knows = knows
        self._login = login
        self._namespaces = namespaces
        self._clock = clock
        self._on_restart = on_restart
        self.restarts = 0

    async def run(self) -> None:
        """For ever; cancelling stops the watch."""
        delay = FIRST_BACKOFF
        while True:
            started = self._clock.monotonic()
            why = await self._watch_once()
            self.restarts += 1
            if self._clock.monotonic() - started > STEADY_SECONDS:
                delay = FIRST_BACKOFF
            log.warning(
                "the watch ended and is started again",
                extra={"event": "watch.restart", "why": why, "seconds": delay, "restarts": self.restarts},
            )
            await self._clock.sleep(delay)
            delay = min(delay * 2, LONGEST_BACKOFF)
            self._on_restart()

    async def _watch_once(self) -> str:
        """Start a watch and wait for its end, whose reason is returned."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        watch = _Watch(
            put=lambda news: _cross(loop, self._put, news),
            knows=self._knows,
            ended=lambda: _cross(loop, ended.set),
            login=self._login,
            namespaces=self._namespaces,
        )
        watch.thread.start()
        try:
            await ended.wait()
        finally:
            watch.stop()
            await asyncio.to_thread(watch.thread.join, JOIN_SECONDS)
        return watch.why


class _Watch:
    """One life of kopf: a thread, its loop, and the flag that ends it."""

    def __init__(
        self,
        put: Callable[[News], None],
        knows: Callable[[str, str], bool],
        ended: Callable[[], None],
        login: Login,
        namespaces: tuple[str, ...],
    ) -> None:
        self._registry = registry_of(put, knows, login)
        self._ended = ended
        self._namespaces = namespaces
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flag: asyncio.Event | None = None
        self._stopped = threading.Event()
        self.why = "it returned"
        self.thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def stop(self) -> None:
        self._stopped.set()
        loop, flag = self._loop, self._flag
        if loop is not None and flag is not None:
            _cross(loop, flag.set)

    def _run(self) -> None:
        try:
            asyncio.run(self._operate())
        except Exception as error:  # noqa: BLE001 - whatever ends kopf, the supervisor starts it again
            self.why = f"{type(error).__name__}: {error}"[:512]
        finally:
            self._ended()

    async def _operate(self) -> None:
        self._flag = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_note)
        if self._stopped.is_set():
            return
        await kopf.operator(
            registry=self._registry,
            settings=settings_of(),
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=self._flag,
        )


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What fails in a callback of kopf's loop: it can cost the watch at most, and that is started again."""
    del loop
    error = context.get("exception")
    why = (
        f"{context.get('message', '')}: {type(error).__name__}: {error}" if error else context.get("message")
    )
    log.warning("a callback of the watch failed", extra={"event": "watch.callback", "why": str(why)[:512]})


def _cross(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *arguments: object) -> None:
    """Call in another thread's loop; a loop that is closed by now needs nothing any more."""
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:
        log.debug("the loop is closed already")
