"""The launch's end of a line: one cell given away, and a word for each request that it needs.

The client of the account rules as it always does; only that what it sends goes over the line, where the body stays.
"""

from __future__ import annotations

from dataclasses import replace

from sync.carry import Carried, Errand
from sync.errors import SyncError
from sync.google.account import GoogleAccount
from sync.google.bodies import BadBodyError
from sync.google.client import Client
from sync.google.prints import UnreadRows
from sync.google.transport import Request, Response
from sync.plan.cells import AnyRow
from sync.processes.line import Line
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


class BrokenProcessError(Exception):
    """The process at the other end met what nobody foresaw; the message is its traceback."""


class LineTransport:
    """Lets the other end send, and remembers what it made of the body. See `sync.google.transport.Transport`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._rows, self._problem = 0, ""

    def send(self, request: Request) -> Response:
        """Raises what sending raises there, BrokenProcessError, and LineClosedError."""
        self._line.say(Send(request))
        match self._line.hear():
            case Answered(response, rows, problem):
                self._rows, self._problem = rows, problem
                return response
            case Unanswered(error):
                raise error
            case Broken(text):
                raise BrokenProcessError(text)
            case other:
                raise AssertionError(f"nothing that follows a request: {other!r}")

    def decode(self, body: bytes) -> int:
        """The number of rows in the answer that came last.

        Raises BadBodyError when the other end could not read it.
        """
        del body  # of a long one only the beginning is here
        if self._problem:
            raise BadBodyError(self._problem)
        return self._rows

    def close(self) -> None:
        """The line outlives the cell."""


def carry_away(line: Line, errand: Errand, account: GoogleAccount[Client]) -> Carried:
    """Have the other end carry a cell.

    Raises what the cell raises, BrokenProcessError, and LineClosedError.
    """
    transport = LineTransport(line)
    client = account.client.over(transport)
    line.say(Load(errand, account.payer))
    while True:
        match line.hear():
            case Ask(question, buckets):
                try:
                    client.ask(question, transport.decode, buckets, int)
                except SyncError as error:
                    line.say(Refused(error))
                else:
                    line.say(Granted())
            case Done(fetched, rows, result):
                return Carried(replace(fetched, rows=UnreadRows(rows, _not_here)), result)
            case Failed(error):
                raise error
            case Broken(text):
                raise BrokenProcessError(text)
            case other:
                raise AssertionError(f"nothing that is said here: {other!r}")


def _not_here() -> list[AnyRow]:
    raise AssertionError("the rows of this cell are in another process")
