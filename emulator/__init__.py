"""A stand-in for the Search Console API, for tests and the demo; never part of the production image.

It enforces Google's rules and serves rows that are a pure function of a seed, so that `Dataset` can be the oracle of a
test. `run_emulator` runs it inside a test, `python -m emulator` as a program.
"""

from emulator.config import Account, Config, Property, Quota, default_config, documented_quotas, load
from emulator.dataset import Dataset, Row, Totals
from emulator.pacific import Stage, pacific_day, stage_of
from emulator.running import EmulatorThread, run_emulator

__all__ = [
    "Account",
    "Config",
    "Dataset",
    "EmulatorThread",
    "Property",
    "Quota",
    "Row",
    "Stage",
    "Totals",
    "default_config",
    "documented_quotas",
    "load",
    "pacific_day",
    "run_emulator",
    "stage_of",
]
