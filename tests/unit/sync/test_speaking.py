"""What leaves the program: logs without secrets, summaries that fit, tables for people."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from contract import ExitCode, FailureClass, RunSummary, State
from sync import summary as summaries
from sync.errors import CredentialsError, PropertyError
from sync.logs import AUDIT, configure
from sync.outcomes import Ending, PropertyOutcome, WorkspaceOutcome, conclude
from sync.plan.cells import Cell, CellResult, FetchedCell
from sync.progress import LogReporter
from sync.redact import clean, escape_controls, redact
from sync.settings import Settings
from sync.show import show_summary
from sync.tally import Tally
from sync.terminal import TerminalReporter
from sync.verdict import Verdict
from tests.unit.sync.fakes import clock, spec, workspace

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQ==\nAAAA\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer ya29.abcdefgh", "abcdefgh"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln done", "eyJpc3MiOiJ4In0"),
        ("got ya29.a0Af_xyz", "a0Af_xyz"),
        ("refresh 1//0abcdefghijklmnopqrstuv", "0abcdefghijklmnopqrstuv"),
        ("client GOCSPX-abc_def", "abc_def"),
        (PEM, "MIIEvQ"),
        (json.dumps({"private_key": PEM}), "MIIEvQ"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ", "MIIEvQ"),
        ("postgresql://user:s3cr%40t@db/x", "s3cr%40t"),
        ("connection to host=db password=hunter2 failed", "hunter2"),
        ("password = 'hunter2'", "hunter2"),
        ('{"refresh_token": "hunter2", "a": 1}', "hunter2"),
        (json.dumps({"message": '{"client_secret":"hunter2"}'}), "hunter2"),
        ("access_token=hunter2&x=1", "hunter2"),
    ],
)
def test_secrets_are_masked(text, secret):
    assert secret not in redact(text)
    if text.startswith("{"):
        json.loads(redact(text))


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example/path?x=1",
        "the password is wrong",
        "Secret 'acme-google' key 'credentials.json' is missing",
        "https://a.example:8080/",
        "host=db user=me",
    ],
)
def test_plain_text_is_left_alone(text):
    assert redact(text) == text


@given(st.text(max_size=200))
def test_a_line_stays_a_line(text):
    shown = escape_controls(text)
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert escape_controls(shown) == shown
    assert len(clean(text, 50)) <= 50


def test_control_characters_show_as_escapes():
    assert escape_controls("a\nb\tc\x1b[31m\u202ed\x00") == "a\\nb\\tc\\x1b[31m\\u202ed\\x00"
    assert escape_controls("a\nb", keep="\n") == "a\nb"


@pytest.fixture
def speak() -> Iterator[object]:
    """Configures logging for the length of a test, and gives back what was said."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.getLogger(AUDIT).level)

    def configured(console: Console | None = None, **settings: object) -> io.StringIO:
        stream = console.file if console else io.StringIO()
        configure(
            Settings(**settings),
            stream,
            console,
            {"auto_sync": True, "schedule": "data/marketing", "launch": 2},
        )
        return stream

    yield configured
    root.handlers[:], root.level = before[:2]
    logging.getLogger(AUDIT).setLevel(before[2])


def test_in_a_pod_each_line_is_json_with_what_it_belongs_to(speak):
    stream = speak()
    logging.getLogger("sync").warning("two\nlines, Bearer abcdefghij and %s", "üml\u202e")
    [line] = stream.getvalue().splitlines()
    found = json.loads(line)
    assert {
        "level": "WARNING",
        "logger": "sync",
        "auto_sync": True,
        "schedule": "data/marketing",
        "launch": 2,
    }.items() <= found.items()
    assert found["message"] == "two\nlines, Bearer *** and üml\u202e"
    assert line.isascii()
    assert found["ts"].endswith("+00:00")


def test_events_carry_measurements_and_metadata(speak):
    stream = speak()
    logging.getLogger(AUDIT).info(
        "x.y", extra={"event": "x.y", "measurements": {"rows": 1}, "metadata": {"site_url": "s"}}
    )
    found = json.loads(stream.getvalue())
    assert (found["event"], found["measurements"], found["metadata"], found["logger"]) == (
        "x.y",
        {"rows": 1},
        {"site_url": "s"},
        "gsc.audit",
    )


def test_text_is_for_people_and_keeps_tracebacks_readable(speak):
    stream = speak(log_format="text")
    logging.getLogger(AUDIT).info(
        "x.y", extra={"event": "x.y", "measurements": {"rows": 1}, "metadata": {"site_url": "s", "date": ""}}
    )
    try:
        int("password=hunter2\x1b[2J")
    except ValueError:
        logging.getLogger("sync").exception("evil\nline")
    text = stream.getvalue()
    assert "INFO    x.y  site_url=s rows=1\n" in text
    assert "evil\\nline" in text
    assert "Traceback" in text
    assert "hunter2" not in text
    assert "\x1b" not in text


