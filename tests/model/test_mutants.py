"""Controllers with one bug each: the model check finds them all, and says so loudly when it cannot even try."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS, AnchorNotFoundError, Change, Mutant, judge, mutate


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_is_found(mutant: Mutant) -> None:
    verdict = judge(mutant)
    assert verdict.promise in mutant.promises, "\n".join((verdict.promise or "survived", *verdict.way))


@pytest.mark.parametrize(
    ("text", "times"), [("nothing", 0), ("a\na\n", 2)], ids=["it is gone", "it is there twice"]
)
def test_a_mutant_without_its_place_fails_loudly(text: str, times: int, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(text)
    lost = Mutant("lost", "crashes", (), (Change("module.py", "a\n", "b\n"),))
    with pytest.raises(AnchorNotFoundError, match=f"{times} times"):
        mutate(lost, tmp_path)
