"""Short commands of the system, with their own words when they fail."""

from __future__ import annotations

import os
import subprocess

from devcluster.errors import DevclusterError
from devcluster.packages import SYSTEM_PATH


def run(*command: str, stdin: str | None = None, seconds: float = 60) -> str:
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"}
    try:
        done = subprocess.run(
            command,
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
    except FileNotFoundError:
        raise DevclusterError(f"the program {command[0]} is missing") from None
    except subprocess.TimeoutExpired:
        raise DevclusterError(f"{' '.join(command[:4])} did not end within {seconds:.0f} s") from None
    if done.returncode != 0:
        raise DevclusterError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def try_run(*command: str) -> bool:
    try:
        run(*command)
    except DevclusterError:
        return False
    return True
