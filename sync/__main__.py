"""Where the process starts: `python -m sync`. What it can do stands in `command`.

Importing makes hundreds of thousands of objects and next to no garbage, yet Python would look through them a hundred
times: a fifth of the second that a launch takes to start. What was imported stays to the end, so it is never looked
through at all.
"""

from __future__ import annotations

import gc


def main() -> None:
    gc.disable()
    from sync.command import cli  # noqa: PLC0415 - after the line above, which is there for it

    gc.freeze()
    gc.enable()
    cli(prog_name="python -m sync")


if __name__ == "__main__":
    main()
