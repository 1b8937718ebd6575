"""Names of Jobs, runs and labels; and texts from outside."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.names import (
    digest,
    job_name,
    label_value,
    run_id_of_slot,
    run_id_of_token,
    slot_of_minutes,
)
from controller.model.text import clean, cut, json_bytes
from tests.unit.controller.decide.world import UID, at

JOB_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?")
object_names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?", fullmatch=True)


@given(object_names, st.integers(0, 2**27), st.integers(1, 1_000_000))
def test_l1_a_job_name_is_always_allowed(name: str, minutes: int, launch: int) -> None:
    for run_id in (run_id_of_slot(slot_of_minutes(minutes)), run_id_of_token(name)):
        made = job_name(name, UID, run_id, launch)
        assert len(made) <= 63
        assert JOB_NAME.fullmatch(made)
        assert made.endswith(f"-{run_id}-{launch}")


def test_l2_long_names_that_begin_alike_stay_apart_by_their_uid() -> None:
    assert job_name("a" * 100 + "x", "uid-1", "1", 1) != job_name("a" * 100 + "y", "uid-2", "1", 1)


def test_c9_made_anew_under_the_same_name_it_is_another_job() -> None:
    assert job_name("marketing", "uid-1", "1", 1) != job_name("marketing", "uid-2", "1", 1)


def test_a_slot_and_its_run_id_are_one() -> None:
    assert slot_of_minutes(int(run_id_of_slot(at("04:00")))) == at("04:00")


def test_the_parts_of_a_digest_are_told_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")


@given(object_names)
def test_l1_a_label_value_is_always_allowed(name: str) -> None:
    value = label_value(name)
    assert len(value) <= 63
    assert LABEL.fullmatch(value)
    assert len(name) > 63 or value == name


TEXTS = {
    "plain": ("as it is", 50, "as it is"),
    "lines": ("one\ntwo\r\n\tthree", 50, "one two three"),
    "escapes": ("\x1b[31mred\x1b[0m", 50, "[31mred [0m"),
    "overrides": ("abc\u202edef", 50, "abc def"),
    "half a pair": ("a\ud800b", 50, "a b"),
    "long": ("0123456789", 8, "01234…"),
    "exact": ("01234567", 8, "01234567"),
    "quotes count twice": ('""""', 6, '"…'),
    "umlauts count twice": ("ÄÖÜ", 5, "Ä…"),
}


@pytest.mark.parametrize(("text", "limit", "expected"), TEXTS.values(), ids=TEXTS.keys())
def test_text_from_outside_is_cleaned_and_cut(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


@given(st.text(max_size=400), st.integers(3, 300))
def test_a_cut_text_fits_and_stays(text: str, limit: int) -> None:
    made = cut(text, limit)
    assert json_bytes(made) - 2 <= limit
    assert cut(made, limit) == made
    assert clean(made) == made
