"""Logs: one JSON object per line, with an `event` name where a machine may want to look for it.

Text from outside (resources, pods, the API server) reaches log lines, so every string is bounded, stripped of control
characters and cleared of what looks like a secret before it is written.
"""

from __future__ import annotations

import logging
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, TextIO

from pythonjsonlogger.json import JsonFormatter

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TEXT = 4096
HIDDEN = "[redacted]"

_SECRETS = (
    re.compile(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    re.compile(r"\bya29\.[\w.-]+"),
    re.compile(r"\b1//[\w-]{20,}"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    re.compile(r"(?i)(?<=bearer )[\w.~+/-]{8,}=*"),
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),
    re.compile(
        r"(?i)(?<![a-z])((?:password|passwd|client_secret|refresh_token|access_token|private_key|api_key)"
        r"[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}]+"
    ),
)


def redact(text: str) -> str:
    """Return the text without secrets and control characters, at most 4 KiB."""
    text = text[: MAX_TEXT * 2]
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: (match[1] if match.re.groups else "") + HIDDEN, text)
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT] + "…"
    return "".join(_escape(character) for character in text)


def _escape(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character
    return f"\\u{ord(character):04x}"


class Formatter(JsonFormatter):
    """ts, level, logger, message, event and whatever the line brings along."""

    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "ts", "levelname": "level", "name": "logger"},
            json_ensure_ascii=True,
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002 - logging's
        stamp = self.converter(record.created)
        return (
            f"{stamp.tm_year:04}-{stamp.tm_mon:02}-{stamp.tm_mday:02}T"
            f"{stamp.tm_hour:02}:{stamp.tm_min:02}:{stamp.tm_sec:02}.{int(record.msecs):03}Z"
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {str(key): _clean(value) for key, value in log_data.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redact(str(value))


def configure(
    level: str, stream: TextIO | None = None, quiet: Mapping[str, int] | None = None
) -> logging.Handler:
    """Take over the root logger. Returns the handler, so that a test can take it off again."""
    import time  # noqa: PLC0415 - only the converter is wanted, and only here

    handler = logging.StreamHandler(stream or sys.stdout)
    formatter = Formatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in (quiet or QUIET).items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelName(level)))
    return handler


QUIET = {
    "kopf._core.reactor.running": logging.ERROR,  # it warns that signals are ours, at each start
    "kopf": logging.WARNING,
    "kopf.objects": logging.WARNING,
    "asyncio": logging.WARNING,
    "aiohttp": logging.WARNING,
}
