"""A circuit breaker that threads can share, and its changes told. Everything it decides stands in `circuit`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from contract import Dependency
from sync.clock import Clock
from sync.errors import GoogleUnavailable
from sync.quota.circuit import Circuit, Pass, Refuse, Rules, State, Wait

API, TOKENS, DATABASE = Dependency.GOOGLE_API, Dependency.TOKEN_ENDPOINT, Dependency.POSTGRES

NAP_SECONDS = 1.0
"""Who waits looks again so often: the circuit may close before its time."""


class CircuitObserver(Protocol):
    """Is told when a breaker opens, lets one through, or closes."""

    def circuit_changed(self, *, dependency: Dependency, state: str, failures: int) -> None: ...


@dataclass(slots=True)
class Gate:
    """What became of a question that was let through; nothing said means that it was not asked."""

    source: str
    probe: bool = False
    """Asked on behalf of all, to find out whether an outage is over: failing is not a try of this question."""
    outcome: bool | None = None

    def succeeded(self) -> None:
        self.outcome = True

    def failed(self) -> None:
        self.outcome = False


@dataclass(slots=True)
class Guard:
    """The breaker of one dependency in one launch."""

    dependency: Dependency
    clock: Clock
    sleep: Callable[[float], None]
    observer: CircuitObserver
    rules: Rules = field(default_factory=Rules)
    circuit: Circuit = field(default_factory=Circuit)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def question(self, source: str) -> Iterator[Gate]:
        """Wait until a question may be asked; on leaving, what became of it counts.

        Raises GoogleUnavailable when the outage has lasted too long, and what `sleep` raises.
        """
        while True:
            answer = self._enter()
            if isinstance(answer, Pass):
                break
            if isinstance(answer, Refuse):
                raise GoogleUnavailable(
                    f"The {self.dependency} has not answered anybody for {answer.seconds:.0f} s; not asked again for now."
                )
            self.sleep(min(answer.seconds, NAP_SECONDS))
        with self._settled(source) as question:
            yield question

    @contextmanager
    def attempt(self, source: str) -> Iterator[Gate | None]:
        """The same without waiting: None when it is not the time to ask."""
        if isinstance(self._enter(), Pass):
            with self._settled(source) as question:
                yield question
        else:
            yield None

    @contextmanager
    def _settled(self, source: str) -> Iterator[Gate]:
        question = Gate(source, probe=self.circuit.state is State.HALF_OPEN)
        try:
            yield question
        finally:
            now = self.clock.monotonic()
            with self._lock:
                if question.outcome is None:
                    after = self.circuit.leave(now)
                elif question.outcome:
                    after = self.circuit.succeed()
                else:
                    after = self.circuit.fail(source, now, self.rules)
                self._become(after)

    def _enter(self) -> Pass | Wait | Refuse:
        with self._lock:
            after, answer = self.circuit.enter(self.clock.monotonic(), self.rules)
            self._become(after)
        return answer

    def _become(self, after: Circuit) -> None:
        before, self.circuit = self.circuit, after
        if before.state is not after.state:
            self.observer.circuit_changed(
                dependency=self.dependency,
                state=after.state.value,
                failures=before.failures if after.state is State.CLOSED else after.failures,
            )
