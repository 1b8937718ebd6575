"""The command line: settings, specs, exit codes, tables. Google is a dead port or not asked at all."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contract import ExitCode, FailureClass, RunSummary, State
from sync.command import cli
from sync.errors import ConfigurationError, DatabaseRefused
from sync.logs import AUDIT
from sync.settings import load
from sync.world import World
from tests.unit.sync.fakes import TinyStore, clock, spec, workspace


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before
    logging.getLogger(AUDIT).setLevel(logging.NOTSET)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Desk:
    """A process's surroundings, and what came out of it."""

    def __init__(self, tmp_path: Path, *, terminal: bool = False, store=None, **environment: str):
        self.folder = tmp_path
        self.logs = Terminal() if terminal else io.StringIO()
        self.out = io.StringIO()
        self.summary_path = tmp_path / "summary.json"
        self.environment = {
            "GSC_SYNC_SUMMARY_PATH": str(self.summary_path),
            "GSC_SYNC_API_BASE_URL": "http://127.0.0.1:9/v3",
            "GSC_SYNC_TOKEN_URL": "http://127.0.0.1:9/token",
            **environment,
        }
        self.store = store or TinyStore()

    def __call__(self, *arguments: str) -> Result:
        world = World(
            environment=self.environment,
            clock=clock(),
            store=lambda _spec, _clock: self.store() if callable(self.store) else self.store,
            logs=self.logs,
            out=self.out,
        )
        return CliRunner().invoke(cli, list(arguments), obj=world)

    def write(self, text: str) -> str:
        path = self.folder / "spec.json"
        path.write_text(text)
        return str(path)

    @property
    def summary(self) -> RunSummary:
        return RunSummary.from_json(self.summary_path.read_bytes())


def missing_credentials(tmp_path: Path, **fields: Any) -> str:
    return spec([workspace(tmp_path, "beta", None)], **fields).to_json()


def test_a_run_by_environment_writes_the_summary_and_exits_by_the_contract(tmp_path):
    desk = Desk(tmp_path, GSC_SYNC_RUN_SPEC=missing_credentials(tmp_path))
    assert desk("run").exit_code == ExitCode.FAILURE
    assert desk.summary.error_class is FailureClass.CREDENTIALS_MISSING
    lines = [json.loads(line) for line in desk.logs.getvalue().splitlines()]
    assert lines[-1]["event"] == "auto_sync.failed"
    assert {
        "auto_sync": True,
        "schedule": "data/marketing",
        "run_id": "29690640",
        "attempt": 1,
        "launch": 1,
    }.items() <= lines[-1].items()


def test_a_run_by_file_shows_a_table_at_a_terminal(tmp_path):
    desk = Desk(tmp_path, terminal=True)
    assert desk("run", "--spec", desk.write(missing_credentials(tmp_path))).exit_code == ExitCode.FAILURE
    assert "0 of 1 ok" in desk.out.getvalue()


def test_without_a_spec_the_usage_is_explained(tmp_path):
    for command in ("run", "plan", "check"):
        result = Desk(tmp_path)(command)
        assert result.exit_code == ExitCode.USAGE
        assert "--spec FILE" in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{", "RunSpec cannot be read", id="no JSON"),
        pytest.param('{"version": 1, "surprise": true}', "surprise", id="an unknown key"),
        pytest.param("x" * 70_000, "at most 65536", id="too large"),
    ],
)
def test_a_spec_that_cannot_be_read_cancels_the_run(tmp_path, text, says):
    desk = Desk(tmp_path)
    assert desk("run", "--spec", desk.write(text)).exit_code == ExitCode.CANCELLED
    assert desk.summary.state is State.CANCELLED
    assert desk.summary.error_class is FailureClass.CONFIGURATION
    assert says in desk.summary.message
    for command in ("plan", "check"):
        assert Desk(tmp_path)(command, "--spec", desk.write(text)).exit_code == ExitCode.CANCELLED


def test_a_spec_file_that_is_not_there_cancels_the_run(tmp_path):
    desk = Desk(tmp_path)
    assert desk("run", "--spec", str(tmp_path / "none")).exit_code == ExitCode.CANCELLED
    assert "cannot be read" in desk.summary.message


def test_settings_that_are_wrong_cancel_the_run_and_are_named(tmp_path):
    desk = Desk(tmp_path, GSC_SYNC_ENABLED="perhaps", GSC_SYNC_DAYS="0", GSC_SYNC_API_BASE_URL="ftp://x")
    assert desk("run").exit_code == ExitCode.CANCELLED
    for name in ("GSC_SYNC_ENABLED: must be true or false", "GSC_SYNC_DAYS", "GSC_SYNC_API_BASE_URL"):
        assert name in desk.summary.message


def test_the_store_is_chosen_by_setting_and_memory_needs_no_database(tmp_path):
    def no_database():
        raise AssertionError("the database was opened")

    desk = Desk(
        tmp_path, store=no_database, GSC_SYNC_STORE="memory", GSC_SYNC_RUN_SPEC=missing_credentials(tmp_path)
    )
    ended = desk("run")
    assert ended.exit_code == ExitCode.FAILURE
    assert desk.summary.error_class is FailureClass.CREDENTIALS_MISSING, "and nothing else is missing"
    assert "rows are counted, and forgotten" in desk.logs.getvalue()
    wrong = Desk(tmp_path, GSC_SYNC_STORE="mysql", GSC_SYNC_RUN_SPEC=missing_credentials(tmp_path))("run")
    assert wrong.exit_code == ExitCode.CANCELLED


