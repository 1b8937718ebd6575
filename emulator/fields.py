"""Partial responses: the standard `fields` parameter, `rows(keys,clicks),metadata` or `siteEntry/siteUrl`.

Read into a tree of names and applied to the answer. A name that no answer has is refused, as Google does.
"""

from __future__ import annotations

import re
from typing import Any

from emulator.errors import invalid

Tree = dict[str, "Tree"]
_TOKEN = re.compile(r"[A-Za-z*]+|[(),/]")


def parse_fields(text: str) -> Tree:
    """The tree of a mask; an empty subtree means everything below."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text.replace(" ", "") or not tokens:
        raise invalid(f"Invalid field selection {text}", "fields")
    tree = _list(tokens)
    if tokens:
        raise invalid(f"Invalid field selection {text}", "fields")
    return tree


def _list(tokens: list[str]) -> Tree:
    tree: Tree = {}
    while True:
        _item(tokens, tree)
        if tokens[:1] != [","]:
            return tree
        tokens.pop(0)


def _item(tokens: list[str], tree: Tree) -> None:
    if not tokens or not (tokens[0].isalpha() or tokens[0] == "*"):
        raise invalid("Invalid field selection", "fields")
    below = tree.setdefault(tokens.pop(0), {})
    if tokens[:1] == ["/"]:
        tokens.pop(0)
        _item(tokens, below)
    elif tokens[:1] == ["("]:
        tokens.pop(0)
        below.update(_list(tokens))
        if tokens[:1] != [")"]:
            raise invalid("Invalid field selection", "fields")
        tokens.pop(0)


def check(tree: Tree, allowed: Tree, path: str = "") -> None:
    """Refuse names that answers of this method do not have."""
    for name, below in tree.items():
        if name == "*":
            continue
        if name not in allowed:
            raise invalid(f"Invalid field selection {path}{name}", "fields")
        check(below, allowed[name], f"{path}{name}/")


def apply(tree: Tree, value: Any) -> Any:
    """The selected part of an answer."""
    if not tree or "*" in tree:
        return value
    if isinstance(value, list):
        return [apply(tree, item) for item in value]
    if isinstance(value, dict):
        return {name: apply(tree[name], item) for name, item in value.items() if name in tree}
    return value
