"""Filters: operators, case, anonymised queries, and joining by and."""

import pytest

from emulator.dataset import Row
from emulator.filters import APPEARANCES, Filter, appearance, compile_expression, matcher

ROW = Row("https://a.example/Caf%C3%A9", "red Shoes", "usa", "MOBILE", 1, 2, 1.0)


@pytest.mark.parametrize(
    ("operator", "expression", "passes"),
    [
        ("equals", "red Shoes", True),
        ("equals", "red shoes", False),
        ("notEquals", "red shoes", True),
        ("contains", "SHOE", True),
        ("contains", "boot", False),
        ("notContains", "SHOE", False),
        ("notContains", "boot", True),
        ("includingRegex", "^red", True),
        ("includingRegex", "shoes$", False),
        ("includingRegex", "(?i)shoes$", True),
        ("excludingRegex", "^red", False),
        ("excludingRegex", "^blue", True),
    ],
)
def test_operators(operator: str, expression: str, passes: bool) -> None:
    assert compile_expression(operator, expression)(ROW.query or "") is passes


def test_filters_are_joined_by_and() -> None:
    usa, phone = Filter("country", "equals", "usa"), Filter("device", "equals", "DESKTOP")
    assert matcher((usa,))(ROW)
    assert not matcher((usa, phone))(ROW)


def test_a_filter_on_decoded_text_finds_no_encoded_url() -> None:
    assert not matcher((Filter("page", "contains", "Café"),))(ROW)
    assert matcher((Filter("page", "contains", "caf%c3%a9"),))(ROW)


def test_an_anonymised_query_passes_no_query_filter_but_all_others() -> None:
    hidden = ROW._replace(query=None)
    assert not matcher((Filter("query", "notEquals", "x"),))(hidden)
    assert matcher((Filter("country", "equals", "usa"),))(hidden)


def test_search_appearance_belongs_to_the_page() -> None:
    pages = [f"https://a.example/{n}" for n in range(200)]
    found = {appearance(page) for page in pages}
    assert found == {None, *APPEARANCES}
    shown = next(page for page in pages if appearance(page) == "VIDEO")
    assert matcher((Filter("searchAppearance", "equals", "VIDEO"),))(ROW._replace(page=shown))
