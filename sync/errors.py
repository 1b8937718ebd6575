"""The errors of the sync, as a tree. Each carries the FailureClass that metrics and summaries show.

SyncError
├── CredentialsError      one workspace cannot speak to Google (missing, invalid, revoked, scope, API disabled)
├── PropertyError         one property cannot be read (permission, gone, bad request)
├── QuotaError            Google says later
│   ├── LoadQuotaError    one property must rest for the cool-down
│   └── DailyQuotaError   one project must rest until Pacific midnight
├── GoogleUnavailable     transient trouble that outlasted its retries
├── BadAnswer             an answer that makes no sense, again and again
├── DatabaseError         fatal for the run
│   ├── DatabaseUnavailable   retrying the launch later can help
│   └── DatabaseRefused       a person must change something (privilege, password, encoding, version)
│       └── DatabaseIncompatible  no retry of this launch can ever help (encoding, newer schema)
├── Superseded            a higher launch of this run has taken over: stop at once
├── Interrupted           SIGTERM or the soft deadline
├── ProcessLost           a process of the launch ended by itself
└── ConfigurationError    the run spec or the environment is wrong
"""

from __future__ import annotations

from typing import Any

from contract import FailureClass


class SyncError(Exception):
    """Something went wrong that this program understands."""

    failure_class: FailureClass = FailureClass.UNEXPECTED

    def __init__(self, message: str, failure_class: FailureClass | None = None) -> None:
        super().__init__(message)
        if failure_class is not None:
            self.failure_class = failure_class

    def __reduce__(self) -> tuple[Any, ...]:
        """From process to process as it stands, whatever its subclass is made of."""
        return _again, (type(self), str(self)), self.__dict__


def _again(kind: type[SyncError], message: str) -> SyncError:
    return kind.__new__(kind, message)


class CredentialsError(SyncError):
    """A workspace's identity does not work; other workspaces go on."""

    failure_class = FailureClass.CREDENTIALS_INVALID


class PropertyError(SyncError):
    """One property cannot be read; its stored rows stay, other properties go on."""

    failure_class = FailureClass.PERMISSION_DENIED


class QuotaError(SyncError):
    """Google asks to come back later. `retry_after` is in seconds."""

    failure_class = FailureClass.RATE_LIMITED

    def __init__(self, message: str, retry_after: float, failure_class: FailureClass | None = None) -> None:
        super().__init__(message, failure_class)
        self.retry_after = retry_after


class LoadQuotaError(QuotaError):
    """The load quota of one property is spent; `spent` says that it is the whole day's."""

    failure_class = FailureClass.LOAD_QUOTA

    def __init__(self, message: str, retry_after: float, *, spent: bool = False) -> None:
        super().__init__(message, retry_after)
        self.spent = spent


class DailyQuotaError(QuotaError):
    """The daily quota of a project is spent."""

    failure_class = FailureClass.DAILY_QUOTA


class GoogleUnavailable(SyncError):  # noqa: N818 - named for the state, as the field does
    """Google could not be reached, or kept failing."""

    failure_class = FailureClass.GOOGLE_UNAVAILABLE


class BadAnswer(SyncError):  # noqa: N818
    """Google's answer was not what its documentation promises, several times in a row."""

    failure_class = FailureClass.BAD_ANSWER


class DatabaseError(SyncError):
    """The database cannot serve this launch."""

    failure_class = FailureClass.DATABASE_UNAVAILABLE


class DatabaseUnavailable(DatabaseError):  # noqa: N818 - named for the state
    """Down, full, or out of connections: a later launch may succeed."""


class DatabaseRefused(DatabaseError):  # noqa: N818 - named for the state
    """Wrong password, missing privilege, unreadable Secret: a person must act.

    The launch ends as FAILURE, because Secrets and GRANTs are mended while retries wait.
    """

    failure_class = FailureClass.DATABASE_REFUSED


class DatabaseIncompatible(DatabaseRefused):
    """Program and database do not fit: wrong encoding, server too old, schema newer than the program.

    The launch ends as CANCELLED: nothing that a retry waits for can change it.
    """


class Superseded(SyncError):  # noqa: N818
    """A higher launch holds the run; nothing of this one may be written any more."""

    failure_class = FailureClass.SUPERSEDED


class Interrupted(SyncError):  # noqa: N818
    """The launch was told to stop, or its soft deadline came."""

    failure_class = FailureClass.INTERRUPTED


class ProcessLost(SyncError):  # noqa: N818 - named for the state
    """One of the processes that share a launch ended by itself, most often killed for want of memory."""


class ConfigurationError(SyncError):
    """The run spec, the command line or the environment is wrong; retrying cannot help."""

    failure_class = FailureClass.CONFIGURATION
