"""Tokens without a key: the exchange, acting for a service account, the metadata server, and every way to be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from emulator import Account, Config, EmulatorThread, Property, run_emulator
from emulator.credentials import find_account
from tests.unit.emulator.world import NOON, READONLY, SITE

IAM = "https://www.googleapis.com/auth/iam"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    config = Config(
        properties=(Property(url=SITE, rows={"web": 5}),),
        accounts=(
            Account(name="robot", properties={SITE: "siteOwner"}, impersonates=("boss",)),
            Account(name="boss", kind="authorized_user", properties={SITE: "siteOwner"}),
            Account(name="pod", kind="external", impersonates=("robot",)),
            Account(name="stranger", kind="external"),
        ),
        ambient="robot",
    )
    with run_emulator(config, now=NOON) as running:
        yield running


def exchange(emulator: EmulatorThread, account: str = "pod", **changes: str) -> requests.Response:
    form = {
        "grant_type": EXCHANGE,
        "audience": find_account(emulator.config, account).provider,
        "scope": IAM,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "subject_token": emulator.identity_token(account),
    }
    return requests.post(f"{emulator.url}/sts/v1/token", data=form | changes, timeout=30)


def act(
    emulator: EmulatorThread, token: str, method: str = "generateAccessToken", **body: Any
) -> requests.Response:
    email = find_account(emulator.config, "robot").email
    url = f"{emulator.url}/iam/v1/projects/-/serviceAccounts/{email}:{method}"
    return requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def sites(emulator: EmulatorThread, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{emulator.url}/webmasters/v3/sites", headers=headers, timeout=30).status_code


def test_an_identity_token_gives_one_that_may_act_for_the_service_account(emulator: EmulatorThread) -> None:
    federated = exchange(emulator).json()["access_token"]
    assert sites(emulator, federated) == 403, "it has the scope for acting, not for reading"
    answer = act(emulator, federated, scope=[READONLY], lifetime="600s").json()
    assert answer["expireTime"] == "2026-03-20T20:10:00Z"
    assert sites(emulator, answer["accessToken"]) == 200


def test_an_assertion_that_the_service_account_signed_stands_for_its_subject(
    emulator: EmulatorThread,
) -> None:
    federated = exchange(emulator).json()["access_token"]
    now = 1_900_000_000
    claims = {
        "iss": find_account(emulator.config, "robot").email,
        "sub": find_account(emulator.config, "boss").email,
        "aud": "https://oauth2.googleapis.com/token",
        "scope": READONLY,
        "iat": now,
        "exp": now + 3600,
    }
    signed = act(emulator, federated, "signJwt", payload=json.dumps(claims)).json()["signedJwt"]
    assert signed.count(".") == 2
    assert act(emulator, federated, "signJwt", payload="no json").status_code == 400


REFUSED = {
    "another grant": ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
    "an unknown provider": ({"audience": "//iam.googleapis.com/x"}, "invalid_target"),
    "another type of token": ({"subject_token_type": "urn:x"}, "invalid_request"),
    "no token": ({"subject_token": "x"}, "invalid_grant"),
    "no scope": ({"scope": ""}, "invalid_scope"),
}


@pytest.mark.parametrize(("changes", "error"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_exchange_is_refused(emulator: EmulatorThread, changes: dict[str, str], error: str) -> None:
    answer = exchange(emulator, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


CLAIMS = {
    "another audience": ({"aud": "https://kubernetes.default.svc"}, "does not match"),
    "another issuer": ({"iss": "https://elsewhere.example"}, "cannot be verified"),
    "no times": ({"exp": "soon"}, "lacks iat or exp"),
    "over": ({"iat": 1, "exp": 2}, "stale"),
}


@pytest.mark.parametrize(("claims", "says"), CLAIMS.values(), ids=CLAIMS)
def test_a_wrong_identity_token_is_refused(
    emulator: EmulatorThread, claims: dict[str, Any], says: str
) -> None:
    answer = exchange(emulator, subject_token=emulator.identity_token("pod", **claims))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert says in answer.json()["error_description"]


def test_a_token_of_another_account_does_not_pass_its_provider(emulator: EmulatorThread) -> None:
    answer = exchange(emulator, subject_token=emulator.identity_token("stranger"))
    assert "cannot be verified" in answer.json()["error_description"]


def test_who_may_not_act_for_the_account_is_told_so(emulator: EmulatorThread) -> None:
    stranger = exchange(emulator, "stranger").json()["access_token"]
    refused = act(emulator, stranger, scope=[READONLY])
    assert (refused.status_code, refused.json()["error"]["details"][0]["reason"]) == (
        403,
        "IAM_PERMISSION_DENIED",
    )
    reader = exchange(emulator, scope=READONLY).json()["access_token"]
    assert act(emulator, reader, scope=[READONLY]).status_code == 403, "its token is for reading alone"
    assert act(emulator, "none", scope=[READONLY]).status_code == 401


@pytest.mark.parametrize("body", [{}, {"scope": []}, {"scope": [READONLY], "lifetime": "7200s"}])
def test_a_wish_without_sense_is_a_400(emulator: EmulatorThread, body: dict[str, Any]) -> None:
    federated = exchange(emulator).json()["access_token"]
    assert act(emulator, federated, **body).status_code == 400


def test_the_metadata_server_answers_those_who_know_its_header(emulator: EmulatorThread) -> None:
    url = f"{emulator.url}/computeMetadata/v1/instance/service-accounts/default/token?scopes={READONLY}"
    assert requests.get(url, timeout=30).status_code == 403
    answer = requests.get(url, headers={"Metadata-Flavor": "Google"}, timeout=30)
    assert answer.headers["Metadata-Flavor"] == "Google"
    assert sites(emulator, answer.json()["access_token"]) == 200


def test_a_machine_without_an_account_has_none_to_give(emulator: EmulatorThread) -> None:
    url = f"{emulator.url}/computeMetadata/v1/instance/service-accounts/default/token"
    emulator.set_account("robot", revoked=True)
    try:
        assert requests.get(url, headers={"Metadata-Flavor": "Google"}, timeout=30).status_code == 404
    finally:
        emulator.set_account("robot", revoked=False)


def test_the_configuration_names_googles_own_addresses(emulator: EmulatorThread, tmp_path: Path) -> None:
    content = emulator.external_credentials("pod", tmp_path / "token", "robot", field="id")
    assert content["token_url"].startswith("https://sts.googleapis.com/")
    assert content["credential_source"]["format"] == {"type": "json", "subject_token_field_name": "id"}
    with pytest.raises(ValueError, match="external"):
        emulator.credentials("pod")


def test_ambient_must_be_an_account() -> None:
    with pytest.raises(ValueError, match="unknown account"):
        Config(ambient="nobody")
