"""Settings: read once, frozen, and wrong ones are named before anything is contacted."""

import subprocess
import sys

import pytest

from controller.settings import ConfigurationError, Settings, load


def test_defaults_are_usable() -> None:
    settings = load({})
    assert settings.watched == ("",)
    assert (settings.lease_seconds, settings.lease_renew_seconds, settings.lease_retry_seconds) == (15, 10, 2)
    assert settings.leader_election


@pytest.mark.parametrize(
    ("text", "namespaces"),
    [("", ()), ("*", ()), ("a,*", ()), ("a", ("a",)), (" a , b,a ", ("a", "b")), ('["a", "b"]', ("a", "b"))],
)
def test_namespaces(text: str, namespaces: tuple[str, ...]) -> None:
    settings = load({"GSC_OPERATOR_NAMESPACES": text})
    assert settings.namespaces == namespaces
    assert settings.watched == (namespaces or ("",))


def test_values_come_from_the_environment_and_objects_are_json() -> None:
    settings = load(
        {
            "GSC_OPERATOR_SYNC_ENV": '{"HTTPS_PROXY": "http://proxy"}',
            "GSC_OPERATOR_SYNC_TOLERATIONS": '[{"key": "batch"}]',
            "GSC_OPERATOR_SYNC_IMAGE_PULL_SECRETS": "one,two",
            "GSC_OPERATOR_SYNC_AFFINITY": '{"nodeAffinity": {}}',
            "GSC_OPERATOR_SYNC_TOPOLOGY_SPREAD_CONSTRAINTS": '[{"maxSkew": 1}]',
            "GSC_OPERATOR_SYNC_POD_LABELS": '{"team": "data"}',
            "GSC_OPERATOR_SYNC_RUN_AS_FIXED_USER": "false",
            "GSC_OPERATOR_LOG_LEVEL": "debug",
            "GSC_OPERATOR_LEADER_ELECTION": "false",
            "HOSTNAME": "pod-7",
            "UNRELATED": "x",
        }
    )
    assert settings.sync_env == {"HTTPS_PROXY": "http://proxy"}
    assert settings.sync_tolerations == [{"key": "batch"}]
    assert settings.sync_image_pull_secrets == ("one", "two")
    assert settings.sync_affinity == {"nodeAffinity": {}}
    assert settings.sync_topology_spread_constraints == [{"maxSkew": 1}]
    assert settings.sync_pod_labels == {"team": "data"}
    assert settings.sync_run_as_fixed_user is False
    assert settings.log_level == "DEBUG"
    assert settings.leader_election is False
    assert settings.identity == "pod-7"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METRICS_PORT", "http"),
        ("LOG_LEVEL", "loud"),
        ("SYNC_ENV", "{"),
        ("SYNC_IMAGE_PULL_POLICY", "Sometimes"),
        ("RESYNC_SECONDS", "0"),
        ("LEASE_SECONDS", "5"),
        ("SYNC_AMBIENT_CREDENTIALS", "maybe"),
        ("SYNC_RUN_AS_FIXED_USER", "maybe"),
        ("SYNC_AFFINITY", "[]"),
        ("SYNC_CA_KEY", "../etc/passwd"),
        ("SYNC_IDENTITY_TOKEN_AUDIENCE", "two words"),
        ("SYNC_IDENTITY_TOKEN_AUDIENCE", "https://kubernetes.default.svc"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load({f"GSC_OPERATOR_{name}": value})
    assert name.lower() in str(raised.value).lower()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().namespace = "other"


def test_the_process_ends_with_78_and_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "controller"],
        env={"GSC_OPERATOR_METRICS_PORT": "http", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 78
    assert "GSC_OPERATOR_METRICS_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["run", "--help"]])
def test_the_command_line_explains_itself(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "controller", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
