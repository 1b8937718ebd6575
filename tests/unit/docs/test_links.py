"""Every relative link of the documentation leads somewhere, headings included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    {
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("helm/*/*.md"),
        *ROOT.glob("requirements/*.md"),
    }
)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|<img[^>]+src=\"([^\"]+)\"")


def anchors(page: str) -> set[str]:
    """As the usual hosts make them: lower case, punctuation away, blanks to hyphens, doubles numbered."""
    made: dict[str, int] = {}
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", FENCE.sub("", page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = made.get(slug, 0)
        made[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def broken(page: Path, text: str) -> list[str]:
    prose = INLINE_CODE.sub("", FENCE.sub("", text))
    wrong = []
    for match in LINK.finditer(prose):
        target = match[1] or match[2]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        missing_anchor = (
            anchor and file.suffix == ".md" and file.is_file() and anchor not in anchors(file.read_text())
        )
        if not file.exists() or not file.is_relative_to(ROOT) or missing_anchor:
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page: Path) -> None:
    assert broken(page, page.read_text()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](SECURITY.md) and [b](SECURITY.md#what-counts)", []),
        ("[a](no-such-file.md)", ["no-such-file.md"]),
        ("[a](SECURITY.md#no-such-heading)", ["SECURITY.md#no-such-heading"]),
        ('<img src="no-such-picture.svg">', ["no-such-picture.svg"]),
        ("[a](../outside.md)", ["../outside.md"]),
        ("[a](https://example.com/x) `[b](no.md)`\n```\n[c](no.md)\n```\n", []),
    ],
    ids=["good", "file", "heading", "picture", "outside", "not ours"],
)
def test_the_check_itself_sees_what_is_broken(text: str, expected: list[str]) -> None:
    assert broken(ROOT / "page.md", text) == expected
