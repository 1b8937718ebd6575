"""External accounts: what their configuration may choose, and that it never chooses where or what is sent."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import GoogleAuthError

from contract import FailureClass
from sync.errors import CredentialsError
from sync.google.credentials import read_credentials
from sync.google.exchange import Exchange, TokenRefusedError
from sync.google.minting import SCOPE, FileMinter, Token
from sync.google.transport import Request, Response
from tests.unit.sync.fakes import ADDRESSES, answer, clock, refusal, workspace

PROVIDER = "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool/providers/cluster"
ROBOT = "robot@shop-1.iam.gserviceaccount.com"
IMPERSONATION = (
    f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken"
)
SUBJECT_TOKEN = "hush-identity-token-of-the-pod"
SECRET = "hush-hush"


def external(path: Path, **changes: Any) -> dict[str, Any]:
    """A configuration as gcloud writes it; None takes a member away."""
    content = {
        "type": "external_account",
        "universe_domain": "googleapis.com",
        "audience": PROVIDER,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"https://elsewhere.example/{SECRET}",
        "credential_source": {"file": str(path), "format": {"type": "text"}},
        **changes,
    }
    return {key: value for key, value in content.items() if value is not None}


class Places:
    """A Transport behind which the exchange, the IAM API and the token endpoint are; `script` may answer first."""

    def __init__(self, script: Callable[[Request], Response | None] = lambda _: None):
        self.script = script
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        scripted = self.script(request)
        if scripted is not None:
            return scripted
        if request.url == ADDRESSES.sts_url:
            return answer(200, {"access_token": "federated", "expires_in": 3599, "token_type": "Bearer"})
        if request.url.endswith(":generateAccessToken"):
            return answer(200, {"accessToken": "robots-own", "expireTime": "2026-06-15T04:30:05Z"})
        if request.url.endswith(":signJwt"):
            payload = json.loads(json.loads(request.body)["payload"])
            claims = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
            return answer(200, {"keyId": "k", "signedJwt": f"e30.{claims}.c2ln"})
        assert request.url == ADDRESSES.token_url
        return answer(200, {"access_token": "delegated", "expires_in": 1800})

    def close(self) -> None:
        return None

    @property
    def urls(self) -> list[str]:
        return [request.url for request in self.requests]

    def form(self, number: int = 0) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.requests[number].body.decode()))


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "identity" / "token"
    path.parent.mkdir()
    path.write_text(SUBJECT_TOKEN)
    return path


def minter(
    folder: Path, token: Path | None, places: Places, content: dict[str, Any], subject: str | None = None
) -> FileMinter:
    place = workspace(folder, content=content, subject=subject)
    return FileMinter(place, places, ADDRESSES, clock().now, token)


def test_the_token_in_the_file_is_exchanged_at_the_address_of_the_settings(tmp_path, token_file):
    places = Places()
    assert minter(tmp_path, token_file, places, external(token_file)).mint() == Token("federated", 3599.0)
    assert places.urls == [ADDRESSES.sts_url]
    assert places.form() == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": PROVIDER,
        "scope": SCOPE,
        "subject_token": SUBJECT_TOKEN,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }


def test_it_acts_for_a_service_account_at_the_address_of_the_settings(tmp_path, token_file):
    places = Places()
    elsewhere = f"https://elsewhere.example/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken"
    content = external(token_file, service_account_impersonation_url=elsewhere)
    got = minter(tmp_path, token_file, places, content).mint()
    assert got == Token("robots-own", 1800.0), "half an hour, by the time that the answer names"
    assert places.urls == [
        ADDRESSES.sts_url,
        f"{ADDRESSES.iam_base_url}/projects/-/serviceAccounts/{ROBOT}:generateAccessToken",
    ]
    asked = places.requests[1]
    assert asked.headers["authorization"] == "Bearer federated"
    assert json.loads(asked.body)["scope"] == [SCOPE]
    assert places.form()["scope"] == "https://www.googleapis.com/auth/iam"


def test_a_subject_is_acted_for_by_an_assertion_that_google_signs(tmp_path, token_file):
    places = Places()
    content = external(token_file, service_account_impersonation_url=IMPERSONATION)
    got = minter(tmp_path, token_file, places, content, "boss@acme.example").mint()
    assert got == Token("delegated", 1800.0)
    assert places.urls == [
        ADDRESSES.sts_url,
        f"{ADDRESSES.iam_base_url}/projects/-/serviceAccounts/{ROBOT}:signJwt",
        ADDRESSES.token_url,
    ]
    claims = places.form(2)["assertion"].split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (decoded["iss"], decoded["sub"], decoded["scope"]) == (ROBOT, "boss@acme.example", SCOPE)


@pytest.mark.parametrize(
    "expires",
    [None, "soon", "2026-06-15T03:00:00Z", "2999-01-01T00:00:00Z", "2026-06-15T04:30:05", 7],
)
def test_an_end_that_makes_no_sense_is_an_hour_from_now(tmp_path, token_file, expires):
    def script(request: Request) -> Response | None:
        if request.url.endswith(":generateAccessToken"):
            return answer(200, {"accessToken": "t", "expireTime": expires})
        return None

    content = external(token_file, service_account_impersonation_url=IMPERSONATION)
    assert minter(tmp_path, token_file, Places(script), content).mint() == Token("t", 3600.0)


def test_the_token_may_be_a_field_of_a_json_object(tmp_path, token_file):
    token_file.write_text(json.dumps({"aud": "x", "id_token": SUBJECT_TOKEN}))
    source = {
        "file": str(token_file),
        "format": {"type": "json", "subject_token_field_name": "id_token"},
    }
    places = Places()
    minter(tmp_path, token_file, places, external(token_file, credential_source=source)).mint()
    assert places.form()["subject_token"] == SUBJECT_TOKEN


def test_the_file_is_read_anew_for_every_token(tmp_path, token_file):
    places = Places()
    source = minter(tmp_path, token_file, places, external(token_file))
    source.mint()
    token_file.write_text("hush-renewed-token-of-the-pod\n")
    source.mint()
    assert [places.form(n)["subject_token"] for n in (0, 1)] == [
        SUBJECT_TOKEN,
        "hush-renewed-token-of-the-pod",
    ]


OTHER_SOURCES = {
    "AWS": {"environment_id": "aws1", "url": "http://169.254.169.254/x", "region_url": "http://169.254.169.254/y"},
    "a URL": {"url": f"http://{SECRET}.example/token"},
    "a program": {"executable": {"command": f"/bin/{SECRET}"}},
    "a certificate": {"certificate": {"use_default_certificate_config": True}},
    "a file and a URL": {"file": "{token}", "url": f"http://{SECRET}.example/token"},
    "another file": {"file": f"/etc/{SECRET}"},
    "the database's password": {"file": "/var/run/gsc-sync/destination/password"},
    "a way around": {"file": "{token}/../../identity/token"},
    "no file": {},
    "a list": ["{token}"],
}  # fmt: skip


@pytest.mark.parametrize("source", OTHER_SOURCES.values(), ids=OTHER_SOURCES)
def test_a_token_from_anywhere_else_is_refused_with_what_is_allowed(tmp_path, token_file, source):
    source = json.loads(json.dumps(source).replace("{token}", str(token_file)))
    places = Places()
    with pytest.raises(CredentialsError) as caught:
        minter(tmp_path, token_file, places, external(token_file, credential_source=source)).mint()
    assert places.requests == []
    assert SECRET not in str(caught.value)
    assert "Secret 'acme-google'" in str(caught.value)
    assert f'{{"file": "{token_file}"}}' in str(caught.value) or "lacks credential_source" in str(
        caught.value
    )


WRONG = {
    "no provider": ({"audience": f"//iam.googleapis.com/{SECRET}"}, "workloadIdentityPools/POOL/providers"),
    "a pool of people": (
        {"audience": "//iam.googleapis.com/locations/global/workforcePools/p/providers/x"},
        "workloadIdentityPools/POOL/providers",
    ),
    "no audience": ({"audience": None}, "lacks audience"),
    "another kind of token": ({"subject_token_type": f"urn:{SECRET}"}, "token-type:jwt"),
    "no kind of token": ({"subject_token_type": None}, "lacks subject_token_type"),
    "an odd format": ({"credential_source": {"file": "{token}", "format": {"type": "xml"}}}, "allowed are"),
    "a format that is none": ({"credential_source": {"file": "{token}", "format": "json"}}, "allowed are"),
    "JSON without a field": (
        {"credential_source": {"file": "{token}", "format": {"type": "json"}}},
        "subject_token_field_name",
    ),
    "nobody to act for": (
        {"service_account_impersonation_url": f"https://iam.example/{SECRET}"},
        "NAME@PROJECT.iam.gserviceaccount.com",
    ),
    "an account with a path": (
        {"service_account_impersonation_url": f"https://x/serviceAccounts/a%2F{SECRET}@b.c:generateAccessToken"},
        "NAME@PROJECT.iam.gserviceaccount.com",
    ),
    "another universe": ({"universe_domain": "x.example"}, "another universe"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "says"), WRONG.values(), ids=WRONG)
def test_a_configuration_that_cannot_be_used_says_what_is_allowed(tmp_path, token_file, changes, says):
    changes = json.loads(json.dumps(changes).replace("{token}", str(token_file)))
    with pytest.raises(CredentialsError) as caught:
        read_credentials(workspace(tmp_path, content=external(token_file, **changes)), token_file)
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.failure_class is FailureClass.CREDENTIALS_INVALID


def test_by_itself_it_cannot_act_for_a_subject(tmp_path, token_file):
    place = workspace(tmp_path, content=external(token_file), subject="boss@acme.example")
    with pytest.raises(CredentialsError, match="add a service_account_impersonation_url"):
        read_credentials(place, token_file)


def test_without_a_mounted_token_it_names_the_chart_value(tmp_path, token_file):
    with pytest.raises(CredentialsError, match=r"sync\.identityToken\.audience"):
        read_credentials(workspace(tmp_path, content=external(token_file)), None)


BROKEN_FILES = {
    "missing": (None, "cannot be read", FailureClass.CREDENTIALS_MISSING),
    "empty": ("", "is empty", FailureClass.CREDENTIALS_MISSING),
    "blank": (" \n", "is empty", FailureClass.CREDENTIALS_MISSING),
    "too large": (SECRET * 10_000, "larger than", FailureClass.CREDENTIALS_INVALID),
    "two lines": (f"{SECRET}\n{SECRET}", "holds no token", FailureClass.CREDENTIALS_INVALID),
    "no text": ("\u2603", "holds no token", FailureClass.CREDENTIALS_INVALID),
}


@pytest.mark.parametrize(("content", "says", "error_class"), BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_token_file_that_cannot_be_used_is_named_and_never_quoted(
    tmp_path, token_file, content, says, error_class
):
    token_file.unlink() if content is None else token_file.write_text(content)
    with pytest.raises(CredentialsError) as caught:
        minter(tmp_path, token_file, Places(), external(token_file)).mint()
    assert says in str(caught.value)
    assert str(token_file) in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.failure_class is error_class


@pytest.mark.parametrize("content", [f"not json {SECRET}", "[1]", "{}", '{"t": 7}', '{"t": "a b"}'])
def test_a_json_file_without_the_token_is_never_quoted(tmp_path, token_file, content):
    token_file.write_text(content)
    source = {"file": str(token_file), "format": {"type": "json", "subject_token_field_name": "t"}}
    with pytest.raises(CredentialsError, match="holds no token") as caught:
        minter(tmp_path, token_file, Places(), external(token_file, credential_source=source)).mint()
    assert SECRET not in str(caught.value)


def test_a_folder_in_place_of_the_token_says_so(tmp_path, token_file):
    token_file.unlink()
    token_file.mkdir()
    with pytest.raises(CredentialsError, match="cannot be read"):
        minter(tmp_path, token_file, Places(), external(token_file)).mint()


def test_a_refusal_that_repeats_the_token_is_not_believed_to_be_harmless(tmp_path, token_file):
    said = {"error": "invalid_request", "error_description": f"{SUBJECT_TOKEN} cannot be parsed"}
    places = Places(lambda _: answer(400, said))
    with pytest.raises(TokenRefusedError, match=r"\*\*\* cannot be parsed") as caught:
        minter(tmp_path, token_file, places, external(token_file)).mint()
    assert "hush" not in str(caught.value)


def test_nothing_is_sent_to_an_address_that_is_none_of_the_settings():
    places = Places()
    exchange = Exchange(places, ADDRESSES, clock().now)
    for url in (
        "https://elsewhere.example/token",
        "http://169.254.169.254/computeMetadata/v1/",
        ADDRESSES.sts_url + "x",
    ):
        with pytest.raises(GoogleAuthError, match="no address of the settings"):
            exchange(url, headers={"authorization": f"Bearer {SECRET}"})
    assert places.requests == []


def test_a_token_too_short_to_be_one_does_not_spoil_the_answer(tmp_path, token_file):
    token_file.write_text("e")
    places = Places(lambda _: refusal(403, "refused", "forbidden"))
    with pytest.raises(TokenRefusedError, match="refused the identity token: HTTP 403: refused"):
        minter(tmp_path, token_file, places, external(token_file)).mint()
