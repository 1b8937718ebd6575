"""URL inspection: what the index says of a page, a pure function of its URL and the seed.

Shaped as in Google's discovery document of the v1 API; fields that Google omits are left out here, too.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from emulator import errors

_STATES: tuple[tuple[str, str, str], ...] = (
    ("PASS", "Submitted and indexed", "SUCCESSFUL"),
    ("PASS", "Indexed, not submitted in sitemap", "SUCCESSFUL"),
    ("NEUTRAL", "Crawled - currently not indexed", "SUCCESSFUL"),
    ("NEUTRAL", "Discovered - currently not indexed", ""),
    ("FAIL", "Not found (404)", "NOT_FOUND"),
)


def inspected(seed: int, site: str, url: object) -> dict[str, Any]:
    """The answer for one URL; raises ApiError for one that does not lie below the property."""
    if not isinstance(url, str) or not url:
        raise errors.invalid("inspectionUrl is required.", "inspection_url")
    if not _below(site, url):
        raise errors.invalid(
            "You do not own this site, or the inspected URL is not part of this property.", "inspection_url"
        )
    draw = crc32(f"{seed}|{url}".encode("utf-8", "surrogatepass"))
    verdict, coverage, fetched = _STATES[draw % len(_STATES)]
    status: dict[str, Any] = {
        "verdict": verdict,
        "coverageState": coverage,
        "robotsTxtState": "ALLOWED",
        "indexingState": "INDEXING_ALLOWED",
    }
    if fetched:
        day = 1 + draw % 28
        status |= {
            "pageFetchState": fetched,
            "lastCrawlTime": f"2026-02-{day:02d}T03:04:05Z",
            "crawledAs": "MOBILE" if draw % 2 else "DESKTOP",
        }
    if verdict == "PASS":
        status |= {"googleCanonical": url, "userCanonical": url if draw % 3 else f"{url}#canonical"}
    return {
        "inspectionResult": {
            "inspectionResultLink": "https://search.google.com/search-console/inspect",
            "indexStatusResult": status,
        }
    }


def _below(site: str, url: str) -> bool:
    if not site.startswith("sc-domain:"):
        return url.startswith(site)
    host = url.partition("://")[2].partition("/")[0]
    domain = site.removeprefix("sc-domain:")
    return host == domain or host.endswith(f".{domain}")
