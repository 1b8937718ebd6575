"""Dividing a rate among those who want it: max-min fairness, and what is over for everybody. Pure.

Nobody gets less than an equal part unless he wants less; what he leaves goes to the others. What nobody wants is
divided equally too, so that a holder whose wants grow need not ask first.
"""

from __future__ import annotations

from collections.abc import Mapping


def divide(rate: float, wants: Mapping[str, float]) -> dict[str, float]:
    """The share of each; the sum is `rate` when there is anybody. All in requests a second."""
    shares: dict[str, float] = {}
    left = rate
    open_ = sorted(wants, key=lambda name: (wants[name], name))
    for index, name in enumerate(open_):
        shares[name] = max(0.0, min(wants[name], left / (len(open_) - index)))
        left -= shares[name]
    spare = max(0.0, left) / len(shares) if shares else 0.0
    return {name: share + spare for name, share in shares.items()}
