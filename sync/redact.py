"""Takes secrets and control characters out of text before it leaves the program, in logs and in the summary.

Nothing secret should be in a message to begin with; this is the second line. Patterns replace the secret alone and never
touch quotes or backslashes around it, so a JSON line stays one.
"""

from __future__ import annotations

import re

MASK = "***"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^\"-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"), MASK),
    (re.compile(r"\bya29\.[A-Za-z0-9._-]+"), MASK),
    (re.compile(r"\b1//[A-Za-z0-9_-]{20,}"), MASK),
    (re.compile(r"\bGOCSPX-[A-Za-z0-9_-]+"), MASK),
    (re.compile(r"([a-z][a-z0-9+.-]{1,20}://[^\s:/@\"\\]*):[^\s/\"\\]+@"), rf"\1:{MASK}@"),
    (
        re.compile(
            r"(?i)\b(password|passwd|pgpassword|sslpassword|client_secret|refresh_token|access_token|private_key|assertion)"
            r"((?:\\?[\"'])?\s*[=:]\s*(?:\\?[\"'])?)[^\s\"'\\&,;}]+",
        ),
        rf"\1\2{MASK}",
    ),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def redact(text: str) -> str:
    """The text without what looks like a secret."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def escape_controls(text: str, *, keep: str = "") -> str:
    r"""Control characters, direction marks and lone surrogates as escapes: a log line stays one line."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def clean(text: str, length: int = 512) -> str:
    """Text for a summary or a table: redacted, on one line, not longer than `length` characters."""
    plain = escape_controls(redact(text.strip()))
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def _escape(character: str) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(character)
    return known.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
