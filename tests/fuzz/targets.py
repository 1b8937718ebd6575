"""What is fuzzed: any bytes in, and what must hold of what comes out. A broken promise is an AssertionError.

The bytes are what a hostile server or a damaged environment variable would give: bodies of pages, probes, lists of
properties and token answers, and RunSpecs. Nothing here knows how the bytes were made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from contract import ContractError, RunSpec
from sync.google.answers import _SHAPES, Page, PageDecoder
from sync.google.bodies import BadBodyError, decode_probe, decode_sites
from sync.google.classify import classify
from sync.google.classify_token import classify_iam, classify_metadata, classify_sts, classify_token
from sync.google.prints import digest_of_prints
from sync.rows import MAX_POSITION, MAX_RAW_CHARACTERS, max_count

NOW = datetime(2026, 3, 18, 18, tzinfo=UTC)
DECODERS = {dimensions: PageDecoder(dimensions) for dimensions in _SHAPES}
STATUSES = (200, 204, 302, 400, 401, 403, 404, 429, 500)

Target = Callable[[bytes], None]


def pages(body: bytes) -> None:
    """A body is no page, or every row of it can be stored and nothing is lost on the way."""
    for dimensions, decode in DECODERS.items():
        try:
            page = decode(body)
        except BadBodyError:
            continue
        holds(page)
        assert repr(page) == repr(decode(body)), "decoding remembers nothing"
        careful = decode._carefully(body)
        assert careful.received == page.received, f"both ways see as many rows of {dimensions}"
        if not page.quarantined:
            assert careful.rows == page.rows
        if page.prints:
            known = decode(body, digest_of_prints(page.prints))
            assert known.received == page.received
            assert known.read is not None
            assert known.read().rows == page.rows, "what is known by its bytes is read as it was"


def holds(page: Page) -> None:
    assert len(page.keys) == len(page.rows)
    assert len(page.rows) + len(page.quarantined) == page.received
    for row in page.rows:
        *key, clicks, impressions, position = row
        for part in key:
            if isinstance(part, str):
                part.encode()
            else:
                assert isinstance(part, datetime)
                assert part.tzinfo is not None
        for count in (clicks, impressions):
            assert type(count) is int
            assert 0 <= count <= max(max_count(()), max_count(("page",)))
        assert position is None or 0 <= position <= MAX_POSITION
    for raw in page.quarantined:
        assert raw.isascii()
        assert len(raw) <= MAX_RAW_CHARACTERS


def answers(body: bytes) -> None:
    """Whatever is answered in place of rows is understood as something, and quoted only in part."""
    with suppress(BadBodyError):
        probe = decode_probe(body)
        assert all(
            0 <= shown < float("inf") for shown in (*probe.impressions.values(), *probe.clicks.values())
        )
    with suppress(BadBodyError):
        for site in decode_sites(body):
            f"{site.url} {site.permission}".encode()
    for status in STATUSES:
        for judge in (classify, classify_token, classify_sts, classify_iam, classify_metadata):
            verdict = judge(status, {"retry-after": body[:40].decode("latin-1")}, body, NOW)
            if verdict is None and judge is classify_token:
                str(json.loads(body.decode("utf-8-sig", "replace"))["access_token"]).encode("latin-1")
            if verdict is not None:
                assert len(verdict.message) < 10_000
                verdict.message.encode()
                assert verdict.retry_after is None or verdict.retry_after >= 0
    assert classify(403, {}, body, NOW) is not None, "a refusal is never taken for an answer"


def specs(text: bytes) -> None:
    """A RunSpec is refused, or is the same after being written and read again."""
    try:
        spec = RunSpec.from_json(text)
    except ContractError:
        return
    assert RunSpec.from_json(spec.to_json()) == spec


TARGETS: Mapping[str, Target] = {"pages": pages, "answers": answers, "specs": specs}
