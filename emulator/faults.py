"""Scripted faults: rules that say which calls go wrong, how often, and in which way.

A rule matches a call by what is known of it; `nth` and `times` count its matches. The first rule that fires decides.
Kinds fall into four groups, carried out by four modules: refusals (another answer), page faults (wrong rows), poison
(rows that follow no rule) and delivery (a body that does not arrive as it should).
"""

from __future__ import annotations

import random
import threading
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from emulator.calls import Call
from emulator.config import Model, SearchType
from emulator.pacific import Stage

Refusal = Literal[
    "status", "rate-403", "user-rate-403", "project-rate-403", "load-403", "daily-403", "permission-403",
    "api-disabled", "scope-403", "unknown-403", "rate-429", "token-expired", "bad-request", "not-found", "html-500",
    "backend-error", "invalid-grant", "invalid-client", "impersonation-403", "200-with-error", "redirect", "no-content", "captive-page",
]  # fmt: skip
PageFault = Literal[
    "empty-rows", "short-page", "long-page", "ignore-start-row", "duplicate-rows", "moved-ties", "other-stage",
    "short-lived-token",
]  # fmt: skip
Delivery = Literal[
    "reset-mid-body", "incomplete-body", "truncated-gzip", "truncated-json", "invalid-json", "byte-order-mark",
    "wrong-content-type", "not-gzip", "slow-drip", "delay", "huge-body", "drop-connection", "endless-headers",
    "headers",
]  # fmt: skip
Poison = Literal["poison"]
PoisonText = Literal[
    "nul", "lone-surrogate", "invalid-utf8", "long-url", "long-query", "control-characters", "markup", "empty-query",
    "unknown-country", "unknown-device", "extra-key", "missing-key", "null-key", "number-key", "bad-date",
    "date-outside", "negative", "nan", "infinity", "huge-number", "beyond-int32", "string-number", "fractional-clicks",
    "clicks-above-impressions", "no-position", "zero-row", "unknown-fields", "look-alikes",
]  # fmt: skip
Operation = Literal[
    "query", "sites.list", "sites.get", "sitemaps.list", "sitemaps.get", "inspect", "token",
    "exchange", "impersonate", "sign", "metadata",
]  # fmt: skip
REFUSALS: tuple[str, ...] = get_args(Refusal)
PAGE_FAULTS: tuple[str, ...] = get_args(PageFault)
DELIVERIES: tuple[str, ...] = get_args(Delivery)


class Match(Model):
    """Which calls: every given member must agree. `day` agrees with any range that contains it."""

    operation: Operation | None = None
    property: str | None = None
    account: str | None = None
    type: SearchType | None = None
    day: str | None = None
    start_row: int | None = None
    grouped_by: str | None = None
    """A dimension that the query groups by: tells the pages of a cell from totals."""
    nth: Annotated[int, Field(ge=1)] = 1
    """The first match that the rule acts on."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How many matches it acts on from there; without it, all."""
    probability: Annotated[float, Field(ge=0, le=1)] = 1

    def agrees(self, call: Call) -> bool:
        wanted = (
            (self.operation, call.operation),
            (self.property, call.site),
            (self.account, call.account),
            (self.type, call.search_type),
            (self.start_row, call.start_row),
        )
        if any(want is not None and want != have for want, have in wanted):
            return False
        if self.grouped_by is not None and self.grouped_by not in call.dimensions:
            return False
        return self.day is None or call.day <= self.day <= call.last_day


class Fault(Model):
    """What goes wrong. Members besides `kind` matter to some kinds only; the README says to which."""

    kind: Refusal | PageFault | Delivery | Poison
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    body: str | None = None
    json_body: Any = None
    headers: dict[str, str] = Field(default={})
    message: str | None = None
    retry_after: str | None = None
    location: str | None = None
    rows: Annotated[int, Field(ge=0)] | None = None
    changed: bool = False
    stage: Stage | None = None
    what: PoisonText = "nul"
    after: Annotated[int, Field(ge=0)] | None = None
    chunk: Annotated[int, Field(ge=1)] = 64
    seconds: Annotated[float, Field(ge=0)] | None = None
    megabytes: Annotated[int, Field(ge=1, le=4096)] = 128


class Rule(Model):
    match: Match = Match()
    fault: Fault


class Script:
    """The rules in force and how often each has matched."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"{seed}|faults")
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._matches: list[int] = []

    def replace(self, rules: list[Rule]) -> None:
        with self._lock:
            self._rules = list(rules)
            self._matches = [0] * len(rules)

    def add(self, rules: list[Rule]) -> None:
        with self._lock:
            self._rules += rules
            self._matches += [0] * len(rules)

    def take(self, call: Call) -> Fault | None:
        """The fault of this call, if any. Every rule that matches counts it, whether it acts or not."""
        chosen: Fault | None = None
        with self._lock:
            for index, rule in enumerate(self._rules):
                if not rule.match.agrees(call):
                    continue
                self._matches[index] += 1
                if chosen is None and self._acts(rule.match, self._matches[index]):
                    chosen = rule.fault
        return chosen

    def _acts(self, match: Match, count: int) -> bool:
        if count < match.nth or (match.times is not None and count >= match.nth + match.times):
            return False
        return match.probability >= 1 or self._rng.random() < match.probability

    def describe(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                rule.model_dump(mode="json", exclude_defaults=True) | {"matched": matched}
                for rule, matched in zip(self._rules, self._matches, strict=True)
            ]
