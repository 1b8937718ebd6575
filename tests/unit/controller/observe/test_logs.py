"""Logs: one JSON object per line, nothing secret in it, nothing that a terminal would obey."""

import io
import json
import logging

import pytest

from controller.observe import logs


@pytest.fixture
def lines():
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    handler = logs.configure("INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    handler.close()
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_is_one_object_with_time_level_and_event(lines) -> None:
    logging.getLogger("gsc.decision").info(
        "Launched: %s", "a\nb", extra={"event": "decision", "namespace": "team"}
    )
    (line,) = lines()
    assert line["message"] == "Launched: a\nb"
    assert (line["level"], line["logger"], line["event"], line["namespace"]) == (
        "INFO",
        "gsc.decision",
        "decision",
        "team",
    )
    assert line["ts"].endswith("Z")


def test_an_exception_stays_in_its_line(lines) -> None:
    try:
        int("password=hunter2 \x1b[31m")
    except ValueError:
        logging.getLogger("x").exception("failed")
    (line,) = lines()
    assert "ValueError" in line["exc_info"]
    assert "hunter2" not in json.dumps(line)


def test_nested_values_and_odd_keys_are_cleared_too(lines) -> None:
    logging.getLogger("x").info("m", extra={"details": {"a": ["token ya29.abcdef", 1, None, True, object()]}})
    (line,) = lines()
    assert line["details"]["a"][0] == "token [redacted]"
    assert line["details"]["a"][1:4] == [1, None, True]


def test_kopf_keeps_to_warnings(lines) -> None:
    logging.getLogger("kopf.objects").info("Handler succeeded")
    logging.getLogger("kopf.objects").warning("worth saying")
    assert [line["message"] for line in lines()] == ["worth saying"]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param("password=hunter2", "hunter2", id="password"),
        pytest.param('{"client_secret": "s3cret"}', "s3cret", id="client secret"),
        pytest.param('"refresh_token":"1//0abcdefghijklmnopqrstuv"', "1//0abc", id="refresh token"),
        pytest.param("Authorization: Bearer abc.def-ghi", "abc.def-ghi", id="bearer"),
        pytest.param("ya29.A0ARrdaM-x", "A0ARrdaM", id="google access token"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJzdWIi", id="jwt"),
        pytest.param("postgresql://me:pw@host/db", "pw@", id="url"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE", id="key"),
        pytest.param("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "MIIE", id="key cut off"),
    ],
)
def test_what_looks_like_a_secret_is_not_written(text: str, secret: str) -> None:
    assert secret not in logs.redact(f"before {text} after")
    assert "[redacted]" in logs.redact(text)


def test_plain_words_pass() -> None:
    text = "Secret 'acme-google' key 'credentials.json' in namespace 'team' is missing; schema=gsc"
    assert logs.redact(text) == text


@pytest.mark.parametrize("character", ["\x1b", "\x00", "\u202e", "\u2028", "\r"])
def test_control_characters_are_spelt_out(character: str) -> None:
    assert logs.redact(f"a{character}b") == f"a\\u{ord(character):04x}b"


def test_a_long_text_is_cut() -> None:
    assert len(logs.redact("x" * 100_000)) <= logs.MAX_TEXT + 1
