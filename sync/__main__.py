"""Where the process starts and ends: `python -m sync`. What it can do stands in `command`.

Importing makes hundreds of thousands of objects and next to no garbage, yet Python would look through them a hundred
times: a fifth of the second that a launch takes to start. What was imported stays to the end, so it is never looked
through at all; and at the end, when everything is written and closed, the kernel takes the memory back at once, where
Python would take it apart object by object.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    gc.disable()
    # Else pydantic looks through all that is installed for plugins; this program has none, and wants nobody else's.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from sync.command import cli  # noqa: PLC0415 - after the lines above, which are there for it

    gc.freeze()
    gc.enable()
    try:
        cli(prog_name="python -m sync")
    except SystemExit as ended:
        if isinstance(ended.code, int):
            _end(ended.code)
        raise
    raise AssertionError("click ends the process")


def _end(code: int) -> NoReturn:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # nobody reads any more
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
