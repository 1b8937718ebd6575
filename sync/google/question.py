"""What is asked of Google: a value that knows its method, its path and what it is about.

Below everything that asks: `account`, `sitemaps` and `inspection` make questions, `client` sends them, and a process beside
the launch has them sent by it (`sync.processes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: its name in the logs, the property and day it is about, and the request itself."""

    operation: str
    path: str
    site_url: str = ""
    day: str = ""
    query: Mapping[str, Any] | None = None

    @property
    def method(self) -> str:
        return "GET" if self.query is None else "POST"


def sites_question() -> Question:
    return Question("sites.list", "sites")


def query_question(operation: str, property_: str, query: Mapping[str, Any]) -> Question:
    """A search analytics query; the property is one path segment, so every reserved character is escaped."""
    path = f"sites/{quote(property_, safe='')}/searchAnalytics/query"
    day = (
        query["startDate"]
        if query["startDate"] == query["endDate"]
        else f"{query['startDate']}..{query['endDate']}"
    )
    return Question(operation, path, property_, day, query)
