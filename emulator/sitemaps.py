"""The sitemaps of a property, in Google's peculiar form: counters are strings, false and zero are left out."""

from __future__ import annotations

from typing import Any

from emulator.config import Property


def sitemaps_of(prop: Property) -> list[dict[str, Any]]:
    """As many entries as the configuration says."""
    domain = prop.url.removeprefix("sc-domain:")
    home = f"https://www.{domain}/" if domain != prop.url else prop.url
    return [_entry(home, number) for number in range(1, prop.sitemaps + 1)]


def _entry(home: str, number: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "path": f"{home}sitemap-{number}.xml",
        "lastSubmitted": "2026-01-02T03:04:05.678Z",
        "lastDownloaded": "2026-01-03T04:05:06.789Z",
        "type": "sitemap",
        "contents": [{"type": "web", "submitted": str(100 * number)}],
    }
    if number % 2 == 0:
        entry |= {"isSitemapsIndex": True, "warnings": "3"}
    if number % 3 == 0:
        entry |= {"isPending": True, "errors": str(number), "type": "rssFeed"}
        entry["contents"].append({"type": "image", "submitted": str(10**12 + number)})
        del entry["lastDownloaded"]
    return entry
