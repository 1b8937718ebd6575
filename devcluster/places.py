"""Where things lie. Everything that outlives a command is below two folders: a cache that may be deleted at any
time, and a state folder with one run folder for each cluster that is up (`down` removes it)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

PROJECT = "gsc-sync-operator"
SOURCES = Path(__file__).resolve().parent / "binaries"
STAGES = Path(__file__).resolve().parent / "stages"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
# A unix socket's path may have 107 bytes, and the longest one of a node takes 35 after the run folder.
LONGEST_RUN_FOLDER = 70


@dataclass(frozen=True, slots=True)
class Places:
    cache: Path
    state: Path

    @classmethod
    def of(cls, environment: Mapping[str, str], home: Path) -> Places:
        """By the XDG rules: a variable that is unset, empty or relative counts as not given."""

        def base(variable: str, default: Path) -> Path:
            given = Path(environment.get(variable, ""))
            return given if given.is_absolute() else default

        return cls(
            cache=base("XDG_CACHE_HOME", home / ".cache") / PROJECT,
            state=base("XDG_STATE_HOME", home / ".local" / "state") / PROJECT,
        )

    @classmethod
    def here(cls) -> Places:
        return cls.of(os.environ, Path.home())

    @property
    def binaries(self) -> Path:
        return self.cache / "binaries"

    @property
    def tools(self) -> Path:
        return self.cache / "tools"

    @property
    def clusters(self) -> Path:
        return self.state / "clusters"

    def run_folder(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise DevclusterError(
                f"{name!r} is no name for a cluster: lower-case letters, digits and -, at most 40"
            )
        return self.clusters / name
