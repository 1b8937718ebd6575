"""The catalogue of tricky cases: each number has a test that bears it, or a reason why it cannot have one.

A test bears a number in its name (`test_d3_d5_...`) or in the id of a row ("D3 ..."), in whatever tier it means
something; all test files are read, none is run here.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[3]
NAMED = re.compile(r"test_((?:[tdclr]\d+_)+)")
ROW = re.compile(r"((?:[TDCLR]\d+ )+)\S")

CASES = {
    "T1": "gap: 02:30 daily, Europe/Berlin, 29 March 2026",
    "T2": "overlap: 02:30 daily, 25 October 2026",
    "T3": "hourly at :30 over both",
    "T4": "*/2 hours and ranges over both",
    "T5": "midnight gaps, half-hour shift, new rules of a zone",
    "T6": "29 February, the 31st, 30 February, day of month or weekday",
    "T7": "the clock steps two hours ahead",
    "T8": "the clock steps two hours back",
    "T9": "the process stands still across a slot",
    "T10": "created in the future, by the operator's clock",
    "T11": "a slot exactly now; awake a little early",
    "T12": "Pacific data days against the schedule's zone, on both days of change",
    "D1": "down over 1, 5, 101 and 10,000 slots, under each policy",
    "D2": "uneven slots missed",
    "D3": "crash after the Job, before the status",
    "D4": "the same, and the Job ends and is deleted before the restart",
    "D5": "crash before the Job, after the decision",
    "D6": "the status write fails: conflict, 429, 5xx, timeout but applied",
    "D7": "creating the Job times out but was applied",
    "D8": "two leaders for a while",
    "D9": "two replicas while rolling over",
    "D10": "created, edited, deleted while the operator is down",
    "D11": "a gap in the watch, a missed deletion",
    "D12": "created after the start",
    "D13": "twenty restarts in five minutes",
    "C1": "our own status write is not in the watch yet",
    "C2": "our own Job is not in the watch yet, the next slot is due",
    "C3": "somebody drops the status",
    "C4": "Forbid: the launch ends 10 ms after the next slot",
    "C5": "Replace: the old pod takes minutes to end",
    "C6": "the launch never starts: image, scheduling, node",
    "C7": "the Job is deleted by hand while it runs",
    "C8": "a foreign Job has our name",
    "C9": "deleted and made anew under the same name within the minute",
    "C10": "a run by hand during a scheduled one; a double click",
    "C11": "many due at once, half of them refused",
    "C12": "Kueue: suspended for hours, preempted, admitted again",
    "L1": "names of any length and kind",
    "L2": "two long names that are cut to the same",
    "L3": "edited while running",
    "L4": "edited to a time that has passed today",
    "L5": "zone and schedule edited three times within a second",
    "L6": "suspended while running; resumed after days, or within the minute of a slot",
    "L7": "an invalid edit of a living object",
    "L8": "deleted while running: background, foreground, orphan",
    "L9": "the namespace ends",
    "L10": "a history of none; what is not counted yet",
    "L11": "failures older than successes",
    "L12": "fields of other releases",
    "R1": "permanent, retryable and unknown exit codes",
    "R2": "eviction, preemption, drain, node loss",
    "R3": "out of memory, deadline, image missing",
    "R4": "failed, then succeeded",
    "R5": "a Job on its way to Failed",
    "R6": "termination message absent, long, no JSON; pod gone",
    "R7": "failures in a row, and the success that ends them",
    "R8": "quotas of Google, revoked token",
    "R9": "one slot run twice on purpose",
    "R10": "the sync succeeded while the operator was down",
    "R11": "an older run that ends after a newer one",
}

IN_PART = {
    "C7": "the run is launched again, which is no effect twice: a deletion by hand looks like a lost node",
}
"""What of a case is tested otherwise than its number suggests, or not at all, and why."""

UNTESTABLE: dict[str, str] = {}
"""Numbers without a test, and why there can be none."""


def bearers() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py")):
        for number, name in numbers_in(file.read_text()):
            found[number].append(f"{file.relative_to(TESTS).as_posix()}: {name}")
    return found


def numbers_in(source: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if match := NAMED.match(node.name):
                found += [(number, node.name) for number in match[1].upper().strip("_").split("_")]
        else:
            for text in ids(node):
                if match := ROW.match(text):
                    found += [(number, text) for number in match[1].split()]
    return found


def ids(node: ast.AST) -> list[str]:
    """Texts that name rows: keys of a table, `id=` of a parameter, `ids=[...]`; of those put together, how they begin."""
    texts: list[ast.expr | None] = []
    if isinstance(node, ast.Dict):
        texts = [*node.keys]
    elif isinstance(node, ast.DictComp):
        texts = [node.key]
    elif isinstance(node, ast.keyword) and node.arg == "id":
        texts = [node.value]
    elif isinstance(node, ast.keyword) and node.arg == "ids" and isinstance(node.value, ast.List):
        texts = [*node.value.elts]
    starts = [text.values[0] if isinstance(text, ast.JoinedStr) and text.values else text for text in texts]
    return [f"{it.value}…" for it in starts if isinstance(it, ast.Constant) and isinstance(it.value, str)]


BEARERS = bearers()


@pytest.mark.parametrize("number", CASES)
def test_has_a_test(number: str) -> None:
    assert bool(BEARERS[number]) != (number in UNTESTABLE), f"{number}: {CASES[number]}"


def test_no_number_is_unknown_or_left_out() -> None:
    assert set(BEARERS) <= set(CASES), "a test bears a number that is not in the catalogue"
    assert set(UNTESTABLE) | set(IN_PART) <= set(CASES)
    sizes = {"T": 12, "D": 13, "C": 12, "L": 12, "R": 11}
    assert list(CASES) == [
        f"{letter}{number}" for letter, size in sizes.items() for number in range(1, size + 1)
    ]


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("def test_d3_d5_x(): ...", ["D3", "D5"]),
        ("async def test_t1_x(): ...", ["T1"]),
        ('ROWS = {"T1 a row": 1, f"T2 {x}": 2}', ["T1", "T2"]),
        ('ROWS = {f"D1 {x}": x for x in y}', ["D1"]),
        ('pytest.param(1, id="T7 T9 both")', ["T7", "T9"]),
        ('parametrize("x", [1], ids=["R1 one"])', ["R1"]),
        ("def test_a_d3_x(): 'T1 no id'", []),
        ('ROWS = {"T1": 1, "D3x y": 2}', []),
    ],
)
def test_the_check_itself_sees_names_and_rows(source: str, numbers: list[str]) -> None:
    assert [number for number, _ in numbers_in(source)] == numbers
