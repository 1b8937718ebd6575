"""Automatic sweeps are off inside the block only; garbage in cycles is still found, every few seconds."""

from __future__ import annotations

import gc
import weakref

import pytest

from sync.sweeps import SECONDS, RareSweeps


class Node:
    def __init__(self) -> None:
        self.itself = self


def test_sweeps_are_off_inside_and_on_again_after_an_error():
    inside: list[bool] = []

    def fail() -> None:
        with RareSweeps(lambda: 0.0):
            inside.append(gc.isenabled())
            raise ZeroDivisionError

    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert inside == [False]
    assert gc.isenabled()


def test_who_had_them_off_keeps_them_off():
    gc.disable()
    try:
        with RareSweeps(lambda: 0.0):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_cycle_goes_with_the_next_sweep():
    now = 0.0
    with RareSweeps(lambda: now) as sweeps:
        seen = weakref.ref(Node())
        now = SECONDS - 1
        sweeps.tick()
        assert seen() is not None
        now = SECONDS
        sweeps.tick()
        assert seen() is None
