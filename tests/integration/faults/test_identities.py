"""Identities without a key, end to end: an external account and the pod's own, from the token to rows in Postgres.

The real client speaks to the stand-in of the exchange, the IAM API and the metadata server. What passes is survived, what
lasts costs that workspace alone, and no token is ever written anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract import ExitCode, FailureClass, State, Workspace
from emulator import Account, Config, EmulatorThread, Property, run_emulator
from emulator.calls import digest
from tests.integration.faults.stranger import stranger
from tests.integration.faults.test_secrets import everything_in
from tests.integration.faults.world import ACME, BLOG, GLOBEX, NOW, Ended, World, eventually, meanwhile
from tests.postgres import Database

pytestmark = pytest.mark.needs_postgres

CONFIGURATION = Config(
    seed=29,
    properties=(
        Property(url=ACME, rows={"web": 30}),
        Property(url=BLOG, rows={"web": 20}),
        Property(url=GLOBEX, rows={"web": 10}),
    ),
    accounts=(
        Account(name="robot", properties={ACME: "siteOwner"}, impersonates=("boss",)),
        Account(name="boss", kind="authorized_user", properties={BLOG: "siteOwner"}),
        Account(name="node", properties={GLOBEX: "siteFullUser"}),
        Account(name="pod", kind="external", properties={BLOG: "siteFullUser"}, impersonates=("robot",)),
    ),
    ambient="node",
)
TOKENS = ("exchange", "impersonate", "sign", "token", "metadata")


class Cluster(World):
    """A pod with a mounted identity token, on a machine with a metadata server."""

    @property
    def token_path(self) -> Path:
        return self.folder / "identity" / "token"

    def mount(self, token: str | None = None) -> str:
        token = token or self.emulator.identity_token("pod")
        self.token_path.parent.mkdir(exist_ok=True)
        self.token_path.write_text(token)
        return token

    def external(
        self, acts_for: str | None = "robot", *, name: str = "federated", field: str = "", **fields: Any
    ) -> Workspace:
        path = self.folder / f"{name}.json"
        content = self.emulator.external_credentials("pod", self.token_path, acts_for, field=field)
        path.write_text(json.dumps(content))
        return Workspace(name=name, credentials_path=str(path), **fields)

    def settings(self, url: str | None = None) -> None:
        url = url or self.emulator.url
        self.environment = {
            "GSC_SYNC_STS_URL": f"{url}/sts/v1/token",
            "GSC_SYNC_IAM_BASE_URL": f"{url}/iam/v1",
            "GSC_SYNC_METADATA_BASE_URL": f"{url}/computeMetadata/v1",
            "GSC_SYNC_IDENTITY_TOKEN_PATH": str(self.token_path),
        }

    def sync(self, *workspaces: Workspace, command: str = "run") -> Ended:
        return self.run(workspaces=list(workspaces), search_types=["web"], command=command)

    def calls(self) -> dict[str, int]:
        return {name: found for name in TOKENS if (found := len(self.asked(operation=name)))}

    def rows(self) -> set[str]:
        """The properties whose every cell is as the data set has it."""
        wrong = {url for url, _, _ in self.wrong()}
        return {url for url, _, _ in self.stored()} - wrong


AMBIENT = Workspace(name="ambient", credentials="Ambient")


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with run_emulator(CONFIGURATION, now=NOW, keys=tmp_path_factory.mktemp("keys")) as emulator:
        yield emulator


@pytest.fixture
def cluster(google: EmulatorThread, database: Database, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(google, database, tmp_path)
    made.settings()
    made.mount()
    google.clear_requests()
    yield made
    google.faults([])
    google.set_latency(0)
    for account in CONFIGURATION.accounts:
        google.set_account(account.name, revoked=False)


def test_an_external_account_brings_the_rows_of_the_account_it_acts_for(cluster: Cluster) -> None:
    ended = cluster.sync(cluster.external())
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SUCCESS, State.SUCCEEDED), ended.logs
    assert cluster.rows() == {ACME}
    assert cluster.calls() == {"exchange": 1, "impersonate": 1}


def test_by_itself_it_brings_what_it_may_read(cluster: Cluster) -> None:
    cluster.mount(json.dumps({"id": cluster.emulator.identity_token("pod")}))
    ended = cluster.sync(cluster.external(None, field="id"))
    assert ended.summary.state is State.SUCCEEDED, ended.logs
    assert cluster.rows() == {BLOG}
    assert cluster.calls() == {"exchange": 1}


def test_with_a_subject_it_brings_the_rows_of_that_person(cluster: Cluster) -> None:
    ended = cluster.sync(cluster.external(subject="boss@example.com"))
    assert ended.summary.state is State.SUCCEEDED, ended.logs
    assert cluster.rows() == {BLOG}
    assert cluster.calls() == {"exchange": 1, "sign": 1, "token": 1}


def test_the_pods_own_identity_brings_its_rows_and_only_where_it_is_asked_for(cluster: Cluster) -> None:
    missing = Workspace(name="missing", credentials_path=str(cluster.folder / "none.json"))
    ended = cluster.sync(AMBIENT, missing)
    assert ended.failures() == {"missing": FailureClass.CREDENTIALS_MISSING}
    assert cluster.rows() == {GLOBEX}
    assert cluster.calls() == {"metadata": 1}, "a missing file is not made good by the pod's own identity"


def test_the_pods_own_identity_is_asked_for_without_a_proxy(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    elsewhere = cluster.emulator.url.replace("127.0.0.1", "localhost")
    cluster.environment["GSC_SYNC_METADATA_BASE_URL"] = f"{elsewhere}/computeMetadata/v1"
    ended = cluster.sync(AMBIENT)
    assert ended.summary.state is State.SUCCEEDED, ended.logs
    assert cluster.rows() == {GLOBEX}


def test_check_understands_all_of_them(cluster: Cluster) -> None:
    ended = cluster.sync(cluster.external(), AMBIENT, command="check")
    assert ended.exit_code == ExitCode.SUCCESS, ended.out
    assert ACME in ended.out
    assert GLOBEX in ended.out


def fault(operation: str, kind: str, times: int | None = None, **more: Any) -> dict[str, Any]:
    return {"match": {"operation": operation, "times": times}, "fault": {"kind": kind, **more}}


STALE = "ID Token issued at 1773770000 is stale to sign-in."
PASSING = [
    pytest.param([fault("exchange", "html-500", 3, status=503)], id="exchange 503"),
    pytest.param([fault("exchange", "status", 2, status=429)], id="exchange 429"),
    pytest.param([fault("exchange", "drop-connection", 2)], id="exchange drops the connection"),
    pytest.param([fault("exchange", "invalid-grant", 2, message=STALE)], id="a token that was renewed meanwhile"),
    pytest.param([fault("exchange", "captive-page", 2)], id="a captive page"),
    pytest.param([fault("impersonate", "html-500", 3)], id="IAM 500"),
    pytest.param([fault("impersonate", "token-expired", 1)], id="IAM 401"),
    pytest.param([fault("metadata", "html-500", 3, status=503)], id="metadata 503"),
    pytest.param([fault("metadata", "drop-connection", 2)], id="metadata drops the connection"),
]  # fmt: skip


@pytest.mark.parametrize("rules", PASSING)
def test_what_passes_is_survived(cluster: Cluster, rules: list[dict[str, Any]]) -> None:
    cluster.faults(*rules)
    ended = cluster.sync(cluster.external(), AMBIENT)
    assert any(entry["fault"] for entry in cluster.asked()), "the fault must have been met"
    assert ended.summary.state is State.SUCCEEDED, ended.summary
    assert cluster.rows() == {ACME, GLOBEX}


INVALID, AWAY = FailureClass.CREDENTIALS_INVALID, FailureClass.GOOGLE_UNAVAILABLE
CONDITION = "The given credential is rejected by the attribute condition."
LASTING = [
    pytest.param([fault("exchange", "invalid-grant", message=CONDITION)], "federated", INVALID, "attribute condition", 1, id="exchange 400"),
    pytest.param([fault("exchange", "invalid-client")], "federated", INVALID, "invalid_client", 1, id="exchange 401"),
    pytest.param([fault("exchange", "invalid-grant", message=STALE)], "federated", INVALID, "stale", 3, id="a token that stays stale"),
    pytest.param([fault("exchange", "html-500", status=502)], "federated", AWAY, "502", 6, id="exchange 502"),
    pytest.param([fault("impersonate", "impersonation-403")], "federated", INVALID, "roles/iam.workloadIdentityUser", 1, id="IAM 403"),
    pytest.param([fault("impersonate", "api-disabled")], "federated", FailureClass.API_DISABLED, "enable it", 1, id="IAM API off"),
    pytest.param([fault("impersonate", "html-500")], "federated", AWAY, "500", 6, id="IAM 500"),
    pytest.param([fault("metadata", "status", status=404)], "ambient", FailureClass.CREDENTIALS_MISSING, "bind the service account", 1, id="metadata 404"),
    pytest.param([fault("metadata", "status", status=403)], "ambient", INVALID, "roles/iam.workloadIdentityUser", 1, id="metadata 403"),
    pytest.param([fault("metadata", "html-500")], "ambient", AWAY, "metadata server", 6, id="metadata 500"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "fails", "failure", "says", "tries"), LASTING)
def test_what_lasts_costs_that_workspace_alone(
    cluster: Cluster,
    rules: list[dict[str, Any]],
    fails: str,
    failure: FailureClass,
    says: str,
    tries: int,
) -> None:
    cluster.faults(*rules)
    ended = cluster.sync(cluster.external(), AMBIENT)
    assert ended.failures() == {fails: failure}, ended.summary
    assert says in ended.summary.failures[0].message
    assert len([entry for entry in cluster.asked() if entry["fault"]]) == tries
    assert cluster.rows() == {ACME, GLOBEX} - {ACME if fails == "federated" else GLOBEX}


def test_a_token_file_renewed_in_mid_run_is_read_anew(cluster: Cluster) -> None:
    """Google takes the first access token back while rows are being read, and the mounted token is another by then."""
    first = cluster.token_path.read_text()
    renewed = cluster.emulator.identity_token("pod", jti="renewed")
    cluster.emulator.set_latency(20)

    def renew() -> None:
        eventually(lambda: cluster.asked(operation="query"))
        cluster.mount(renewed)
        cluster.emulator.expire_tokens()

    with meanwhile(renew):
        ended = cluster.sync(cluster.external())
    assert ended.summary.state is State.SUCCEEDED, ended.logs
    sent = [entry["body"]["token"] for entry in cluster.asked(operation="exchange")]
    assert sent == [digest(first), digest(renewed)]
    assert cluster.rows() == {ACME}


@pytest.mark.parametrize(
    ("content", "failure", "says"),
    [
        pytest.param(None, FailureClass.CREDENTIALS_MISSING, "cannot be read", id="missing"),
        pytest.param("", FailureClass.CREDENTIALS_MISSING, "is empty", id="empty"),
        pytest.param("x" * 70_000, INVALID, "larger than", id="too large"),
        pytest.param("hush hush", INVALID, "holds no token", id="no token"),
    ],
)
def test_a_broken_token_file_costs_its_workspace_alone(
    cluster: Cluster, content: str | None, failure: FailureClass, says: str
) -> None:
    cluster.token_path.unlink() if content is None else cluster.token_path.write_text(content)
    ended = cluster.sync(cluster.external(), AMBIENT)
    assert ended.failures() == {"federated": failure}
    assert says in ended.summary.failures[0].message
    assert str(cluster.token_path) in ended.summary.failures[0].message
    assert cluster.rows() == {GLOBEX}
    assert cluster.asked(operation="exchange") == []


def test_a_secret_cannot_make_the_sync_read_and_send_another_file(cluster: Cluster) -> None:
    password = cluster.folder / "password"
    password.write_text("hush-password-of-the-warehouse")
    place = cluster.external()
    content = json.loads(Path(str(place.credentials_path)).read_text())
    with stranger() as (url, heard):
        content |= {"token_url": url, "credential_source": {"file": str(password)}}
        content["service_account_impersonation_url"] = f"{url}/serviceAccounts/x@y.z:generateAccessToken"
        Path(str(place.credentials_path)).write_text(json.dumps(content))
        ended = cluster.sync(place, AMBIENT)
        content["credential_source"] = {"file": str(cluster.token_path)}
        Path(str(place.credentials_path)).write_text(json.dumps(content))
        later = cluster.sync(place, AMBIENT)
    assert heard == []
    assert ended.failures() == {"federated": INVALID}
    assert f'must be {{"file": "{cluster.token_path}"}}' in ended.summary.failures[0].message
    assert later.failures() == {"federated": INVALID}
    assert "acting for the service account was refused" in later.summary.failures[0].message
    assert "hush" not in ended.logs + ended.summary.to_json() + later.logs


@pytest.mark.parametrize("operation", ["exchange", "impersonate", "metadata"])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 503])
def test_no_token_is_written_anywhere(cluster: Cluster, operation: str, status: int) -> None:
    """Whatever the place that gives tokens repeats of what it was sent."""
    secret = cluster.mount()
    leaky = f"Bearer ya29.LEAKEDLEAKEDLEAKED and {secret} are no good"
    said = {"error": "invalid_grant", "error_description": leaky}
    if operation == "impersonate":
        said = {"error": {"code": status, "message": leaky}}  # type: ignore[dict-item]
    cluster.faults(fault(operation, "status", status=status, json_body=said))
    cluster.environment["GSC_SYNC_LOG_LEVEL"] = "DEBUG"
    ended = cluster.sync(cluster.external(), AMBIENT)
    assert cluster.asked(fault="status") != []
    written = "\n".join((ended.logs, ended.out, ended.summary.to_json(), everything_in(cluster)))
    for piece in ("LEAKED", secret[:40], secret[-40:], "eyJ", "ya29."):
        assert piece not in written


def test_without_a_path_in_the_settings_external_accounts_are_refused(cluster: Cluster) -> None:
    del cluster.environment["GSC_SYNC_IDENTITY_TOKEN_PATH"]
    ended = cluster.sync(cluster.external(), AMBIENT)
    assert ended.failures() == {"federated": INVALID}
    assert "sync.identityToken.audience" in ended.summary.failures[0].message
    assert cluster.rows() == {GLOBEX}
