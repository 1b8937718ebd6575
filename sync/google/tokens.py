"""The access token of an account: got once, shared by all threads, renewed early, one renewal at a time.

A 401 names the token it was refused with; whoever comes first gets a new one, the others find it. What is found wrong
with a credential for good is remembered, so that a hundred properties do not ask the token endpoint a hundred times.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from contract import FailureClass
from sync.clock import Clock
from sync.errors import CredentialsError
from sync.google.classify import Kind, Verdict
from sync.google.exchange import TokenRefusedError
from sync.google.minting import Minter, Token
from sync.google.retry import GiveUp, Policy, react
from sync.google.transport import TransportError
from sync.quota.guard import Guard

RENEW_BEFORE_SECONDS = 225.0


class TokenObserver(Protocol):
    """Is told of each try to get a token."""

    def token_refresh(self, *, workspace: str, duration_ms: int, ok: bool) -> None: ...


class Tokens:
    """The token of one workspace."""

    def __init__(
        self,
        minter: Minter,
        *,
        workspace: str,
        clock: Clock,
        sleep: Callable[[float], None],
        policy: Policy,
        draw: Callable[[], float],
        observer: TokenObserver,
        guard: Guard,
    ) -> None:
        self._minter = minter
        self._workspace = workspace
        self._clock = clock
        self._sleep = sleep
        self._policy = policy
        self._draw = draw
        self._observer = observer
        self._guard = guard
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = float("-inf")
        self._broken: CredentialsError | None = None

    def get(self) -> str:
        """A token that is good for a while.

        Raises CredentialsError, GoogleUnavailable or Interrupted.
        """
        with self._lock:
            if self._broken is not None:
                raise CredentialsError(str(self._broken), self._broken.failure_class)
            if self._token is None or self._clock.monotonic() >= self._renew_at:
                try:
                    self._renew()
                except CredentialsError as error:
                    self._broken = error
                    raise
            assert self._token is not None
            return self._token.value

    def reject(self, value: str) -> None:
        """The API refused this token; when it is still the current one, it is dropped."""
        with self._lock:
            if self._token is not None and self._token.value == value:
                self._token = None

    def _renew(self) -> None:
        seen: Counter[Kind] = Counter()
        while True:
            verdict: Verdict | None = None
            # As for questions: an open breaker is waited for, and that is not a try.
            with self._guard.question(self._workspace) as gate:
                started = self._clock.monotonic()
                try:
                    self._token = self._minter.mint()
                except TokenRefusedError as refusal:
                    verdict = refusal.verdict
                except TransportError as error:
                    text = f"the token endpoint could not be reached ({error})"
                    verdict = Verdict(Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, text)
                if verdict is None or verdict.kind is Kind.ACCOUNT:
                    gate.succeeded()
                elif verdict.kind is Kind.TRANSIENT:
                    gate.failed()
            finished = self._clock.monotonic()
            duration_ms = int((finished - started) * 1000)
            self._observer.token_refresh(
                workspace=self._workspace, duration_ms=duration_ms, ok=verdict is None
            )
            if verdict is None:
                assert self._token is not None
                early = min(RENEW_BEFORE_SECONDS, self._token.lifetime / 2)
                self._renew_at = started + self._token.lifetime - early
                return
            if gate.probe and verdict.kind is Kind.TRANSIENT:
                continue
            seen[verdict.kind] += 1
            reaction = react(verdict, seen, self._policy, self._draw)
            if isinstance(reaction, GiveUp):
                raise reaction.error
            self._sleep(reaction.after)
