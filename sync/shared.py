"""Properties that several identities see: each is synced once, and every workspace that asked for it hears how it ended.

The identity that comes first does the work. The others stand by: when it turns out to have no access, or to be broken,
the next one goes on with what is left. What one identity cannot do because of Google or its quota is not tried by others.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace

from contract import FailureClass
from sync.errors import CredentialsError, PropertyError
from sync.launch import Identity
from sync.outcomes import Ending, PropertyOutcome

NO_ACCESS = frozenset({FailureClass.PERMISSION_DENIED, FailureClass.PROPERTY_GONE})


def is_of_identity(outcome: PropertyOutcome) -> bool:
    """Whether another identity may succeed where this one failed."""
    error = outcome.error
    if outcome.ending is not Ending.FAILED:
        return False
    return isinstance(error, CredentialsError) or (
        isinstance(error, PropertyError) and error.failure_class in NO_ACCESS
    )


@dataclass(slots=True)
class _Case:
    working: bool = True
    standing_by: deque[Identity] = field(default_factory=deque)
    failed: dict[str, PropertyOutcome] = field(default_factory=dict)
    """Of each workspace whose identity was of no use, how it ended."""
    outcome: PropertyOutcome | None = None
    """How it ended for everybody, once an identity was of use."""
    worker: str = ""


class Shared:
    """Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cases: dict[str, _Case] = {}
        self._of: defaultdict[str, list[_Case]] = defaultdict(list)

    def claim(self, property_: str, identity: Identity) -> bool:
        """Whether the caller is to sync the property in the name of this identity; if not, somebody else does or did."""
        with self._lock:
            case = self._cases.get(property_)
            if case is None:
                case = self._cases[property_] = _Case()
                self._of[identity.workspace].append(case)
                return True
            self._of[identity.workspace].append(case)
            if case.working:
                case.standing_by.append(identity)
                return False
            case.working = case.outcome is None
            return case.working

    def ended(self, outcome: PropertyOutcome, identity: Identity) -> Identity | None:
        """The identity that goes on, when this one was of no use and another stands by."""
        with self._lock:
            case = self._cases[outcome.property]
            if not is_of_identity(outcome):
                case.working, case.outcome, case.worker = False, outcome, identity.workspace
                return None
            case.failed[identity.workspace] = outcome
            if case.standing_by:
                return case.standing_by.popleft()
            case.working = False
            return None

    def outcomes(self, workspace: str) -> list[PropertyOutcome]:
        """How the properties of a workspace ended; rows count for the workspace whose identity fetched them."""
        with self._lock:
            return [self._outcome(case, workspace) for case in self._of[workspace]]

    @staticmethod
    def _outcome(case: _Case, workspace: str) -> PropertyOutcome:
        if case.outcome is None:
            return case.failed[workspace]
        if workspace == case.worker:
            return case.outcome
        return replace(case.outcome, committed=0, rows_written=0)
