"""What the launch and a process beside it say to each other, one after the other, on one line for each cell.

    launch                         beside
      Load ------------------------>
           <------------------------ Ask           which question, whose budgets
      Send ------------------------>               with a token, as often as the launch thinks right
           <------------------------ Answered | Unanswered | Broken
      Granted | Refused ----------->               the last answer counts, or none
           ...
           <------------------------ Done | Failed | Broken

So everything that rules requests - tokens, budgets, breakers, retries - is the launch's alone, and bytes and rows never
pass the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync.carry import Errand
from sync.errors import SyncError
from sync.google.question import Question
from sync.google.transport import Request, Response, TransportError
from sync.plan.cells import CellResult, FetchedCell
from sync.quota.names import BucketName, Payer


@dataclass(frozen=True, slots=True)
class Load:
    """A cell to carry, and who pays for its requests."""

    errand: Errand
    payer: Payer


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that it would ask."""

    question: Question
    buckets: Sequence[BucketName]


@dataclass(frozen=True, slots=True)
class Send:
    """Now, and like this."""

    request: Request


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer came; of a long body only the beginning is here. `problem` tells why it could not be decoded."""

    response: Response
    rows: int
    problem: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer came."""

    error: TransportError | SyncError


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer that came last is the one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """There will be no answer, for this reason."""

    error: SyncError


@dataclass(frozen=True, slots=True)
class Done:
    """Fetched and committed. The rows stay there; `rows` is their number."""

    fetched: FetchedCell
    rows: int
    result: CellResult


@dataclass(frozen=True, slots=True)
class Failed:
    """The cell stays as it was, for a reason that this program understands."""

    error: SyncError


@dataclass(frozen=True, slots=True)
class Broken:
    """Nobody foresaw this: a traceback."""

    text: str
