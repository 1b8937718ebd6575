"""StatusWriter: one status, one PATCH, with the resource version it was decided from as precondition.

The table learns the answer at once, so that the next decision starts from what was written even when the watch is
behind. After any doubt (somebody wrote in between, the answer got lost) the object is read again and whoever decided
decides again: a status is derived, so deciding it twice from the truth is harmless.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from controller.cluster.port import Conflict, NotFound, Refused, Unavailable
from controller.model.parse import parse_schedule
from controller.model.status_io import read_status, write_status

if TYPE_CHECKING:
    from controller.cluster.port import Cluster
    from controller.model.schedule import Schedule
    from controller.model.status import Status
    from controller.table import Table


class Written(StrEnum):
    YES = "written"
    AGAIN = "again"
    """The object was read anew; decide again."""
    GONE = "gone"


class StatusWriter:
    def __init__(self, cluster: Cluster, table: Table) -> None:
        self._cluster = cluster
        self._table = table

    async def write(self, schedule: Schedule, status: Status) -> Written:
        """Write it; raises ClusterError when it is not known whether it was written and reading again failed too."""
        body = write_status(status, schedule)
        try:
            # Dying just before: the Job that was created is found by its name at the next start and adopted.
            # Dying just after: the next start reads this very status and goes on from it.
            answer = await self._cluster.patch_status(
                schedule.namespace, schedule.name, schedule.resource_version, body
            )
        except (Conflict, Unavailable):
            return await self.reread(schedule)
        except NotFound:
            await self._make_sure_it_is_gone(schedule)
            self._table.drop_schedule(schedule.uid)
            return Written.GONE
        self._table.put_schedule(parse_schedule(answer), read_status(answer), wake=False)
        return Written.YES

    async def _make_sure_it_is_gone(self, schedule: Schedule) -> None:
        """A definition without a status subresource answers as a schedule does that is gone. Raises Refused for it."""
        try:
            body = await self._cluster.get_schedule(schedule.namespace, schedule.name)
        except NotFound:
            return
        if parse_schedule(body).uid == schedule.uid:
            raise Refused(
                f"the schedule '{schedule.name}' in namespace '{schedule.namespace}' is there, but its status cannot be "
                "written: its CustomResourceDefinition has no status subresource; apply the definition of this release"
            )

    async def reread(self, schedule: Schedule) -> Written:
        """Put the server's truth into the table."""
        try:
            body = await self._cluster.get_schedule(schedule.namespace, schedule.name)
        except NotFound:
            self._table.drop_schedule(schedule.uid)
            return Written.GONE
        fresh = parse_schedule(body)
        if fresh.uid != schedule.uid:
            self._table.drop_schedule(schedule.uid)
        self._table.put_schedule(fresh, read_status(body))
        self._table.touch(fresh.uid)
        return Written.AGAIN
