"""A range of days laid over an order: what `--from` and `--to` ask for. Pure.

The result is a run of its own, with a name made of the range: it neither takes the fence of the run whose order was
used nor is taken for done because that one is; started again, it goes on where it stopped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from contract import ContractError, RunSpec, Window
from sync.errors import ConfigurationError
from sync.plan.windows import pacific_day

RUN_ID_CHARACTERS = 63


@dataclass(frozen=True, slots=True)
class Range:
    """The days of the command line, midnights without a zone; both ends included."""

    first: datetime | None = None
    last: datetime | None = None

    def over(self, spec: RunSpec) -> RunSpec:
        """The order for these days; unchanged when none were named.

        Raises ConfigurationError.
        """
        if self.first is None:
            if self.last is not None:
                raise ConfigurationError("--to needs --from.")
            return spec
        first = self.first.date()
        last = self.last.date() if self.last else pacific_day(spec.slot)
        days = {"firstDay": first.isoformat(), "lastDay": last.isoformat()}
        try:
            window = Window.from_json(json.dumps(json.loads(spec.window.to_json()) | days))
        except ContractError as error:
            raise ConfigurationError(f"--from and --to: {error}") from None
        run_id = f"b-{first:%Y%m%d}-{last:%Y%m%d}-{spec.run_id}"[:RUN_ID_CHARACTERS].rstrip("-")
        return spec.model_copy(update={"window": window, "run_id": run_id})


NO_RANGE = Range()
