"""The events with stable names, as audit log lines: what others build metrics and alerts on.

Each is one record of the logger `gsc.audit` with `event`, `measurements` (numbers) and `metadata` (names). Names and
fields are part of the contract; docs/contract.md lists them. Telling never fails the work.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from contract import Dependency, RunSummary, State
from sync.logs import AUDIT
from sync.tally import Tally

_audit = logging.getLogger(AUDIT)


class Events:
    """Tells what happened; requests are counted here too, since every one passes."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def api_request(
        self,
        *,
        operation: str,
        site_url: str,
        day: str,
        status: int,
        rows: int,
        duration_ms: int,
        rate_limited: bool,
    ) -> None:
        self._tally.requested(refused=rate_limited)
        _tell(
            logging.INFO,
            "api.request",
            {"duration_ms": duration_ms, "rows": rows},
            {
                "operation": operation,
                "site_url": site_url,
                "date": day,
                "status": status,
                "rate_limited": rate_limited,
            },
        )

    def token_refresh(self, *, workspace: str, duration_ms: int, ok: bool) -> None:
        level = logging.INFO if ok else logging.WARNING
        _tell(level, "auth.token_refresh", {"duration_ms": duration_ms}, {"workspace": workspace, "ok": ok})

    def quota_waited(self, seconds: float) -> None:
        """No line of its own: there is one a request."""
        self._tally.waited(seconds)

    def quota_learned(self, *, scope: str, bucket: str, rate: float, pause: float) -> None:
        _tell(
            logging.WARNING,
            "quota.learned",
            {"requests_per_second": round(rate, 3), "pause_ms": int(pause * 1000)},
            {"scope": scope, "name": bucket},
        )

    def quota_rests(self, *, scope: str, bucket: str, spent: str, seconds: float) -> None:
        _tell(
            logging.WARNING,
            "quota.rests",
            {"seconds": int(seconds)},
            {"scope": scope, "name": bucket, "spent": spent},
        )

    def circuit_changed(self, *, dependency: Dependency, state: str, failures: int) -> None:
        closed = state == "closed"
        self._tally.circuit(dependency, closed=closed)
        _tell(
            logging.INFO if closed else logging.WARNING,
            "circuit.changed",
            {"failures": failures},
            {"dependency": dependency.value, "state": state},
        )

    def property_synced(
        self,
        *,
        workspace: str,
        site_url: str,
        ending: str,
        error_class: str,
        cells: int,
        cells_skipped: int,
        catch_up_days: int,
        rows_written: int,
        duration_ms: int,
    ) -> None:
        _tell(
            logging.INFO if not error_class else logging.WARNING,
            "sync.complete",
            {
                "duration_ms": duration_ms,
                "cells": cells,
                "cells_skipped": cells_skipped,
                "catch_up_days": catch_up_days,
                "rows_written": rows_written,
            },
            {"workspace": workspace, "site_url": site_url, "ending": ending, "error_class": error_class},
        )

    def launch_ended(self, summary: RunSummary) -> None:
        """`auto_sync.complete` when the launch did its work, `auto_sync.failed` when it did not."""
        measurements = {
            "total_workspaces": summary.total_workspaces,
            "successes": summary.succeeded_workspaces,
            "failures": summary.failed_workspaces,
            "duration_ms": summary.duration_ms,
            "properties": summary.properties,
            "cells": summary.cells,
            "cells_skipped": summary.cells_skipped,
            "catch_up_days": summary.catch_up_days,
            "rows_written": summary.rows_written,
            "rows_deleted": summary.rows_deleted,
            "requests": summary.requests,
            "refused_requests": summary.refused_requests,
            "quota_wait_ms": summary.quota_wait_ms,
        }
        metadata = {
            "state": summary.state.value,
            "error_class": summary.error_class.value if summary.error_class else "",
            "reason": summary.message,
            "results": {
                "successes": [success.workspace for success in summary.successes],
                "failures": {failure.workspace: failure.failure_class.value for failure in summary.failures},
            },
        }
        if summary.state in {State.FAILED, State.CANCELLED}:
            _tell(logging.ERROR, "auto_sync.failed", measurements, metadata)
        else:
            level = logging.WARNING if summary.failed_workspaces else logging.INFO
            _tell(level, "auto_sync.complete", measurements, metadata)


def _tell(level: int, event: str, measurements: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    _audit.log(level, event, extra={"event": event, "measurements": measurements, "metadata": metadata})
