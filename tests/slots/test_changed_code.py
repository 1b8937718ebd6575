"""Would the comparison see a fault? The module is changed at one place at a time, and every change must be found.

Each comparison is turned at its border, each plus into a minus, each `and` into an `or`, each number grows by one, each
bisection and bound goes to the other side. What remains unseen is listed here with the reason why nobody can see it.
"""

from __future__ import annotations

import ast
import random
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest

from controller.decide import cron
from tests.oracle.slots import Almanac, Rule, long_walk, slots
from tests.oracle.sweep import RULES, SCHEDULES, SPARSE, compare, forward, probe, same, windows

ZONES = (
    "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham", "America/Sao_Paulo", "Asia/Beirut", "Africa/Casablanca", "Pacific/Apia",
    "America/Caracas", "Antarctica/Troll", "Asia/Tokyo", "Etc/UTC",
)  # fmt: skip
NOT_ABOUT_SLOTS = {"_fields_of", "zone_of", "_zones", "_plain", "parse"}
"""What is accepted is tested by rows."""
UNSEEN = {
    "_parse: 2048 -> 2049": "the size of a cache",
    "_parse: 64 -> 65": "the length of a message",
    "_parse: 2000 -> 2001": "the date the library is started with",
    "_parse: 1 -> 2": "the same",
    "_next_month: 4 -> 5": "any day of the next month will do",
    "_reached: not local.fold and before <= offset": "only in a second pass is the offset less than before",
    "_reached: before < offset": "the same",
    "next_after: slot >= moment": "a slot of a later wall time is later",
    "count_between: until < after": "nothing lies between equals",
    "count_between: offset >= before": "two pieces never have one offset",
    "_count_walls: until < after": "nothing lies between equals",
    "_last_wall: day <= oldest": "a day more or less in forty years",
    "_last_wall: 0 -> 1": "seconds are not looked at",
}
TURNED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
OTHER_SIDE = {"bisect_left": "bisect_right", "bisect_right": "bisect_left", "min": "max", "max": "min"}
PATIENCE = 10.0
"""Seconds of processor time for all comparisons of one change; unchanged they take less."""
START, END = datetime(2010, 1, 2, tzinfo=UTC), datetime(2025, 12, 30, tzinfo=UTC)

Stretch = tuple[str, str, list[datetime], datetime, datetime]


class HangsError(Exception):
    """It does not come to an end."""


@pytest.fixture(scope="module")
def stretches() -> list[Stretch]:
    """Expression, zone, and all slots from one moment to another, by the model."""
    chance, found = random.Random(5), []
    for name in ZONES:
        zone = ZoneInfo(name)
        near = [
            it
            for year in (2011, 2016, 2018, 2026)
            for it in windows(zone, year, year, timedelta(hours=5), chance)
        ]
        for start, end in near[:4]:
            almanac = Almanac.of(zone, start, end)
            found += [(it, name, slots(RULES[it], almanac), start, end) for it in SCHEDULES]
    for name in ZONES[:6]:
        for expression in SPARSE:
            walked = long_walk(Rule.read(expression), ZoneInfo(name), date(2010, 1, 1), date(2025, 12, 31))
            found.append((expression, name, [slot for slot in walked if START <= slot <= END], START, END))
    return found


def changed(tree: ast.Module) -> Iterator[str]:
    """The tree, changed in place at one place after the other."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name in NOT_ABOUT_SLOTS:
            continue
        for node in ast.walk(function):
            match node:
                case ast.Compare(ops=[old]) if type(old) in TURNED:
                    node.ops = [TURNED[type(old)]()]
                    yield f"{function.name}: {ast.unparse(node)}"
                    node.ops = [old]
                case ast.BinOp(op=old) | ast.BoolOp(op=old) if type(old) in TURNED:
                    node.op = TURNED[type(old)]()
                    yield f"{function.name}: {ast.unparse(node)}"
                    node.op = old
                case ast.Constant(value=int(old)) if not isinstance(old, bool):
                    node.value = old + 1
                    yield f"{function.name}: {old} -> {old + 1}"
                    node.value = old
                case ast.Call(func=ast.Name(id=old)) if old in OTHER_SIDE:
                    node.func.id = OTHER_SIDE[old]
                    yield f"{function.name}: {ast.unparse(node)}"
                    node.func.id = old


def seen(tree: ast.Module, stretches: list[Stretch]) -> bool:
    module = ModuleType("changed_cron")
    sys.modules[module.__name__] = module  # where dataclasses look for their own names
    chance = random.Random(3)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE, 1)  # again each second, should nobody listen
    try:
        exec(compile(ast.unparse(tree), module.__name__, "exec"), module.__dict__)
        for expression, zone, expected, start, end in stretches:
            made = module.Cron.parse(expression, zone)
            if start != START:
                compare(made, expected, start, end, chance)
                continue
            same(forward(made, start, end), expected, expression)
            low = start + timedelta(days=chance.randrange(2000))
            high = low + timedelta(days=chance.randrange(30, 3600))
            probe(made, [slot for slot in expected if low <= slot <= high], low, high, chance)
    except (AssertionError, HangsError, ArithmeticError, LookupError, TypeError, ValueError):
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        del sys.modules[module.__name__]
    return False


@pytest.mark.timeout(1800)
def test_every_change_of_the_module_is_seen(stretches: list[Stretch], record_property) -> None:
    def hangs(*_: object) -> None:
        raise HangsError

    before = signal.signal(signal.SIGVTALRM, hangs)
    try:
        tree = ast.parse(Path(cron.__file__).read_text())
        assert not seen(tree, stretches), "unchanged it is right"
        changes = 0
        unseen = set()
        for change in changed(tree):
            changes += 1
            if not seen(tree, stretches):
                unseen.add(change)
    finally:
        signal.signal(signal.SIGVTALRM, before)
    assert unseen == set(UNSEEN)
    assert changes > 120
    record_property("changes of the module tried", changes)
