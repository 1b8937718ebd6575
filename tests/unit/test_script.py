"""Scripted fakes: in turn, never more than told, and with a complaint about what nobody asked for."""

from __future__ import annotations

import pytest

from tests.script import Script, all_asked_for


def test_answers_come_in_turn_and_errors_are_raised() -> None:
    script = Script(1, KeyError("gone"), 2)
    assert script("whatever") == 1
    with pytest.raises(KeyError):
        script()
    assert script() == 2
    with pytest.raises(AssertionError, match="asked once more than told: there were 3 answers"):
        script()


def test_an_answer_that_nobody_asked_for_is_complained_about() -> None:
    def story() -> None:
        with all_asked_for():
            Script("a", "b")()
            Script("c")()

    with pytest.raises(AssertionError, match=r"nobody asked for 1 of 2 answers, the next being 'b'$"):
        story()


def test_an_error_of_the_story_comes_first() -> None:
    def story() -> None:
        with all_asked_for():
            Script("a")
            raise ValueError("of the story")

    with pytest.raises(ValueError, match="of the story"):
        story()


def test_every_unit_test_is_watched() -> None:
    assert Script._open is not None
