"""What there is at Google beside facts, kept when `inventory` asks for it: properties with their permissions, sitemaps.

Properties come from the list that each workspace's identity gives anyway. Sitemaps are one request a property and day;
what would fail a cell of the property fails them, too, but a permission that is missing does not.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from contract import FailureClass
from sync.account import Account, Site
from sync.errors import PropertyError
from sync.launch import Launch
from sync.plan.inventory import sitemaps_are_due

_log = logging.getLogger(__name__)


def note_properties(launch: Launch, workspace: str, sites: Sequence[Site]) -> None:
    """Everything that the identity of a workspace sees, synced or not."""
    if "properties" in launch.spec.inventory:
        # Dying before the commit leaves the list of before, to be read anew; dying after it, the next launch finds it equal.
        launch.store.inventory.note_properties(workspace, sites, launch.run, launch.spec.launch)


def sync_sitemaps(launch: Launch, account: Account, property_: str) -> None:
    """Ask once a day; a restricted user may not see sitemaps, which is noted and nothing to fail for.

    A refusal is no answer: whoever comes next asks again, since another identity may see them.

    Raises PropertyError, CredentialsError, QuotaError, GoogleUnavailable, BadAnswer or Interrupted.
    """
    store = launch.store.inventory
    if "sitemaps" not in launch.spec.inventory:
        return
    if not sitemaps_are_due(store.sitemaps_asked_at(property_), launch.clock.now()):
        return
    try:
        sitemaps = account.sitemaps(property_)
    except PropertyError as error:
        if error.failure_class is not FailureClass.PERMISSION_DENIED:
            raise
        _log.info("%s: its sitemaps may not be seen by this identity", property_)
        sitemaps = None
    # Dying before the commit, the next launch asks again; dying after it, it finds that today's answer is there.
    store.write_sitemaps(property_, sitemaps, launch.run, launch.spec.launch)
