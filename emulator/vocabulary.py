"""The words of a property: its pages, its queries, where and on what people search.

A property has one fixed vocabulary per search type, so that its days share pages and queries as a real site's do. The
texts are awkward on purpose where real ones are: URLs percent-encoded, very long, or differing only in case, a trailing
slash or the case of an escape; queries in many scripts, with quotes, backslashes, markup and emoji.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate

from emulator.config import SearchType

Atom = tuple[str, str, str, str]
"""The key of a row: page, query, country, device. A dimension the search type does not offer is empty."""

_COUNTRY_CODES = (
    "usa deu gbr fra ind bra can jpn ita esp nld aus pol mex swe che aut bel tur idn dnk nor fin prt cze"
    " zaf arg kor sgp irl zzz"
)
COUNTRIES = tuple(_COUNTRY_CODES.split())
DEVICES = ("MOBILE", "DESKTOP", "TABLET")
NO_QUERY: frozenset[SearchType] = frozenset(("discover", "googleNews"))
NO_DEVICE: frozenset[SearchType] = frozenset(("discover",))

_SECTIONS = ("blog", "products", "docs", "help", "caf%C3%A9", "%E6%97%A5%E6%9C%AC", "Shop", "a-b_c~d")
_TEXTS = (
    "buy cheap best garden lamp chair oak red running shoes how to fix install review 2026 near me price vs open"
    " source café naïve größe straße コーヒー 東京 ресторан москва שלום مطعم قهوة हिन्दी 커피 ελιά żółw năm 😀 🇩🇪 e\u0301"
    " c++ c# 100% \"exact\" 'quoted' back\\slash <b>bold</b> a&b ; select * from \u200f"
)
_WORDS = tuple(_TEXTS.split())
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Texts with cumulated weights, the popular first."""

    pages: list[str]
    page_weights: list[float]
    queries: list[str]
    query_weights: list[float]
    countries: tuple[str, ...]
    country_weights: list[float]
    devices: tuple[str, ...]


def _zipf(count: int, exponent: float) -> list[float]:
    return list(accumulate(1 / (rank + 1) ** exponent for rank in range(count)))


def _home(url: str) -> str:
    return f"https://www.{url.removeprefix('sc-domain:')}/" if url.startswith("sc-domain:") else url


def _pages(url: str, count: int, rng: random.Random) -> list[str]:
    home = _home(url)
    pages = [home]
    while len(pages) < count:
        n = len(pages)
        path = f"{home}{rng.choice(_SECTIONS)}/{n:x}"
        kind = n % 40
        if kind == 7:
            pages += [path, f"{path}/"]
        elif kind == 11:
            pages += [f"{path}-Look", f"{path}-look"]
        elif kind == 13:
            pages += [f"{path}-%C3%BC", f"{path}-%c3%bc"]
        elif kind == 17:
            pages.append(f"{path}?utm_source=a%20b&x=%25&y=1#:~:text=one,two")
        elif kind == 19:
            pages.append(path + "?q=" + "long-" * rng.randrange(20, _LONGEST // 5))
        else:
            pages.append(f"{path}-{'-'.join(rng.choices(_SECTIONS[:4], k=rng.randrange(1, 4)))}")
    return pages[:count]


def _queries(count: int, rng: random.Random) -> list[str]:
    queries: dict[str, None] = {}
    while len(queries) < count:
        text = " ".join(rng.choices(_WORDS, k=rng.randrange(1, 6)))
        queries[text if text not in queries else f"{text} {len(queries)}"] = None
    return list(queries)


def vocabulary(seed: str, url: str, search_type: SearchType, rows: int) -> Vocabulary:
    """The words of a property; their number follows the number of rows."""
    rng = random.Random(f"{seed}|words|{url}|{search_type}")
    no_query = search_type in NO_QUERY
    pages = _pages(url, max(8, rows // (8 if no_query else 20)), rng)
    queries = [""] if no_query else _queries(max(8, rows // 4), rng)
    return Vocabulary(
        pages=pages,
        page_weights=_zipf(len(pages), 0.6),
        queries=queries,
        query_weights=_zipf(len(queries), 0.5),
        countries=COUNTRIES,
        country_weights=_zipf(len(COUNTRIES), 0.8),
        devices=("",) if search_type in NO_DEVICE else DEVICES,
    )


def universe(seed: str, url: str, search_type: SearchType, rows: int) -> list[Atom]:
    """Distinct keys, more than any day of the property needs, the popular first."""
    if not rows:
        return []
    words = vocabulary(seed, url, search_type, rows)
    rng = random.Random(f"{seed}|universe|{url}|{search_type}")
    wanted = rows + rows // 4 + 8
    atoms: dict[Atom, None] = {}
    while len(atoms) < wanted:
        k = max(16, wanted - len(atoms))
        atoms.update(
            dict.fromkeys(
                zip(
                    rng.choices(words.pages, cum_weights=words.page_weights, k=k),
                    rng.choices(words.queries, cum_weights=words.query_weights, k=k),
                    rng.choices(words.countries, cum_weights=words.country_weights, k=k),
                    rng.choices(words.devices, k=k),
                    strict=True,
                )
            )
        )
    return list(atoms)[:wanted]
