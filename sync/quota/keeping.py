"""How long a budget is kept that nobody uses. Pure; the same rule stands as SQL in `sync.store.quota`."""

from __future__ import annotations

from sync.quota.bucket import Bucket
from sync.quota.rest import REMEMBERED_SECONDS

KEPT_PLAIN_SECONDS = 3600.0
"""A budget that has learnt nothing is made again at no loss."""

KEPT_LEARNED_SECONDS = 7 * 86400.0


def may_go(bucket: Bucket, now: float) -> bool:
    idle = now - bucket.touched_at
    resting = bucket.rest is not None and now - bucket.rest.until <= REMEMBERED_SECONDS
    plain = bucket.learned.rate is None
    return not resting and idle > (KEPT_PLAIN_SECONDS if plain else KEPT_LEARNED_SECONDS)
