"""What tables beside the facts have in common: their schema, one transaction at a time, the fence, numbers for texts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from sync.store.dictionaries import Dictionaries
from sync.store.run_fence import RunFence

if TYPE_CHECKING:
    from sync.store.connect import Connection

InTransaction = Callable[[Callable[["Connection"], Any]], Any]
Retry = Callable[[Callable[[], Any]], Any]


class BesideFacts:
    """`retry` repeats what may well succeed a moment later, `once` is one transaction."""

    def __init__(
        self,
        schema: str,
        retry: Retry,
        once: InTransaction,
        dictionaries: Dictionaries,
        clock: Callable[[], datetime],
    ) -> None:
        self._schema, self._retry, self._once = schema, retry, once
        self._dictionaries, self._clock, self._fence = dictionaries, clock, RunFence(schema)

    def _repeat(self, work: Callable[[Connection], Any]) -> Any:
        return self._retry(lambda: self._once(work))

    def _statement(self, text: str) -> Any:
        """`{}` stands for the schema."""
        return cast("Any", text.replace("{}", f'"{self._schema}"'))

    def _execute(self, connection: Connection, text: str, parameters: list[Any]) -> Any:
        return connection.execute(self._statement(text), parameters)
