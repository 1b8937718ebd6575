"""Texts to ids: the dictionaries behind the facts.

Each lookup is a short transaction of its own, before the cell's: texts are shared by all workers, and holding their
rows while a cell is written would make workers wait for each other. New texts are inserted in hash order, so two
workers never wait crosswise. An id once given out stays; a text that ends up unused costs its bytes only.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from sync.store.digest import as_code, hash_of, storable
from sync.store.layouts import Codes, Texts

if TYPE_CHECKING:
    from sync.store.connect import Connection

GENERATION = 50_000
"""Texts remembered per dictionary and generation; there are two, so what was used lately stays, the rest is asked again."""
CACHED_CHARACTERS = 512
"""Longer texts are looked up each time, so that what is remembered stays within some 20 MiB."""
BATCH = 10_000
BATCH_CHARACTERS = 8_000_000

InTransaction = Callable[[Callable[["Connection"], Any]], Any]


class Dictionaries:
    """Ids of texts and codes, with a bounded memory. Safe to use from many threads."""

    def __init__(self, schema: str, in_transaction: InTransaction) -> None:
        self._schema = schema
        self._in_transaction = in_transaction
        self._lock = threading.Lock()
        self._young: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._old: dict[str, dict[str, int]] = {}

    def forget(self) -> None:
        """After a failover: the ids of the last moments may belong to other texts now."""
        with self._lock:
            self._young.clear()
            self._old.clear()

    def texts(self, kind: Texts, wanted: Collection[str]) -> dict[str, int]:
        """Ids for all of them, made where missing."""
        return self._resolve(kind, wanted, self._text_ids)

    def codes(self, kind: Codes, wanted: Collection[str]) -> dict[str, int]:
        return self._resolve(kind, wanted, self._code_ids)

    def _resolve(
        self, kind: str, wanted: Collection[str], ask: Callable[[str, list[str]], dict[str, int]]
    ) -> dict[str, int]:
        found: dict[str, int] = {}
        missing = []
        with self._lock:
            young, old = self._young[kind], self._old.get(kind, {})
            for text in wanted:
                id_ = young.get(text)
                if id_ is None:
                    id_ = old.get(text)
                    if id_ is None:
                        missing.append(text)
                        continue
                    young[text] = id_
                found[text] = id_
        for batch in batches(missing):
            asked = ask(kind, batch)
            found.update(asked)
            with self._lock:
                young = self._young[kind]
                young.update((text, id_) for text, id_ in asked.items() if len(text) <= CACHED_CHARACTERS)
                if len(young) > GENERATION:
                    self._old[kind], self._young[kind] = young, {}
        return found

    def _text_ids(self, kind: str, texts: list[str]) -> dict[str, int]:
        hashes = {hash_of(text): text for text in texts}
        column = "url" if kind == "property" else "text"
        select = f'SELECT hash, id FROM "{self._schema}".{kind} WHERE hash = ANY(%b)'
        insert = (
            f'INSERT INTO "{self._schema}".{kind} (hash, {column}, altered)'
            " SELECT * FROM unnest(%b::bytea[], %b::text[], %b::bool[]) ON CONFLICT (hash) DO NOTHING RETURNING hash, id"
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
        select = f'SELECT code, id FROM "{self._schema}".{kind} WHERE code = ANY(%b)'
        insert = f'INSERT INTO "{self._schema}".{kind} (code) SELECT unnest(%s::text[]) ON CONFLICT (code) DO NOTHING'
        shown = {code: as_code(code) for code in codes}

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


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Few enough at a time for one statement."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) >= BATCH or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
