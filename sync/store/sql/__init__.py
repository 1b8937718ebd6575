"""SQL texts, one file each, with `{schema}` standing for the schema's quoted name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read(name: str, *, schema: str) -> str:
    """The text of `name`.sql. The schema name is checked by the contract to be a plain lower-case identifier."""
    return (files(__name__) / f"{name}.sql").read_text(encoding="utf-8").replace("{schema}", f'"{schema}"')
