"""All workspaces of a launch: found side by side, their properties worked on side by side, each failing alone.

Finding a workspace and syncing a property are tasks of `sync.turns`. The first property of each workspace goes before
the second of any, so that neither a large workspace nor a slow one makes the others wait; within a workspace, and among
equals, the oldest-synced and then the small ones go first. A property that several identities see is synced once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from contract import Workspace
from sync.account import Account, Accounts, Site
from sync.errors import (
    BadAnswer,
    CredentialsError,
    GoogleUnavailable,
    Interrupted,
    PropertyError,
    QuotaError,
    SyncError,
)
from sync.inventory import note_properties
from sync.launch import Halt, Identity, Launch
from sync.outcomes import Ending, PropertyOutcome, WorkspaceOutcome, conclude
from sync.plan.choice import Chosen, choose
from sync.plan.order import Key, in_order
from sync.plan.shards import share_of
from sync.plan.windows import regular
from sync.property_sync import PropertySync
from sync.shared import Shared
from sync.stop import Stop, StopReason
from sync.turns import Once, Turns, threads

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """What a workspace's identity gives: its account and properties, or the error that stands in the way."""

    workspace: Workspace
    account: Account | None = None
    chosen: Chosen = field(default_factory=lambda: Chosen(()))
    error: SyncError | None = None
    sites: Sequence[Site] = ()
    """Everything the identity sees, chosen or not."""
    halt: Halt = field(default_factory=Halt)


def find(workspace: Workspace, accounts: Accounts, stop: Stop) -> Found:
    """Open the account and choose its properties. Never raises what concerns one workspace only."""
    try:
        stop.check()
        account = accounts(workspace)
        sites = account.sites()
        chosen = choose(sites, workspace.properties)
    except (CredentialsError, QuotaError, GoogleUnavailable, BadAnswer, PropertyError, Interrupted) as error:
        return Found(workspace, error=error)
    if chosen.unverified:
        _log.warning(
            "workspace %s: not verified, so skipped: %s", workspace.name, ", ".join(chosen.unverified[:20])
        )
    if not chosen.properties and not chosen.missing:
        _log.warning(
            "workspace %s matches no property; check include, exclude and the identity's access",
            workspace.name,
        )
    return Found(workspace, account, chosen, sites=sites)


def sync_workspaces(launch: Launch, tick: Callable[[], None]) -> list[WorkspaceOutcome]:
    """Sync everything, as far as the launch lasts.

    Raises what concerns everybody: DatabaseError, Superseded, and whatever nobody foresaw.
    """
    crew = _Crew(launch)
    try:
        crew.turns.run(tick)
    except BaseException:
        launch.stop.request(StopReason.FATAL)
        crew.turns.abandon()
        raise
    return [
        _outcome(crew.found[workspace.name], crew.shared.outcomes(workspace.name))
        for workspace in launch.spec.workspaces
    ]


class _Crew:
    """Adds the tasks: first those that find, then those that sync."""

    def __init__(self, launch: Launch) -> None:
        limits = launch.spec.limits
        self.turns = Turns(threads=threads(limits), side_by_side=limits.concurrency, clock=launch.clock)
        self.shared = Shared()
        self.found: dict[str, Found] = {}
        self._launch = launch
        for number, workspace in enumerate(launch.spec.workspaces):
            self.turns.add((-1, number), Once(partial(self._seek, workspace)))

    def _seek(self, workspace: Workspace) -> None:
        launch = self._launch
        place = find(workspace, launch.accounts, launch.stop)
        place = replace(place, chosen=share_of(place.chosen, launch.shard, launch.spec.shards))
        self.found[workspace.name] = place
        if place.error is None:
            note_properties(launch, workspace.name, place.sites)
        if place.account is None:
            return
        identity = Identity(workspace.name, place.account, place.halt)
        first = regular(launch.spec.slot, launch.spec.window).first
        names = place.chosen.properties
        ordered = in_order(names, launch.store.synced(names, first), launch.clock.now()) if names else []
        mine = [(key, name) for key, name in ordered if self.shared.claim(name, identity)]
        launch.tally.found(len(mine))
        for turn, (key, name) in enumerate(mine):
            self._sync((turn, key), name, identity)

    def _sync(self, key: tuple[int, Key], name: str, identity: Identity) -> None:
        def ended(outcome: PropertyOutcome) -> None:
            following = self.shared.ended(outcome, identity)
            if following is not None:
                _log.warning("%s: on with the identity of workspace %s", name, following.workspace)
                self._sync(key, name, following)

        self.turns.add(key, PropertySync(name, identity, self._launch, ended))


def _outcome(place: Found, properties: Sequence[PropertyOutcome]) -> WorkspaceOutcome:
    missing = [PropertyOutcome(name, Ending.FAILED, error) for name, error in place.chosen.missing]
    error = place.error or place.halt.error
    if isinstance(error, Interrupted):
        return WorkspaceOutcome(place.workspace.name, Ending.UNFINISHED, (), error)
    if isinstance(error, QuotaError):
        if place.error is not None:
            return WorkspaceOutcome(place.workspace.name, Ending.POSTPONED, (), error)
        error = None
    return conclude(place.workspace.name, (*properties, *missing), error)
