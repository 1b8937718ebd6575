"""Rows that are made when somebody looks at them: most cells go from an answer to the database as columns, or not at all.

`google` makes them, `store` asks for columns, and whoever wants rows (a split, hours, the store in memory) finds a Sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from sync.plan.cells import AnyRow

Fields = tuple[Sequence[Any], ...]
"""The fields of rows, one sequence each, in their order: the key first, clicks, impressions and position at the end."""


class LazyRows(Sequence[AnyRow]):
    """So many rows, made by `make` once; `columns` where they can be had without making rows first."""

    def __init__(
        self,
        count: int,
        make: Callable[[], Sequence[AnyRow]],
        columns: Callable[[], Fields] | None = None,
    ) -> None:
        self._count, self._make, self._to_columns = count, make, columns
        self._rows: Sequence[AnyRow] | None = None
        self._columns: Fields | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[AnyRow]:
        return iter(self._made())

    @overload
    def __getitem__(self, index: int) -> AnyRow: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[AnyRow]: ...

    def __getitem__(self, index: int | slice) -> AnyRow | Sequence[AnyRow]:
        return self._made()[index]

    def __eq__(self, other: object) -> bool:
        """As a list of the same rows does."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list

    def columns(self) -> Fields:
        if self._columns is None:
            self._columns = self._to_columns() if self._to_columns is not None else columns_of(self._made())
        return self._columns

    def _made(self) -> Sequence[AnyRow]:
        if self._rows is None:
            self._rows = self._make()
        return self._rows


def columns_of(rows: Sequence[AnyRow]) -> Fields:
    """Of no rows there are none."""
    return rows.columns() if isinstance(rows, LazyRows) else tuple(zip(*rows, strict=True))
