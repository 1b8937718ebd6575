"""`python -m emulator`: it says where it listens, serves, and ends when told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from pydantic import ValidationError

from emulator import Config, default_config, load
from emulator.credentials import find_account
from emulator.keys import Keys


def test_it_serves_the_configuration_it_was_given(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("accounts: [{name: solo, properties: {'sc-domain:a.example': siteOwner}}]\n"
                      "properties: [{url: 'sc-domain:a.example', rows: {web: 3}}]\n")  # fmt: skip
    faults = tmp_path / "faults.yaml"
    faults.write_text("[{match: {operation: sites.list}, fault: {kind: load-403}}]")
    arguments = [
        "--faults",
        str(faults),
        "--config",
        str(config),
        "--now",
        "2026-03-20T20:00:00Z",
        "--ticking",
        "--seed",
        "9",
        "--warm",
        "1",
    ]
    program = subprocess.Popen(
        [sys.executable, "-m", "emulator", *arguments, "--keys", str(tmp_path / "keys")],
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        try:
            assert program.stdout is not None
            ready = json.loads(program.stdout.readline())
            assert (ready["seed"], ready["accounts"]) == (9, ["solo"])
            clock = requests.get(f"{ready['url']}/_emulator/clock", timeout=10).json()
            assert clock["now"].startswith("2026-03-20T20:0")
            assert requests.get(f"{ready['url']}/sites", timeout=10).status_code == 403
            written = tmp_path / "solo.json"
            subprocess.run(
                [sys.executable, "-m", "emulator.credentials", "--config", str(config), "--account", "solo",
                 "--url", ready["url"], "--keys", str(tmp_path / "keys"), "--out", str(written)],
                check=True, capture_output=True, timeout=60,
            )  # fmt: skip
            handed = requests.get(
                f"{ready['url']}/_emulator/credentials/solo", params={"url": ready["url"]}, timeout=10
            ).json()
            assert json.loads(written.read_text()) == handed
            assert written.stat().st_mode & 0o077 == 0
        finally:
            program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--now", "yesterday"], "--now"),
        (["--now", "2026-03-20T20:00:00"], "offset"),
        (["--config", "none"], "none"),
        (["--config", "WRONG"], "surprise"),
        (["--faults", "WRONG"], "list"),
    ],
)
def test_wrong_options_are_explained(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "wrong.yaml").write_text("surprise: 1")
    arguments = [text.replace("WRONG", str(tmp_path / "wrong.yaml")) for text in arguments]
    ended = subprocess.run(
        [sys.executable, "-m", "emulator", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert words in ended.stderr


def test_the_dumped_configuration_can_be_loaded(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "emulator", "--dump-config"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    path = tmp_path / "config.json"
    path.write_text(ended.stdout)
    assert load(path) == default_config()
    assert (len(load(path).accounts), len(load(path).properties)) == (3, 6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"surprise": 1},
        {"properties": [{"url": "a"}, {"url": "a"}]},
        {"accounts": [{"name": "a"}, {"name": "a"}]},
        {"accounts": [{"name": "a", "properties": {"unknown": "siteOwner"}}]},
        {"accounts": [{"name": "a", "impersonates": ["nobody"]}]},
        {"properties": [{"url": "a", "rows": {"maps": 1}}]},
        {"accounts": [{"name": "a", "properties": {}, "kind": "robot"}]},
    ],
    ids=str,
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(wrong)


def test_an_unknown_account_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="known: acme, globex, revoked"):
        find_account(default_config(), "nobody")


def test_a_key_file_that_holds_no_rsa_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "acme.pem").write_text("nonsense")
    with pytest.raises(ValueError, match="PEM"):
        Keys(default_config(), tmp_path).private_key(find_account(default_config(), "acme"))
