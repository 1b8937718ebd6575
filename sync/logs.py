"""How the program speaks: one JSON object a line in pods, readable text at a terminal.

Every line carries what it belongs to (schedule, run, attempt, launch), passes the redaction and is one line, tracebacks
in text aside. The audit logger `gsc.audit` has the events with stable names; at a terminal it is quiet unless asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from sync.redact import escape_controls, redact
from sync.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

AUDIT = "gsc.audit"


class Bound(logging.Filter):
    """Adds to every record what all records of this launch share."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__()
        self._fields = dict(fields)

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in self._fields.items():
            setattr(record, name, value)
        return True


class JsonLines(JsonFormatter):
    """One JSON object a line: ts, level, logger, message, event and what belongs to it."""

    def __init__(self) -> None:
        super().__init__("%(message)s", json_ensure_ascii=True)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data["ts"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class TextLines(logging.Formatter):
    """For people: the message, and for events their name and figures."""

    def __init__(self, layout: str = "%(asctime)s %(levelname)-7s %(message)s") -> None:
        super().__init__(layout)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        measurements: Mapping[str, Any] = getattr(record, "measurements", {})
        metadata: Mapping[str, Any] = getattr(record, "metadata", {})
        figures = " ".join(
            f"{name}={value}" for name, value in {**metadata, **measurements}.items() if value != ""
        )
        return escape_controls(super().formatMessage(record) + (f"  {figures}" if figures else ""))

    def format(self, record: logging.LogRecord) -> str:
        return escape_controls(redact(super().format(record)), keep="\n")


def configure(settings: Settings, stream: TextIO, console: Console | None, bound: Mapping[str, Any]) -> None:
    """Set the root logger up; `console` is the terminal to share with a progress display, if there is one."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and console is None)
    handler: logging.Handler
    if as_json:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(JsonLines())
    elif console is not None:
        from sync.terminal import handler_of  # noqa: PLC0415 - a pod needs none of it

        handler = handler_of(console)
        handler.setFormatter(TextLines("%(message)s"))
    else:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(TextLines())
    handler.addFilter(Bound(bound))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    quiet = console is not None and not as_json and settings.log_level == "INFO"
    logging.getLogger(AUDIT).setLevel(logging.WARNING if quiet else logging.NOTSET)
    for library in ("urllib3", "google", "alembic", "psycopg"):
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
