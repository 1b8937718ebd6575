"""Which properties a shard does. Pure: a stable hash of the property's name, so shards agree without talking.

Divided by property and not by cell: the probe of a property, its dictionaries and its quota belong to one shard then, and
Google's limit for one property would keep several shards from being faster than one.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

from sync.plan.choice import Chosen


def is_mine(property_: str, shard: int, shards: int) -> bool:
    """Whether this shard of so many does that property; each property has exactly one."""
    if shards <= 1:
        return True
    digest = blake2b(property_.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) % shards == shard


def share_of(chosen: Chosen, shard: int, shards: int) -> Chosen:
    """What this shard syncs, and what it reports as missing."""
    return replace(
        chosen,
        properties=tuple(name for name in chosen.properties if is_mine(name, shard, shards)),
        missing=tuple(each for each in chosen.missing if is_mine(each[0], shard, shards)),
    )
