"""Dimension filters: which rows a filter lets through.

Comparisons are byte-exact for pages and queries, except `contains` and `notContains`, which ignore case. Regular
expressions are RE2's in Google; Python's are close, and what RE2 lacks (look-around, back-references) is refused as
Google refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple
from zlib import crc32

from emulator.dataset import Row
from emulator.errors import invalid

FILTER_DIMENSIONS = ("query", "page", "country", "device", "searchAppearance")
OPERATORS = ("equals", "notEquals", "contains", "notContains", "includingRegex", "excludingRegex")
APPEARANCES = ("PRODUCT_SNIPPETS", "VIDEO", "REVIEW_SNIPPET", "TRANSLATED_RESULT", "NEWS_SHOWCASE")
MAX_EXPRESSION = 4096
_NOT_IN_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>|\()|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+")


class Filter(NamedTuple):
    dimension: str
    operator: str
    expression: str


def appearance(page: str) -> str | None:
    """The search appearance of a page; most have none."""
    mark = crc32(page.encode()) % (3 * len(APPEARANCES))
    return APPEARANCES[mark] if mark < len(APPEARANCES) else None


def compile_expression(operator: str, expression: str) -> Callable[[str], bool]:
    """The test that an operator makes of one text; raises ApiError where Google refuses the expression."""
    if len(expression) > MAX_EXPRESSION:
        raise invalid(f"The expression is longer than {MAX_EXPRESSION} characters.", "expression")
    if operator.endswith("Regex"):
        if _NOT_IN_RE2.search(expression):
            raise invalid(f"Invalid regular expression: {expression!r}.", "expression")
        try:
            pattern = re.compile(expression)
        except re.error as error:
            raise invalid(f"Invalid regular expression: {expression!r}.", "expression") from error
        if operator == "includingRegex":
            return lambda text: pattern.search(text) is not None
        return lambda text: pattern.search(text) is None
    folded = expression.casefold()
    tests: dict[str, Callable[[str], bool]] = {
        "equals": lambda text: text == expression,
        "notEquals": lambda text: text != expression,
        "contains": lambda text: folded in text.casefold(),
        "notContains": lambda text: folded not in text.casefold(),
    }
    return tests[operator]


def _value(dimension: str) -> Callable[[Row], str | None]:
    if dimension == "searchAppearance":
        return lambda row: appearance(row.page)
    return attrgetter(dimension)


def matcher(filters: tuple[Filter, ...]) -> Callable[[Row], bool]:
    """One test for all filters: they are joined by and. A row without a value (an anonymised query) never passes."""
    tests = [(_value(item.dimension), compile_expression(item.operator, item.expression)) for item in filters]

    def passes(row: Row) -> bool:
        for value_of, test in tests:
            value = value_of(row)
            if value is None or not test(value):
                return False
        return True

    return passes
