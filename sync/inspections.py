"""Pages inspected in Google's index, a few a day: those with most impressions lately that were not inspected for a week.

Quota is short (2,000 a property and day), of its own, and counted in the table, so Jobs share it. Inspections are an
extra: when their quota is spent, the launch is to stop, or the identity may not inspect, what was learnt is written and
the rest waits for another day, and nothing fails for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from contract import FailureClass
from sync.account import Account
from sync.errors import Interrupted, PropertyError, QuotaError
from sync.launch import Launch
from sync.plan.inspection import AGAIN_AFTER, LOOK_BACK, Inspection, day_began

WRITE_EVERY = 50

_log = logging.getLogger(__name__)


def inspect_pages(launch: Launch, account: Account, property_: str) -> None:
    """Raises CredentialsError, GoogleUnavailable, BadAnswer, or a PropertyError that concerns more than inspection."""
    most, store = launch.spec.limits.inspections_per_property, launch.store.inspections
    if not most:
        return
    now = launch.clock.now()
    left = most - store.asked_since(property_, day_began(now))
    if left <= 0:
        return
    pages = store.due(property_, (now - LOOK_BACK).date(), now - AGAIN_AFTER, left)
    learnt: list[Inspection] = []
    try:
        for page in pages:
            launch.stop.check()
            learnt += _ask(account, property_, page)
            if len(learnt) >= WRITE_EVERY:
                _write(launch, property_, learnt)
                learnt = []
    except (QuotaError, Interrupted) as error:
        _log.info("%s: no more pages are inspected now: %s", property_, error)
    except PropertyError as error:
        if error.failure_class is not FailureClass.PERMISSION_DENIED:
            raise
        _log.info("%s: this identity may not inspect its pages", property_)
    finally:
        if learnt:
            _write(launch, property_, learnt)


def _ask(account: Account, property_: str, page: str) -> Sequence[Inspection]:
    try:
        return [account.inspect(property_, page)]
    except PropertyError as error:
        if error.failure_class is not FailureClass.BAD_REQUEST:
            raise
        # One page that Google calls wrong (it once belonged to the property, or is no URL) keeps no other back.
        _log.info("%s: %s cannot be inspected: %s", property_, page, error)
        return [Inspection(page)]


def _write(launch: Launch, property_: str, learnt: Sequence[Inspection]) -> None:
    # Dying before the commit costs these questions of today's quota; dying after it, they are not asked again.
    launch.store.inspections.write(property_, learnt, launch.run, launch.spec.launch)
