"""Text from outside (annotations, pods, the API server's answers), made fit for status, events and logs.

It is hostile until it has passed here: control characters and line breaks become blanks, bidirectional overrides go,
and the length is bounded in bytes as they will stand in JSON, so that no message can push a status over its limit.
"""

from __future__ import annotations

import json
import unicodedata

ELLIPSIS = "…"
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def json_bytes(value: object) -> int:
    """Size of the value as compact JSON in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass"))


def clean(text: str) -> str:
    """One line without control, format or unassigned characters, blanks collapsed."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(" " if unicodedata.category(c) in _UNWANTED else c for c in text).split())


def _is_plain(text: str) -> bool:
    """Whether it stands in JSON byte for byte; nearly every text does."""
    return text.isascii() and '"' not in text and "\\" not in text


def cut(text: str, limit: int) -> str:
    """The cleaned text, at most `limit` bytes as it stands between quotes in JSON."""
    text = clean(text[: 4 * limit])
    if len(text) <= limit and (_is_plain(text) or json_bytes(text) - 2 <= limit):
        return text
    room = limit - len(ELLIPSIS.encode())
    kept = 0
    for index, character in enumerate(text):
        kept += json_bytes(character) - 2
        if kept > room:
            return text[:index].rstrip() + ELLIPSIS
    return text
