"""One question to Google, answered or refused for good.

Puts the layers together in one order, for each try anew: breaker (is it worth asking at all?), token, limiter (may we
ask now?), exchange, verdict, decoding; then breaker and limiter are told, and last the retry policy decides. Waiting for
a breaker or a budget is not a try, nor is finding out for all whether an outage is over: the policy's patience is for
what is asked, and an open breaker uses up no budget. Whoever calls gets a decoded answer or an error of `sync.errors`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from typing import Protocol, TypeVar

from contract import FailureClass
from sync.clock import Clock
from sync.errors import QuotaError, SyncError
from sync.google.blame import blamed
from sync.google.bodies import BadBodyError
from sync.google.classify import Kind, Verdict, classify
from sync.google.question import Question
from sync.google.retry import GiveUp, Policy, react
from sync.google.skew import SkewWatch
from sync.google.tokens import Tokens
from sync.google.transport import Request, Response, Transport, TransportError
from sync.quota.guard import Gate, Guard
from sync.quota.limiter import Limiter, Permit
from sync.quota.names import BucketName

T = TypeVar("T")


class RequestObserver(Protocol):
    """Is told of every request."""

    def api_request(
        self,
        *,
        operation: str,
        site_url: str,
        day: str,
        status: int,
        rows: int,
        duration_ms: int,
        rate_limited: bool,
    ) -> None: ...


class Asks(Protocol):
    """Puts questions, one by one."""

    def ask(
        self,
        question: Question,
        decode: Callable[[bytes], T],
        buckets: Sequence[BucketName],
        size: Callable[[T], int],
    ) -> T: ...


class Client:
    """Asks in the name of one workspace."""

    def __init__(
        self,
        *,
        transport: Transport,
        tokens: Tokens,
        base_url: str,
        clock: Clock,
        sleep: Callable[[float], None],
        draw: Callable[[], float],
        policy: Policy,
        observer: RequestObserver,
        skew: SkewWatch,
        limiter: Limiter,
        guard: Guard,
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._policy = policy
        self._observer = observer
        self._skew = skew
        self._limiter = limiter
        self._guard = guard

    def over(self, transport: Transport) -> Client:
        """The same - its tokens, budgets and breaker are shared - only that it sends by another way."""
        other = copy(self)
        other._transport = transport  # noqa: SLF001 - its own
        return other

    def ask(
        self,
        question: Question,
        decode: Callable[[bytes], T],
        buckets: Sequence[BucketName],
        size: Callable[[T], int],
    ) -> T:
        """The decoded answer; `size` tells its number of rows, for the log; `buckets` are the budgets it uses.

        Raises CredentialsError, PropertyError, QuotaError, GoogleUnavailable, BadAnswer, DatabaseUnavailable (when
        the budgets cannot be kept any more) or Interrupted.
        """
        seen: Counter[Kind] = Counter()
        while True:
            with self._guard.question(question.site_url or question.operation) as gate:
                token = self._tokens.get()
                permit = self._limiter.acquire(buckets)
                exchanged = self._exchange(question, decode, size, token)
                answer, verdict, body = exchanged
                _tell(gate, verdict)
            if verdict is None:
                permit.accepted()
                assert answer is not None
                return answer
            if gate.probe and verdict.kind is Kind.TRANSIENT:
                continue
            seen[verdict.kind] += 1
            if verdict.kind is Kind.RATE:
                permit.refused(blamed(body))
            elif verdict.kind in _COUNTED:
                permit.accepted()
            if verdict.kind is Kind.UNAUTHORIZED:
                self._tokens.reject(token)
            reaction = react(verdict, seen, self._policy, self._draw)
            if isinstance(reaction, GiveUp):
                raise _postponed(reaction.error, verdict, permit)
            if reaction.after > 0:
                self._sleep(reaction.after)

    def _exchange(
        self, question: Question, decode: Callable[[bytes], T], size: Callable[[T], int], token: str
    ) -> tuple[T | None, Verdict | None, bytes]:
        """One request: the decoded answer, or the verdict on a refusal and its body."""
        started = self._clock.monotonic()
        status, rows, body = 0, 0, b""
        answer: T | None = None
        try:
            response = self._transport.send(self._request(question, token))
            status, body = response.status, response.body
            self._skew.see(response.headers)
            verdict = classify(status, response.headers, body, self._clock.now())
            if verdict is None:
                answer, verdict = _decoded(response, decode)
                rows = 0 if answer is None else size(answer)
        except TransportError as error:
            verdict = _unreached(error)
        self._observer.api_request(
            operation=question.operation,
            site_url=question.site_url,
            day=question.day,
            status=status,
            rows=rows,
            duration_ms=int((self._clock.monotonic() - started) * 1000),
            rate_limited=verdict is not None and verdict.kind in {Kind.RATE, Kind.LOAD, Kind.DAILY},
        )
        return answer, verdict, body

    def _request(self, question: Question, token: str) -> Request:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        body = b""
        if question.query is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(question.query, separators=(",", ":")).encode()
        return Request(question.method, f"{self._base_url}/{question.path}?prettyPrint=false", headers, body)


_COUNTED = {Kind.ACCOUNT, Kind.PROPERTY, Kind.REQUEST, Kind.BAD_ANSWER, Kind.UNCLEAR}
"""Refusals of questions that Google looked at, and so most likely counted."""


def _tell(gate: Gate, verdict: Verdict | None) -> None:
    """A refusal with a reason is an answer; no answer is a failure; nonsense proves neither."""
    if verdict is None or verdict.kind not in {Kind.TRANSIENT, Kind.BAD_ANSWER, Kind.OVERSIZED}:
        gate.succeeded()
    elif verdict.kind is Kind.TRANSIENT:
        gate.failed()


def _postponed(error: SyncError, verdict: Verdict, permit: Permit) -> SyncError:
    """Load and day are spent for everybody, so the table hears of it and says how long."""
    if verdict.kind in {Kind.LOAD, Kind.DAILY} and isinstance(error, QuotaError):
        return permit.postpone(error)
    return error


def _decoded(response: Response, decode: Callable[[bytes], T]) -> tuple[T | None, Verdict | None]:
    content_type = response.headers.get("content-type", "application/json").lower()
    if "json" not in content_type:
        text = f"HTTP 200 of type {content_type[:60]} instead of JSON; is a proxy in the way?"
        return None, Verdict(Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, text)
    try:
        return decode(response.body), None
    except BadBodyError as error:
        return None, Verdict(Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, f"HTTP 200, but {error}")


def _unreached(error: TransportError) -> Verdict:
    if error.hopeless:
        return Verdict(Kind.OVERSIZED, FailureClass.BAD_ANSWER, str(error))
    return Verdict(Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, f"Google could not be reached ({error})")
