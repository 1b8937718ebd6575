"""The process beside the launch: carries the cells it is given, one on each line, and asks before it asks Google."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, TypeVar, cast

from sync.carry import Here
from sync.errors import Interrupted, SyncError
from sync.google.account import GoogleAccount
from sync.google.bodies import BadBodyError
from sync.google.question import Question
from sync.google.transport import Request, Response, Transport, TransportError
from sync.processes.line import Line, LineClosedError
from sync.processes.messages import (
    Answered,
    Ask,
    Broken,
    Done,
    Failed,
    Granted,
    Load,
    Refused,
    Send,
    Unanswered,
)
from sync.quota.names import BucketName
from sync.store.port import Store
from sync.sweeps import RareSweeps
from sync.turns import TICK_SECONDS

T = TypeVar("T")

TOLD_BYTES = 64 * 1024
"""Of a body, as much goes to the launch: a refusal is told apart by its text, and none is longer."""


def serve(lines: Sequence[Connection], life: Connection, transport: Transport, store: Store) -> None:
    """Serve the lines until the other end of `life` is closed."""
    for number, line in enumerate(lines, 1):
        server = _Server(Line(line), transport, store)
        threading.Thread(target=server.serve, name=f"beside-{number}", daemon=True).start()
    with RareSweeps(time.monotonic) as sweeps:
        while not life.poll(TICK_SECONDS):  # an end that is closed can be read, too
            sweeps.tick()


class _Server:
    """Of one line."""

    def __init__(self, line: Line, transport: Transport, store: Store) -> None:
        self._line = line
        self._client = AskingClient(line, transport)
        self._here = Here(store)

    def serve(self) -> None:
        try:
            while True:
                self._serve_one(self._line.hear())
        except LineClosedError:
            return  # the launch is over
        finally:
            self._line.close()  # whatever ended this: nobody shall wait for an answer

    def _serve_one(self, load: Load) -> None:
        try:
            self._line.say(self._carried(load))
        except LineClosedError:
            raise
        except Exception:  # noqa: BLE001 - told to the launch, which ends with it
            self._line.say(Broken(traceback.format_exc()))

    def _carried(self, load: Load) -> Done | Failed:
        try:
            account = GoogleAccount(self._client, self._client, load.payer)
            fetched, result = self._here.carry(load.errand, account)
        except SyncError as error:
            return Failed(error)
        return Done(replace(fetched, rows=()), len(fetched.rows), result)


@dataclass(frozen=True, slots=True)
class AskingClient:
    """Puts a question to the launch, sends what it says, and keeps the answer. See `sync.google.client.Asks`."""

    line: Line
    transport: Transport

    def ask(
        self,
        question: Question,
        decode: Callable[[bytes], T],
        buckets: Sequence[BucketName],
        size: Callable[[T], int],
    ) -> T:
        """Raises what the launch says, or LineClosedError when it is gone."""
        self.line.say(Ask(question, buckets))
        answer: Any = None
        while True:
            match self.line.hear():
                case Send(request):
                    answer = None  # before the next one is read: both are large
                    said, answer = self._send(request, decode, size)
                    self.line.say(said)
                case Granted():
                    return cast("T", answer)
                case Refused(error):
                    raise error
                case other:
                    raise AssertionError(f"nothing that follows a question: {other!r}")

    def _send(
        self, request: Request, decode: Callable[[bytes], T], size: Callable[[T], int]
    ) -> tuple[Answered | Unanswered, T | None]:
        try:
            response = self.transport.send(request)
        except (TransportError, Interrupted) as error:
            return Unanswered(error), None
        told = Response(response.status, response.headers, response.body[:TOLD_BYTES])
        if response.status != 200:
            return Answered(told, 0, ""), None
        try:
            answer = decode(response.body)
        except BadBodyError as error:
            return Answered(told, 0, str(error)), None
        return Answered(told, size(answer), ""), answer