def test_a_terminal_is_spared_the_audit_log(speak):
    console = Console(file=io.StringIO(), width=100)
    stream = speak(console)
    logging.getLogger(AUDIT).info("api.request")
    logging.getLogger("sync").info("[bold]hello[/bold]")
    assert "api.request" not in stream.getvalue()
    assert "[bold]hello[/bold]" in stream.getvalue()
    speak(console, log_level="DEBUG")
    logging.getLogger(AUDIT).info("api.request")
    assert "api.request" in stream.getvalue()


def test_libraries_are_kept_quiet(speak):
    stream = speak(log_level="DEBUG")
    logging.getLogger("urllib3.connectionpool").debug("GET /secret")
    assert stream.getvalue() == ""


SYNCED = PropertyOutcome("sc-domain:a", Ending.SYNCED, None, 3, 30, date(2026, 6, 12))


def test_a_summary_tells_workspaces_apart(tmp_path):
    order = spec([workspace(tmp_path, name) for name in ("a", "b", "c")])
    outcomes = [
        conclude("a", (SYNCED,)),
        WorkspaceOutcome(
            "b",
            Ending.FAILED,
            (),
            CredentialsError("Bearer abcdefghijkl\nrevoked", FailureClass.CREDENTIALS_REVOKED),
        ),
        conclude("c", (SYNCED, PropertyOutcome("sc-domain:x", Ending.FAILED, PropertyError("no")))),
    ]
    made = summaries.summarise(
        Verdict(State.PARTIALLY_SUCCEEDED, ExitCode.SUCCESS, "m"), spec=order, outcomes=outcomes
    )
    assert (made.total_workspaces, made.succeeded_workspaces, made.failed_workspaces) == (3, 1, 2)
    assert [failure.message for failure in made.failures] == [
        "Bearer ***\\nrevoked",
        "1 of 2 properties failed; sc-domain:x: no",
    ]
    assert made.successes[0].rows_written == 30
    assert made.newest_final_day == date(2026, 6, 12)


def test_one_property_without_a_final_day_leaves_the_newest_unknown():
    later = PropertyOutcome("sc-domain:b", Ending.SYNCED)
    made = summaries.summarise(
        Verdict(State.SUCCEEDED, ExitCode.SUCCESS), outcomes=[conclude("a", (SYNCED, later))]
    )
    assert made.newest_final_day is None


def test_a_summary_is_written_over_what_is_there(tmp_path):
    path = tmp_path / "termination-log"
    path.write_text("x" * 9000)
    made = summaries.summarise(Verdict(State.FAILED, ExitCode.FAILURE, "é" * 2000, FailureClass.UNEXPECTED))
    summaries.write(made, path)
    assert RunSummary.from_json(path.read_bytes()) == made
    summaries.write(made, None)


def test_a_summary_that_cannot_be_written_is_only_warned_about(tmp_path, caplog):
    summaries.write(summaries.summarise(Verdict(State.SUCCEEDED, ExitCode.SUCCESS)), tmp_path / "no" / "such")
    assert "could not be written" in caplog.text


def a_tally() -> Tally:
    tally = Tally()
    tally.planned(4)
    cell = FetchedCell(Cell("sc-domain:a", date(2026, 6, 1), "web"), [], final=True, saturated=True)
    tally.committed(cell, CellResult(inserted=5, deleted=1))
    return tally


def test_progress_is_logged_every_thirty_seconds_at_most(caplog):
    caplog.set_level(logging.INFO)
    now = clock()
    with LogReporter(a_tally(), now) as reporter:
        for _ in range(70):
            now.advance(1)
            reporter.tick()
    told = [record.measurements for record in caplog.records]
    assert len(told) == 2
    assert {"cells": 1, "planned": 4}.items() <= told[0].items()


def test_a_terminal_shows_a_bar():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with TerminalReporter(a_tally(), clock(), console) as reporter:
        reporter.tick()
        reporter._progress.refresh()
        assert "1/4" in console.file.getvalue()


def test_a_person_gets_a_table():
    console = Console(file=io.StringIO(), width=100)
    made = summaries.summarise(
        Verdict(State.SNOOZED, ExitCode.SNOOZED, "[bold]load", FailureClass.LOAD_QUOTA, 900),
        outcomes=[WorkspaceOutcome("b", Ending.FAILED, (), CredentialsError("revoked"))],
        counts=a_tally().counts(),
    )
    show_summary(made, console)
    text = console.file.getvalue()
    for said in (
        "Snoozed",
        "900 s",
        "[bold]load",
        "b",
        "CredentialsInvalid: revoked",
        "cap of 50,000",
        "not known",
    ):
        assert said in text
