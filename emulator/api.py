"""The methods of the API: who asks, may he, is the request sound, is there quota left, and what is the answer.

One object holds what may change while the emulator runs: clock, tokens, permissions, quotas, fault script. It is free
of HTTP; the server reads requests, calls `answer` in a worker thread, and writes what comes back.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from emulator import errors
from emulator.answers import Answer, error_answer, json_answer, refusal
from emulator.cache import Cache
from emulator.calls import Call
from emulator.clock import Clock
from emulator.config import Account, Config, Permission
from emulator.dataset import ROW_BYTES, Dataset
from emulator.errors import ApiError, TokenError
from emulator.faults import PAGE_FAULTS, Fault, Script
from emulator.federation import OPERATIONS as FEDERATION
from emulator.federation import Federation
from emulator.fields import Tree, apply, check, parse_fields
from emulator.inspection import inspected
from emulator.keys import Keys
from emulator.mangle import encode, faulty_rows
from emulator.pacific import pacific_day
from emulator.pages import ROW_FIELDS, Page, prepare
from emulator.query import Query, parse_query
from emulator.quotas import Quotas
from emulator.report import Report, Span, build_report, span_of
from emulator.sitemaps import sitemaps_of
from emulator.tokens import Tokens

_QUERY_FIELDS: Tree = {
    "rows": {name: {} for name in ROW_FIELDS},
    "responseAggregationType": {},
    "metadata": {name: {} for name in ("firstIncompleteDate", "firstIncompleteHour")},
}
_MARKS = {
    "camel": ("firstIncompleteDate", "firstIncompleteHour"),
    "snake": ("first_incomplete_date", "first_incomplete_hour"),
}


class Api:
    """Answers calls. Safe to use from several threads."""

    def __init__(self, config: Config, clock: Clock, keys: Keys) -> None:
        self.config = config
        self.clock = clock
        self.keys = keys
        self.dataset = Dataset(config.seed, config)
        self.tokens = Tokens(config, keys)
        self.federation = Federation(config, keys, self.tokens)
        self.script = Script(config.seed)
        self.permissions: dict[str, dict[str, Permission]] = {
            account.name: dict(account.properties) for account in config.accounts
        }
        self._quotas = Quotas(config)
        self._lock = threading.Lock()
        self._answers = itertools.count()
        bytes_held = config.cache_megabytes * 1024 * 1024
        self._pages: Cache[Page] = Cache(bytes_held // 2, lambda page: page.weight)
        self._reports: Cache[Report] = Cache(bytes_held // 8 // ROW_BYTES, lambda report: len(report.rows))

    def account_of(self, authorization: str | None) -> Account | None:
        """Who asks, if that can be told."""
        try:
            return self.tokens.identify(authorization, self.clock.elapsed())
        except ApiError:
            return None

    def answer(
        self,
        call: Call,
        authorization: str | None,
        form: Mapping[str, str],
        fault: Fault | None,
        *,
        gzip: bool,
        metadata_flavor: str = "",
    ) -> Answer:
        """The answer to a call under the fault that the script has for it."""
        style = self.config.error_style
        if fault:
            account = self.account_of(authorization)
            project = account.project if account else "emulator-project"
            if refused := refusal(fault, call, project, style):
                return refused
        try:
            if call.operation == "token":
                return self._token(form, fault)
            if call.operation in FEDERATION:
                with self._lock:
                    return self.federation.answer(
                        call, authorization, form, self.clock, time.time(), metadata_flavor=metadata_flavor
                    )
            if not call.operation:
                raise errors.not_found()
            with self._lock:
                account = self.tokens.identify(authorization, self.clock.elapsed())
            return self._call(call, account, fault, gzip=gzip)
        except (ApiError, TokenError) as error:
            return error_answer(error, style)

    def _token(self, form: Mapping[str, str], fault: Fault | None) -> Answer:
        seconds = max(1, int(fault.seconds or 1)) if fault and fault.kind == "short-lived-token" else None
        with self._lock:
            return json_answer(self.tokens.issue(form, self.clock.elapsed(), time.time(), seconds))

    def _call(self, call: Call, account: Account, fault: Fault | None, *, gzip: bool) -> Answer:
        mask = parse_fields(call.parameters["fields"]) if "fields" in call.parameters else {}
        granted = self.permissions[account.name]
        if call.operation == "sites.list":
            entries = [{"siteUrl": url, "permissionLevel": level} for url, level in granted.items()]
            return json_answer(apply(mask, {"siteEntry": entries} if entries else {}))
        level = granted.get(call.site)
        if level is None:
            raise errors.no_permission(call.site)
        if call.operation == "sites.get":
            return json_answer(apply(mask, {"siteUrl": call.site, "permissionLevel": level}))
        if level == "siteUnverifiedUser":
            raise errors.no_permission(call.site)
        if call.operation == "query":
            return self._query(call, account, mask, fault, gzip=gzip)
        if level == "siteRestrictedUser":
            raise errors.no_permission(call.site)
        if call.operation == "inspect":
            return self._inspect(call)
        entries = sitemaps_of(self.dataset.property_of(call.site))
        if call.operation == "sitemaps.list":
            return json_answer(apply(mask, {"sitemap": entries} if entries else {}))
        for entry in entries:
            if entry["path"] == call.feedpath:
                return json_answer(apply(mask, entry))
        raise errors.not_found(f"'{call.feedpath}' is not a known sitemap.")

    def _inspect(self, call: Call) -> Answer:
        prop = self.dataset.property_of(call.site)
        with self._lock:
            refused = self._quotas.admit_inspection(prop, self.clock.elapsed(), pacific_day(self.clock.now()))
        if refused:
            raise refused
        return json_answer(inspected(self.config.seed, call.site, call.hint("inspectionUrl")))

    def _query(self, call: Call, account: Account, mask: Tree, fault: Fault | None, *, gzip: bool) -> Answer:
        if not call.valid_json:
            raise errors.bad_request("Invalid JSON payload received. Parse error.")
        query = parse_query(call.body, tolerant=self.config.unknown_members == "ignore")
        check(mask, _QUERY_FIELDS)
        now = self.clock.now()
        prop = self.dataset.property_of(call.site)
        with self._lock:
            refused = self._quotas.admit(account, prop, query, self.clock.elapsed(), pacific_day(now))
        if refused:
            raise refused
        span = span_of(query, self.config, now)
        rng = random.Random(f"{self.config.seed}|answer|{next(self._answers)}")
        if fault and (fault.kind in PAGE_FAULTS or fault.kind == "poison"):
            return self._faulty(call.site, query, span, fault, mask, rng)
        page = self._page(call.site, query, span, call.parameters.get("fields", ""), mask)
        return Answer(body=page.body(rng, gzip=gzip), gzipped=gzip, rows=page.rows)

    def _report(self, url: str, query: Query, span: Span) -> Report:
        whole = replace(query, row_limit=1, start_row=0)
        return self._reports.get(
            (url, whole, span), lambda: build_report(self.dataset, url, query, span, self.config)
        )

    def _page(self, url: str, query: Query, span: Span, fields: str, mask: Tree) -> Page:
        def build() -> Page:
            report = self._report(url, query, span)
            shown = not mask or "rows" in mask or "*" in mask
            rows = report.rows[query.start_row : query.start_row + query.row_limit] if shown else []
            below = mask.get("rows", {})
            chosen = None if not below or "*" in below else frozenset(below)
            rng = random.Random(f"{self.config.seed}|page|{url}|{query}")
            return prepare(report, rows, self._extras(query, span, mask), chosen, rng)

        return self._pages.get((url, query, span, fields), build)

    def _extras(self, query: Query, span: Span, mask: Tree) -> dict[str, Any]:
        extras: dict[str, Any] = {"responseAggregationType": query.aggregation}
        if span.first_incomplete:
            name = _MARKS[self.config.metadata_spelling][query.data_state == "hourly_all"]
            extras["metadata"] = {name: span.first_incomplete}
        selected: dict[str, Any] = apply({name: {} for name in mask}, extras)
        return selected

    def _faulty(
        self, url: str, query: Query, span: Span, fault: Fault, mask: Tree, rng: random.Random
    ) -> Answer:
        if fault.kind == "other-stage" and fault.stage:
            span = replace(span, days=tuple((day, fault.stage) for day, _ in span.days))
        rows = faulty_rows(self._report(url, query, span), query, fault, rng)
        document = ({"rows": rows} if rows else {}) | self._extras(query, span, {})
        return Answer(body=encode(apply(mask, document), fault), rows=len(rows))

    def warm(self, days: int, dimensions: tuple[str, ...], row_limit: int = 25_000) -> int:
        """Prepare the pages that a sync of the last days will ask for; returns how many."""
        today = pacific_day(self.clock.now())
        count = 0
        for prop in self.config.properties:
            for search_type, rows in prop.rows.items():
                offered = [name for name in dimensions if _offered(name, search_type)]
                for age in range(days):
                    day = today.fromordinal(today.toordinal() - age).isoformat()
                    for start in range(0, min(rows, self.config.cap) + 1, row_limit):
                        body = {
                            "startDate": day, "endDate": day, "dimensions": offered, "type": search_type,
                            "rowLimit": row_limit, "startRow": start, "dataState": "all",
                        }  # fmt: skip
                        query = parse_query(body)
                        self._page(prop.url, query, span_of(query, self.config, self.clock.now()), "", {})
                        count += 1
        return count


def _offered(dimension: str, search_type: str) -> bool:
    if dimension == "query":
        return search_type not in ("discover", "googleNews")
    return dimension != "device" or search_type != "discover"
