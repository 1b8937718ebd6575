"""The token endpoint: both grants, and every way to be refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from emulator import EmulatorThread, default_config
from emulator.credentials import find_account
from emulator.keys import Keys
from tests.unit.emulator.world import READONLY, Client

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def test_a_signed_assertion_gives_a_bearer_token(anonymous: Client) -> None:
    answer = anonymous.grant(grant_type=JWT, assertion=anonymous.assertion())
    token = answer.json()
    assert (answer.status_code, token["token_type"], token["expires_in"]) == (200, "Bearer", 3599)
    assert token["scope"] == READONLY
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert anonymous.get("sites", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("claims", "error", "words"),
    [
        pytest.param(
            {"iss": "nobody@example.com"}, "invalid_grant", "account not found", id="unknown-issuer"
        ),
        pytest.param({"exp": int(time.time()) + 90_000}, "invalid_grant", "short-lived", id="too-long"),
        pytest.param(
            {"iat": int(time.time()) - 9000, "exp": int(time.time()) - 5400},
            "invalid_grant",
            "iat and exp",
            id="old",
        ),
        pytest.param(
            {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200},
            "invalid_grant",
            "iat and exp",
            id="early",
        ),
        pytest.param({"aud": "https://elsewhere.example/"}, "invalid_grant", "audience", id="audience"),
        pytest.param({"scope": ""}, "invalid_scope", "scope", id="no-scope"),
        pytest.param({"sub": "stranger@example.com"}, "unauthorized_client", "unauthorized", id="subject"),
    ],
)
def test_a_wrong_assertion_is_refused(
    anonymous: Client, claims: dict[str, Any], error: str, words: str
) -> None:
    answer = anonymous.grant(grant_type=JWT, assertion=anonymous.assertion(**claims))
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == error
    assert words in answer.json()["error_description"]


def test_a_signature_by_another_key_is_refused(anonymous: Client) -> None:
    forged = anonymous.assertion(
        key_of="dismissed", iss=anonymous.emulator.credentials("robot")["client_email"]
    )
    answer = anonymous.grant(grant_type=JWT, assertion=forged)
    assert answer.json() == {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


@pytest.mark.parametrize("assertion", ["", "a.b", "a.!.c", "bm8.bm8.bm8", "bm8.W10.bm8"])
def test_a_broken_assertion_is_refused(anonymous: Client, assertion: str) -> None:
    assert anonymous.grant(grant_type=JWT, assertion=assertion).json()["error"] == "invalid_grant"


def test_delegation_reads_as_the_subject(anonymous: Client) -> None:
    email = find_account(anonymous.emulator.config, "person").email
    answer = anonymous.grant(grant_type=JWT, assertion=anonymous.assertion(sub=email))
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    sites = anonymous.get("sites", headers=headers).json()["siteEntry"]
    assert sites == [{"siteUrl": "https://www.shop.example/", "permissionLevel": "siteOwner"}]


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        pytest.param({}, 200, None, id="right"),
        pytest.param({"scope": READONLY}, 200, None, id="subset-of-the-consent"),
        pytest.param(
            {"scope": "https://www.googleapis.com/auth/drive"}, 400, "invalid_scope", id="other-scope"
        ),
        pytest.param({"refresh_token": "1//wrong"}, 400, "invalid_grant", id="refresh-token"),
        pytest.param({"client_id": "wrong"}, 401, "invalid_client", id="client-id"),
        pytest.param({"client_secret": "wrong"}, 401, "invalid_client", id="client-secret"),
        pytest.param({"grant_type": "password"}, 400, "unsupported_grant_type", id="grant-type"),
        pytest.param({"grant_type": ""}, 400, "invalid_request", id="no-grant-type"),
    ],
)
def test_a_refresh_token(person: Client, changes: dict[str, str], status: int, error: str | None) -> None:
    info = person.emulator.credentials("person")
    form = {"grant_type": "refresh_token"} | {
        name: info[name] for name in ("client_id", "client_secret", "refresh_token")
    }
    given = {name: value for name, value in (form | changes).items() if value}
    answer = person.grant(**given)
    assert (answer.status_code, answer.json().get("error")) == (status, error)


def test_a_revoked_identity_gets_no_token_and_its_old_one_dies(
    emulator: EmulatorThread, person: Client
) -> None:
    assert person.get("sites").status_code == 200
    emulator.set_account("person", revoked=True)
    assert person.get("sites").status_code == 401
    info = emulator.credentials("person")
    form = {name: info[name] for name in ("client_id", "client_secret", "refresh_token")}
    assert person.grant(grant_type="refresh_token", **form).json() == {
        "error": "invalid_grant",
        "error_description": "Token has been expired or revoked.",
    }


def test_a_token_expires(emulator: EmulatorThread, robot: Client) -> None:
    emulator.advance(3598)
    assert robot.get("sites").status_code == 200
    emulator.advance(2)
    refused = robot.get("sites")
    assert refused.status_code == 401
    assert refused.json()["error"]["status"] == "UNAUTHENTICATED"
    assert "invalid_token" in refused.headers["WWW-Authenticate"]


def test_tokens_can_be_shortened_and_expired_by_a_test(emulator: EmulatorThread, anonymous: Client) -> None:
    emulator.faults([{"match": {"operation": "token"}, "fault": {"kind": "short-lived-token", "seconds": 5}}])
    answer = anonymous.grant(grant_type=JWT, assertion=anonymous.assertion())
    assert answer.json()["expires_in"] == 5
    robot = anonymous.login()
    emulator.expire_tokens()
    assert robot.get("sites").status_code == 401


def test_keys_in_a_folder_are_shared(tmp_path: Path) -> None:
    config = default_config()
    account = find_account(config, "acme")
    first, second = Keys(config, tmp_path), Keys(config, tmp_path)
    assert first.private_pem(account) == second.private_pem(account)
    assert [path.name for path in tmp_path.iterdir()] == ["acme.pem"]
    assert Keys(config).private_pem(account) != first.private_pem(account)
