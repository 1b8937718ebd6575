"""Kubernetes quantities: just enough to keep what a schedule asks for below the caps of the installation."""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][0-9]+)?$")
_DECIMAL = {"": 0, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def amount(quantity: str) -> Decimal | None:
    """Return the number it stands for, or None when it is no quantity we know: the API server will judge it."""
    match = _QUANTITY.match(quantity)
    if match is None:
        return None
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * Decimal(1024) ** _BINARY[suffix]
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    return number.scaleb(int(suffix[1:]))


def capped(quantity: str, cap: str | None) -> str:
    """Return the smaller of both, as it was written."""
    asked, allowed = amount(quantity), amount(cap) if cap else None
    if asked is None or allowed is None:
        return quantity
    return quantity if asked <= allowed else str(cap)


def resources(
    asked: tuple[tuple[str, tuple[tuple[str, str], ...]], ...],
    defaults: dict[str, dict[str, str]],
    caps: dict[str, str],
) -> dict[str, dict[str, str]]:
    """Return requests and limits of the sync container: what was asked over the defaults, none above its cap or limit."""
    merged = {kind: dict(values) for kind, values in defaults.items()}
    for kind, values in asked:
        merged.setdefault(kind, {}).update(values)
    limits = {name: capped(value, caps.get(name)) for name, value in merged.get("limits", {}).items()}
    requests = {
        name: capped(capped(value, caps.get(name)), limits.get(name))
        for name, value in merged.get("requests", {}).items()
    }
    return {kind: values for kind, values in (("requests", requests), ("limits", limits)) if values}
