"""Which of the properties an identity sees are synced. Pure.

Patterns are matched byte for byte against Google's own spelling. A pattern without wildcards that names nothing visible
is a mistake a person made, or a permission somebody took away: it is reported, with the nearest spelling if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import unquote

from contract import FailureClass, PropertyFilter
from sync.account import Site
from sync.errors import PropertyError

_WILDCARDS = "*?["


@dataclass(frozen=True, slots=True)
class Chosen:
    """The properties to sync, in order, and one error for each that was asked for by name and cannot be."""

    properties: tuple[str, ...]
    missing: tuple[tuple[str, PropertyError], ...] = ()
    unverified: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """What the identity sees besides, for a person who wonders why nothing matches."""


def choose(sites: Sequence[Site], wanted: PropertyFilter) -> Chosen:
    """Apply include and exclude; exclude wins."""
    matching = {site.url: site for site in sites if _matches(site.url, wanted)}
    readable = tuple(sorted(url for url, site in matching.items() if site.readable))
    unverified = tuple(sorted(url for url, site in matching.items() if not site.readable))
    by_name = [pattern for pattern in wanted.include if not any(sign in pattern for sign in _WILDCARDS)]
    missing = tuple(
        (name, _not_to_be_had(name, sites, unverified=name in unverified))
        for name in dict.fromkeys(by_name)
        if name not in readable and not any(fnmatchcase(name, pattern) for pattern in wanted.exclude)
    )
    others = tuple(sorted(site.url for site in sites if site.url not in matching))
    return Chosen(readable, missing, unverified, others)


def _matches(url: str, wanted: PropertyFilter) -> bool:
    included = any(url == pattern or fnmatchcase(url, pattern) for pattern in wanted.include)
    return included and not any(url == pattern or fnmatchcase(url, pattern) for pattern in wanted.exclude)


def _not_to_be_had(name: str, sites: Sequence[Site], *, unverified: bool) -> PropertyError:
    if unverified:
        text = f"{name} is not verified for this identity; verify it in Search Console or remove it from include."
        return PropertyError(text, FailureClass.PERMISSION_DENIED)
    alike = next((site.url for site in sites if _folded(site.url) == _folded(name)), None)
    if alike is not None:
        text = f"{name} is spelled {alike} at Google; write it exactly so under include."
    else:
        text = f"{name} is not visible to this identity; add it as a user of the property in Search Console or correct the name."
    return PropertyError(text, FailureClass.PROPERTY_GONE)


def _folded(name: str) -> str:
    """For comparing only: decoded, lower case, without scheme differences in the trailing slash."""
    return unquote(name).strip().lower().rstrip("/")
