"""Partial responses."""

from typing import Any

import pytest

from emulator.errors import ApiError
from emulator.fields import Tree, apply, check, parse_fields

ANSWER = {"rows": [{"keys": ["a"], "clicks": 1, "ctr": 0.5}], "metadata": {"day": 1}}


@pytest.mark.parametrize(
    ("mask", "selected"),
    [
        ("rows", {"rows": ANSWER["rows"]}),
        ("rows(keys,clicks)", {"rows": [{"keys": ["a"], "clicks": 1}]}),
        ("rows/clicks, metadata", {"rows": [{"clicks": 1}], "metadata": {"day": 1}}),
        ("rows/keys,rows/ctr", {"rows": [{"keys": ["a"], "ctr": 0.5}]}),
        ("*", ANSWER),
        ("rows(*)", {"rows": ANSWER["rows"]}),
    ],
)
def test_a_mask_selects(mask: str, selected: Any) -> None:
    assert apply(parse_fields(mask), ANSWER) == selected


@pytest.mark.parametrize("mask", ["", "rows(", "rows)", "rows(keys", ",", "rows//x", "rows keys!", "/rows"])
def test_a_broken_mask_is_refused(mask: str) -> None:
    with pytest.raises(ApiError):
        parse_fields(mask)


def test_an_unknown_name_is_refused() -> None:
    allowed: Tree = {"rows": {"keys": {}}}
    check(parse_fields("rows(*)"), allowed)
    with pytest.raises(ApiError, match="rows/kkeys"):
        check(parse_fields("rows/kkeys"), allowed)