@pytest.mark.parametrize("word", ["false", "FALSE", " False "])
def test_disabled_means_nothing_is_done_and_all_is_well(tmp_path, word):
    store = TinyStore()
    desk = Desk(tmp_path, store=store, GSC_SYNC_ENABLED=word, GSC_SYNC_RUN_SPEC=missing_credentials(tmp_path))
    assert desk("run").exit_code == ExitCode.SUCCESS
    assert "GSC_SYNC_ENABLED is false" in desk.summary.message
    assert "nothing was done" in desk.logs.getvalue()
    assert store.summaries == []


def test_an_authority_that_cannot_be_read_cancels_the_run(tmp_path):
    desk = Desk(
        tmp_path, GSC_SYNC_CA_FILE=str(tmp_path / "none"), GSC_SYNC_RUN_SPEC=missing_credentials(tmp_path)
    )
    assert desk("run").exit_code == ExitCode.CANCELLED
    assert "GSC_SYNC_CA_FILE" in desk.summary.message


def raising(error: Exception):
    def open_store():
        raise error

    return open_store


def test_a_destination_that_cannot_be_opened_is_a_failure_that_heals(tmp_path):
    error = DatabaseRefused("Secret 'warehouse' has neither uri nor host; add one.")
    desk = Desk(tmp_path, store=raising(error), GSC_SYNC_RUN_SPEC=missing_credentials(tmp_path))
    assert desk("run").exit_code == ExitCode.FAILURE
    assert desk.summary.error_class is FailureClass.DATABASE_REFUSED
    assert "add one" in desk.summary.message


def test_what_nobody_foresaw_ends_with_one_traceback(tmp_path):
    desk = Desk(
        tmp_path, store=raising(ZeroDivisionError("x")), GSC_SYNC_RUN_SPEC=missing_credentials(tmp_path)
    )
    assert desk("run").exit_code == ExitCode.FAILURE
    assert desk.summary.error_class is FailureClass.UNEXPECTED
    assert desk.logs.getvalue().count("Traceback") == 1


def test_plan_needs_no_database_and_names_what_is_wrong(tmp_path):
    desk = Desk(tmp_path, store=raising(AssertionError("plan opened the store")))
    result = desk("plan", "--spec", desk.write(missing_credentials(tmp_path)))
    assert result.exit_code == ExitCode.FAILURE
    assert "is missing: add the key" in " ".join(desk.out.getvalue().replace("│", " ").split())
    assert "2026-06-12 to 2026-06-14" in desk.out.getvalue()


def test_plan_says_what_google_does_not_give(tmp_path):
    desk = Desk(tmp_path, store=raising(AssertionError("plan opened the store")))
    order = {"search_types": ["web", "discover"], "dimension_sets": ["query", "totals"]}
    desk("plan", "--spec", desk.write(missing_credentials(tmp_path, **order)))
    shown = " ".join(desk.out.getvalue().replace("│", " ").split())
    assert "dimension sets query, totals" in shown
    assert "not at Google query of discover: left out" in shown


def test_check_names_what_is_wrong_with_the_database(tmp_path):
    desk = Desk(tmp_path, store=TinyStore(problems=("GRANT CREATE ON DATABASE x TO y;",)))
    result = desk("check", "--spec", desk.write(missing_credentials(tmp_path)))
    assert result.exit_code == ExitCode.FAILURE
    assert "GRANT CREATE ON DATABASE x TO y;" in desk.out.getvalue()
    desk = Desk(tmp_path, store=raising(DatabaseRefused("wrong password")))
    assert desk("check", "--spec", desk.write(missing_credentials(tmp_path))).exit_code == ExitCode.FAILURE
    assert "wrong password" in desk.out.getvalue()


def test_days_of_the_environment_win_over_the_window(tmp_path):
    desk = Desk(tmp_path, GSC_SYNC_DAYS="30", GSC_SYNC_RUN_SPEC=missing_credentials(tmp_path))
    desk("plan")
    assert "2026-05-16 to 2026-06-14" in desk.out.getvalue()


def test_defaults_point_at_google():
    settings = load({"GSC_SYNC_DAYS": "", "OTHER": "x"})
    assert settings.api_base_url == "https://www.googleapis.com/webmasters/v3"
    assert settings.token_url == "https://oauth2.googleapis.com/token"
    assert (settings.enabled, settings.days, settings.log_level) == (True, None, "INFO")
    assert load({"GSC_SYNC_LOG_LEVEL": "debug"}).log_level == "DEBUG"


@pytest.mark.parametrize(
    "name", ["GSC_SYNC_LOG_LEVEL", "GSC_SYNC_LOG_FORMAT", "GSC_SYNC_TOKEN_URL", "GSC_SYNC_DAYS"]
)
def test_a_wrong_setting_is_named(name):
    with pytest.raises(ConfigurationError, match=name):
        load({name: "nonsense"})


def test_help_and_version():
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        assert CliRunner().invoke(cli, arguments).exit_code == 0
