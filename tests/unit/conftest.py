"""What holds for every unit test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.script import all_asked_for


@pytest.fixture(autouse=True)
def _answers_are_asked_for() -> Iterator[None]:
    """A scripted fake complains about answers that nobody asked for."""
    with all_asked_for():
        yield
