"""From the JSON of a search analytics request to a `Query`, or to Google's refusal of it.

Pure. Every rule about single fields and their combinations stands here, so that a client which the emulator accepts is
one that Google would accept. Enumerations are read in the spelling of the documentation (`googleNews`) and in that of
the discovery document (`GOOGLE_NEWS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, cast, get_args

from emulator.config import SearchType
from emulator.errors import ApiError, bad_request, invalid
from emulator.filters import FILTER_DIMENSIONS, OPERATORS, Filter, compile_expression
from emulator.vocabulary import NO_DEVICE, NO_QUERY

DIMENSIONS = ("date", "hour", "query", "page", "country", "device", "searchAppearance")
AGGREGATIONS = ("auto", "byPage", "byProperty", "byNewsShowcasePanel")
DATA_STATES = ("final", "all", "hourly_all")
MAX_ROW_LIMIT = 25_000
DEFAULT_ROW_LIMIT = 1_000
FIELDS = [
    "startDate",
    "endDate",
    "dimensions",
    "type",
    "searchType",
    "dimensionFilterGroups",
    "aggregationType",
    "rowLimit",
    "startRow",
    "dataState",
]
_SHOWCASE = "NEWS_SHOWCASE"


@dataclass(frozen=True, slots=True)
class Query:
    """A request that follows every rule. `aggregation` is what will really be used, never `auto`."""

    start: date
    end: date
    dimensions: tuple[str, ...] = ()
    search_type: SearchType = "web"
    filters: tuple[Filter, ...] = ()
    aggregation: str = "byProperty"
    row_limit: int = DEFAULT_ROW_LIMIT
    start_row: int = 0
    data_state: str = "final"


def parse_query(body: object, *, tolerant: bool = False) -> Query:
    """Check a request body; raises ApiError with status 400. `tolerant`: unknown members are passed over."""
    if not isinstance(body, dict):
        raise bad_request("Invalid JSON payload received. Root element must be a message.")
    for name in body:
        if name not in FIELDS and not tolerant:
            raise bad_request(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
    start, end = _day(body, "startDate", "start_date"), _day(body, "endDate", "end_date")
    if start > end:
        raise invalid("startDate must be before or equal to endDate.", "start_date")
    search_type = _search_type(body)
    dimensions = tuple(_enum(item, DIMENSIONS, "dimensions") for item in _list(body, "dimensions"))
    data_state = _enum(body.get("dataState", "final"), DATA_STATES, "data_state")
    filters = _filters(body)
    _check_dimensions(dimensions, search_type, data_state)
    for item in filters:
        _check_offered(item.dimension, search_type)
    asked = _enum(body.get("aggregationType", "auto"), AGGREGATIONS, "aggregation_type")
    return Query(
        start=start,
        end=end,
        dimensions=dimensions,
        search_type=search_type,
        filters=filters,
        aggregation=_aggregation(asked, dimensions, filters, search_type),
        row_limit=_number(body, "rowLimit", "row_limit", DEFAULT_ROW_LIMIT, 1, MAX_ROW_LIMIT),
        start_row=_number(body, "startRow", "start_row", 0, 0, 2**31 - 1),
        data_state=data_state,
    )


def _list(holder: dict[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request(f"Invalid value at '{name}': expected a list.")
    return value


def _enum(value: object, allowed: tuple[str, ...], location: str) -> str:
    if isinstance(value, str):
        plain = value.replace("_", "").lower()
        for name in allowed:
            upper_snake = "".join(f"_{char}" if char.isupper() else char for char in name).upper()
            if value in (name, name.lower(), upper_snake) or (value.isupper() and plain == name.lower()):
                return name
    raise invalid(f"Invalid value at '{location}': {value!r}. Allowed: {', '.join(allowed)}.", location)


def _day(body: dict[str, Any], name: str, location: str) -> date:
    value = body.get(name)
    if value is None:
        raise invalid(f"{name} is required.", location)
    try:
        if isinstance(value, str) and len(value) == len("2026-01-31"):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise invalid(f"Invalid value for {name}: {value!r}. Expected YYYY-MM-DD.", location)


def _number(body: dict[str, Any], name: str, location: str, default: int, lowest: int, highest: int) -> int:
    value = body.get(name, default)
    if isinstance(value, str) and value.lstrip("-").isdigit():
        value = int(value)  # the JSON mapping of protocol buffers takes quoted numbers
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_request(f"Invalid value at '{name}': expected a number.")
    if not lowest <= value <= highest:
        raise invalid(f"{name} must be between {lowest} and {highest}, got {value}.", location)
    return value


def _search_type(body: dict[str, Any]) -> SearchType:
    allowed = cast("tuple[SearchType, ...]", get_args(SearchType))
    given = {
        _enum(body[name], allowed, location)
        for name, location in (("type", "type"), ("searchType", "search_type"))
        if name in body
    }
    if len(given) > 1:
        raise invalid("type and searchType contradict each other; use only type.", "type")
    return cast("SearchType", given.pop()) if given else "web"


def _filters(body: dict[str, Any]) -> tuple[Filter, ...]:
    filters: list[Filter] = []
    for group in _list(body, "dimensionFilterGroups"):
        if not isinstance(group, dict):
            raise bad_request("Invalid value at 'dimensionFilterGroups': expected objects.")
        _enum(group.get("groupType", "and"), ("and",), "group_type")
        for item in _list(group, "filters"):
            if not isinstance(item, dict):
                raise bad_request("Invalid value at 'filters': expected objects.")
            dimension = _enum(item.get("dimension"), FILTER_DIMENSIONS, "dimension")
            operator = _enum(item.get("operator", "equals"), OPERATORS, "operator")
            expression = item.get("expression")
            if not isinstance(expression, str):
                raise invalid("A filter needs an expression.", "expression")
            compile_expression(operator, expression)
            filters.append(Filter(dimension, operator, expression))
    return tuple(filters)


def _check_offered(dimension: str, search_type: SearchType) -> None:
    if dimension == "query" and search_type in NO_QUERY:
        raise invalid(f"The query dimension is not available for type {search_type}.", "dimensions")
    if dimension == "device" and search_type in NO_DEVICE:
        raise invalid(f"The device dimension is not available for type {search_type}.", "dimensions")


def _check_dimensions(dimensions: tuple[str, ...], search_type: SearchType, data_state: str) -> None:
    if len(set(dimensions)) != len(dimensions):
        raise invalid("A dimension may be given only once.", "dimensions")
    if "searchAppearance" in dimensions and len(dimensions) > 1:
        raise invalid("searchAppearance cannot be combined with other dimensions.", "dimensions")
    if "date" in dimensions and "hour" in dimensions:
        raise invalid("date and hour cannot be combined.", "dimensions")
    if ("hour" in dimensions) != (data_state == "hourly_all"):
        raise invalid("The hour dimension and dataState hourly_all need each other.", "data_state")
    for dimension in dimensions:
        _check_offered(dimension, search_type)


def _aggregation(
    asked: str, dimensions: tuple[str, ...], filters: tuple[Filter, ...], search_type: SearchType
) -> str:
    """What is really used. Asking for what is impossible is refused, never changed silently."""
    by_page = "page" in dimensions or any(item.dimension == "page" for item in filters)
    by_property_error: ApiError | None = None
    if by_page:
        by_property_error = invalid(
            "byProperty cannot be used when grouping or filtering by page.", "aggregation_type"
        )
    elif search_type in NO_QUERY:
        by_property_error = invalid(
            f"byProperty is not available for type {search_type}.", "aggregation_type"
        )
    if asked == "byNewsShowcasePanel":
        showcase = all(
            item.expression == _SHOWCASE for item in filters if item.dimension == "searchAppearance"
        )
        shown = any(item.dimension == "searchAppearance" for item in filters)
        if by_page or search_type not in NO_QUERY or not (showcase and shown):
            raise invalid(
                "byNewsShowcasePanel needs type discover or googleNews, a NEWS_SHOWCASE filter, and no page.",
                "aggregation_type",
            )
        return asked
    if asked == "byProperty" and by_property_error:
        raise by_property_error
    if asked == "auto":
        return "byPage" if by_property_error else "byProperty"
    return asked
