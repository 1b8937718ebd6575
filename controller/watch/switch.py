"""Switch: reads the ConfigMap with the kill switch and the queues, every few seconds, and says when it is another.

One small GET in ten seconds, whatever the number of schedules. Nothing is decided in a term before the switch was read;
while it cannot be read afterwards, what was read last holds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from controller.cluster.port import ClusterError, NotFound, Refused
from controller.model.policy import Policy, parse_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.clock import Clock
    from controller.cluster.port import Cluster

NAME = "gsc-sync-switch"

log = logging.getLogger(__name__)


class Switch:
    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        namespace: str,
        every_seconds: float,
        changed: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._namespace = namespace
        self._every = every_seconds
        self._changed = changed
        self.policy = Policy()
        self.refused = ""
        """The API server's words when we may not read it; everything runs as if there were none."""

    async def run(self) -> None:
        while True:
            await self._clock.sleep(self._every)
            await self.read()

    async def read(self) -> bool:
        """Read it now; False when the API server cannot say."""
        try:
            policy = parse_policy(await self._cluster.get_config(self._namespace, NAME))
            self.refused = ""
        except NotFound:
            policy, self.refused = Policy(), ""
        except Refused as error:
            self.refused = f"the operator may not read ConfigMap {NAME}: {error}"
            return True
        except ClusterError as error:
            log.warning(
                "the switch cannot be read", extra={"event": "switch.unread", "why": str(error)[:512]}
            )
            return False
        if policy != self.policy:
            self.policy = policy
            log.warning(
                "the switch is set to %s",
                policy.mode,
                extra={
                    "event": "switch.changed",
                    "mode": policy.mode.value,
                    "problems": list(policy.problems),
                },
            )
            self._changed()
        return True
