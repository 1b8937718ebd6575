"""Names, labels and ids: what ties a Job to its schedule, run and launch.

Everything here is a pure function of the schedule and the run, so two operators (or one before and after a crash) give
the same launch the same Job name, and the API server's 409 is the lock. Users' names are cut and hashed, never trusted
to fit: a Job name has at most 63 characters, a label value too.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from contract.run_spec import unix_minutes

GROUP = "gscsync.io"
VERSION = "v1beta1"
KIND = "GscSyncSchedule"
PLURAL = "gscsyncschedules"
API_VERSION = f"{GROUP}/{VERSION}"

LABEL_SCHEDULE = f"{GROUP}/schedule"
LABEL_SLOT = f"{GROUP}/slot"
LABEL_RUN = f"{GROUP}/run"
LABEL_ATTEMPT = f"{GROUP}/attempt"
LABEL_LAUNCH = f"{GROUP}/launch"
LABEL_TRIGGER = f"{GROUP}/trigger"
ANNOTATION_GENERATION = f"{GROUP}/generation"
"""On a Job: the generation of the spec that it began with."""
ANNOTATION_TIMEOUT = f"{GROUP}/timeout-seconds"
ANNOTATION_PENDING = f"{GROUP}/pending-deadline-seconds"
"""On a Job: the limits that it began with."""
ANNOTATION_PARAMETERS = f"{GROUP}/parameters"
"""On the Job of a run by hand: what it does instead of what the spec says (`parameters`)."""
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "gsc-sync-operator"

ANNOTATION_RUN_NOW = f"{GROUP}/run-now"
ANNOTATION_CANCEL = f"{GROUP}/cancel"
ANNOTATION_RETRY = f"{GROUP}/retry"

_RUN_OF_TOKEN = re.compile(r"m-[0-9a-f]{12}")
_NAME_LENGTH = 63
_LABEL_LENGTH = 63


def digest(*parts: str, length: int = 12) -> str:
    """A short stable hash, hexadecimal; the parts are told apart."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:length]


def run_id_of_slot(slot: datetime) -> str:
    """A run of the schedule is named by its slot, in unix minutes."""
    return str(unix_minutes(slot))


def slot_of_minutes(minutes: int) -> datetime:
    return datetime.fromtimestamp(minutes * 60, UTC)


def token_hash(token: str) -> str:
    """How a handled run-now token is remembered; the token itself may be long."""
    return digest("run-now", token)


def run_id_of_token(token: str) -> str:
    """A run by hand is named by its token: the same token can never start two runs."""
    return f"m-{token_hash(token)}"


def is_run_of_token(run_id: str) -> bool:
    """Whether it has the form of `run_id_of_token`."""
    return _RUN_OF_TOKEN.fullmatch(run_id) is not None


def run_id_of_creation(uid: str) -> str:
    """The one run of `runOnCreate`."""
    return f"c-{digest('create', uid)}"


def job_name(name: str, uid: str, run_id: str, launch: int) -> str:
    """Name of the Job of one launch: readable start, hash of the UID, run id, launch number; at most 63 characters."""
    tail = f"-{digest('job', uid, length=8)}-{run_id}-{launch}"
    head = re.sub(r"[^a-z0-9-]", "-", name.lower())[: _NAME_LENGTH - len(tail)].strip("-")
    return f"{head or 'sync'}{tail}"


def label_value(text: str) -> str:
    """The text as a label value: itself where it fits, else cut with a hash that keeps it distinct."""
    if len(text) <= _LABEL_LENGTH:
        return text
    return f"{text[: _LABEL_LENGTH - 9].rstrip('-_.')}-{digest(text, length=8)}"
