"""How often a schedule fires at most, and whether this installation allows that.

Counted on a clock that nobody changes: on the days of daylight saving two slots may lie an hour closer or further apart,
and that is nobody's mistake.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

from controller.decide.cron import Cron

EVERY_MINUTE = 60
"""Five fields cannot ask for more, in seconds."""
_DAY_MINUTES = 24 * 60
_DAY = timedelta(days=1)
_FIRST = date(2024, 1, 1)
_FOUR_YEARS = 4 * 365 + 1


def too_often(cron: Cron, seconds: int) -> str:
    """What is wrong with a schedule that fires more often than once in `seconds`; '' when it does not."""
    if seconds <= EVERY_MINUTE:
        return ""
    closest = closest_seconds(cron)
    if closest >= seconds:
        return ""
    return (
        f"`schedule` '{cron.expression[:64]}' has slots {closest} s apart; this installation allows one in {seconds} s, "
        "so name fewer minutes or hours, or ask its administrator (`operator.minIntervalSeconds`)"
    )


@lru_cache(maxsize=2048)
def closest_seconds(cron: Cron) -> int:
    """How close two slots are; what is further apart than a day counts as some number of seconds above one."""
    times = cron.minutes_of_day()
    overnight = times[0] + _DAY_MINUTES - times[-1]
    within = min((later - earlier for earlier, later in pairwise(times)), default=_DAY_MINUTES + overnight)
    if overnight < within and _on_two_days_running(cron):
        return 60 * overnight
    return 60 * min(within, _DAY_MINUTES + overnight)


def _on_two_days_running(cron: Cron) -> bool:
    days = (_FIRST + number * _DAY for number in range(_FOUR_YEARS))
    return any(cron.fires_on(day) and cron.fires_on(day + _DAY) for day in days)
