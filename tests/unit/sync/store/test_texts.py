"""Digests, hashes and what Postgres can hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.plan.cells import Row
from sync.store.dictionaries import BATCH, BATCH_CHARACTERS, Dictionaries, batches
from sync.store.digest import TEXT_LIMIT, as_code, digest_of, hash_of, in_key_order, storable

any_text = st.text(st.characters(exclude_categories=[]))
rows = st.builds(
    Row,
    any_text,
    any_text,
    any_text,
    any_text,
    st.integers(0, 9),
    st.integers(0, 9),
    st.none() | st.floats(1, 9),
)


@given(any_text)
def test_whatever_comes_can_be_stored(text: str) -> None:
    shown = storable(text)
    assert "\0" not in shown
    assert shown.encode().decode() == shown
    assert len(shown) == len(text)
    assert storable(shown) == shown


@given(any_text, any_text)
def test_different_texts_have_different_hashes_and_codes(one: str, other: str) -> None:
    assert (hash_of(one) == hash_of(other)) == (one == other)
    assert (as_code(one) == as_code(other)) == (one == other)


def test_an_endless_text_is_cut_but_not_confused() -> None:
    one, other = "x" * TEXT_LIMIT + "a", "x" * TEXT_LIMIT + "b"
    assert storable(one) == storable(other) == "x" * TEXT_LIMIT
    assert hash_of(one) != hash_of(other)


@pytest.mark.parametrize("code", ["usa", "zzz", "", "DESKTOP", "googleNews"])
def test_a_code_stands_for_itself(code: str) -> None:
    assert as_code(code) == code


def test_what_is_no_code_is_short_and_distinct() -> None:
    odd = ["u\0a", "u\u2400a", "x" * 40, "x" * 41]
    assert len({as_code(code) for code in odd}) == 4
    assert max(len(as_code(code)) for code in odd) < 64


@given(st.lists(rows, unique_by=lambda row: row[:4], max_size=5), st.randoms())
def test_the_digest_depends_on_the_set_alone(some: list[Row], random: object) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    assert digest_of(in_key_order(shuffled)) == digest_of(in_key_order(some))


@given(rows, st.sampled_from(Row._fields))
def test_the_digest_sees_every_field(row: Row, field: str) -> None:
    value = getattr(row, field)
    changed = row._replace(**{field: f"{value}." if isinstance(value, str) else (value or 0) + 1})
    assert digest_of([changed]) != digest_of([row])


def test_statements_get_few_texts_at_a_time() -> None:
    assert [len(batch) for batch in batches(str(n) for n in range(2 * BATCH + 1))] == [BATCH, BATCH, 1]
    long = "x" * (BATCH_CHARACTERS // 2)
    assert [len(batch) for batch in batches([long] * 5)] == [2, 2, 1]
    assert list(batches([])) == []


def test_what_was_used_lately_is_remembered_within_bounds() -> None:
    asked: list[int] = []

    class Known(Dictionaries):
        def _text_ids(self, kind: str, texts: list[str]) -> dict[str, int]:
            asked.append(len(texts))
            return {text: len(text) for text in texts}

    known = Known("gsc", lambda work: work)
    for start in range(0, 300_000, 10_000):
        known.texts("query", ["often", *(f"q{n}" for n in range(start, start + 10_000))])
    assert sum(asked) == 300_001, "the one that is always used was asked for once"
    assert sum(len(known._young[kind]) + len(known._old[kind]) for kind in ("query",)) <= 130_000
    known.texts("query", ["x" * 10_000])
    known.texts("query", ["x" * 10_000])
    assert asked[-2:] == [1, 1], "very long texts are not kept"
    known.forget()
    known.texts("query", ["often"])
    assert asked[-1] == 1
