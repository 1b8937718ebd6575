"""Texts to ids: the dictionaries behind the facts.

Each lookup is a short transaction of its own, before the cell's: texts are shared by all workers, and holding their
rows while a cell is written would make workers wait for each other. New texts are inserted in hash order, so two
workers never wait crosswise. An id once given out stays; a text that ends up unused costs its bytes only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, cast

from sync.store.digest import hash_of, storable

if TYPE_CHECKING:
    from sync.store.connect import Connection

Texts = Literal["property", "page", "query"]
Codes = Literal["country", "device", "search_type"]

CACHE_LIMIT = 200_000
"""Texts remembered per dictionary; a forgotten one is looked up again."""

InTransaction = Callable[[Callable[["Connection"], Any]], Any]


class Dictionaries:
    """Ids of texts and codes, with a bounded memory. Safe to use from many threads."""

    def __init__(self, schema: str, in_transaction: InTransaction) -> None:
        self._schema = schema
        self._in_transaction = in_transaction
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, int]] = {}

    def texts(self, kind: Texts, wanted: Iterable[str]) -> dict[str, int]:
        """Ids for all of them, made where missing."""
        return self._resolve(kind, wanted, self._text_ids)

    def codes(self, kind: Codes, wanted: Iterable[str]) -> dict[str, int]:
        return self._resolve(kind, wanted, self._code_ids)

    def find_text(self, kind: Texts, text: str) -> int | None:
        """The id if there is one; nothing is made."""
        statement = f'SELECT id FROM "{self._schema}".{kind} WHERE hash = %s'
        row = self._in_transaction(
            lambda connection: connection.execute(statement, [hash_of(text)]).fetchone()
        )
        return cast("int", row[0]) if row else None

    def _resolve(
        self, kind: str, wanted: Iterable[str], ask: Callable[[str, list[str]], dict[str, int]]
    ) -> dict[str, int]:
        with self._lock:
            known = self._known.get(kind, {})
            found = {text: known[text] for text in wanted if text in known}
        missing = list(dict.fromkeys(text for text in wanted if text not in found))
        if missing:
            asked = ask(kind, missing)
            found.update(asked)
            with self._lock:
                known = self._known.setdefault(kind, {})
                if len(known) + len(asked) > CACHE_LIMIT:
                    known.clear()
                known.update(asked)
        return found

    def _text_ids(self, kind: str, texts: list[str]) -> dict[str, int]:
        hashes = {hash_of(text): text for text in texts}
        column = "url" if kind == "property" else "text"
        select = f'SELECT hash, id FROM "{self._schema}".{kind} WHERE hash = ANY(%s)'
        insert = (
            f'INSERT INTO "{self._schema}".{kind} (hash, {column}, altered)'
            " SELECT * FROM unnest(%s::bytea[], %s::text[], %s::bool[]) ON CONFLICT (hash) DO NOTHING RETURNING hash, id"
        )

        def work(connection: Connection) -> dict[bytes, int]:
            ids: dict[bytes, int] = dict(connection.execute(cast("Any", select), [list(hashes)]).fetchall())
            new = sorted(hashes.keys() - ids.keys())
            if new:
                # Dying before the commit leaves no text, after it unused texts that the next try finds.
                shown = [storable(hashes[key]) for key in new]
                altered = [text != hashes[key] for key, text in zip(new, shown, strict=True)]
                ids.update(connection.execute(cast("Any", insert), [new, shown, altered]).fetchall())
                late = [key for key in new if key not in ids]
                if late:
                    ids.update(connection.execute(cast("Any", select), [late]).fetchall())
            return ids

        return {hashes[key]: id_ for key, id_ in self._in_transaction(work).items()}

    def _code_ids(self, kind: str, codes: list[str]) -> dict[str, int]:
        select = f'SELECT code, id FROM "{self._schema}".{kind} WHERE code = ANY(%s)'
        insert = f'INSERT INTO "{self._schema}".{kind} (code) SELECT unnest(%s::text[]) ON CONFLICT (code) DO NOTHING'
        shown = {code: storable(code) for code in codes}

        def work(connection: Connection) -> dict[str, int]:
            wanted = sorted(set(shown.values()))
            ids: dict[str, int] = dict(connection.execute(cast("Any", select), [wanted]).fetchall())
            if len(ids) < len(wanted):
                # As with texts; identity values burnt by a conflict are not missed.
                connection.execute(cast("Any", insert), [[code for code in wanted if code not in ids]])
                ids = dict(connection.execute(cast("Any", select), [wanted]).fetchall())
            return ids

        ids = self._in_transaction(work)
        return {code: ids[text] for code, text in shown.items()}
