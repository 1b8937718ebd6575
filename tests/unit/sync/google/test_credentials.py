"""Credentials files, tokens, and what is said when they do not work."""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from contract import FailureClass, Workspace
from sync.errors import CredentialsError, GoogleUnavailable, Interrupted
from sync.google.credentials import read_credentials
from sync.google.minting import FileMinter, Token
from sync.google.retry import Policy
from sync.google.tokens import Tokens
from sync.google.transport import Request, Response, TransportError
from sync.quota.guard import TOKENS, Guard
from tests.unit.sync.fakes import ADDRESSES, AUTHORIZED_USER, Recorder, answer, clock, workspace


def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


KEY = private_key()
SERVICE_ACCOUNT = {
    "type": "service_account",
    "client_email": "robot@project.iam.gserviceaccount.com",
    "private_key": KEY,
    "token_uri": "https://elsewhere.example/steal",
}


class Endpoint:
    """A Transport with a token endpoint behind it."""

    def __init__(self, *answers: Response | Exception):
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.lock = threading.Lock()

    def send(self, request: Request) -> Response:
        with self.lock:
            self.requests.append(request)
            found = (
                self.answers.pop(0)
                if self.answers
                else answer(200, {"access_token": f"t{len(self.requests)}", "expires_in": 3600})
            )
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        return None

    def form(self, number: int = 0) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.requests[number].body.decode()))


def tokens_of(place: Workspace, endpoint: Endpoint, now=None) -> Tokens:
    now = now or clock()
    return Tokens(
        FileMinter(place, endpoint, ADDRESSES, now.now),
        workspace=place.name,
        clock=now,
        sleep=now.advance,
        policy=Policy(),
        draw=lambda: 0.5,
        observer=Recorder(),
        guard=Guard(TOKENS, now, now.advance, Recorder()),
    )


def test_a_refresh_token_is_exchanged_at_the_token_url_without_scopes(tmp_path):
    endpoint = Endpoint()
    assert tokens_of(workspace(tmp_path), endpoint).get() == "t1"
    assert endpoint.requests[0].url == ADDRESSES.token_url
    assert endpoint.form() == {
        "grant_type": "refresh_token",
        "client_id": "client",
        "client_secret": "hush-client",
        "refresh_token": "hush-refresh",
    }


def test_a_service_account_key_does_not_choose_where_its_assertion_goes(tmp_path):
    endpoint = Endpoint()
    tokens_of(workspace(tmp_path, content=SERVICE_ACCOUNT, subject="boss@acme.example"), endpoint).get()
    assert endpoint.requests[0].url == ADDRESSES.token_url
    claims = endpoint.form()["assertion"].split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert decoded["sub"] == "boss@acme.example"
    assert decoded["scope"] == "https://www.googleapis.com/auth/webmasters.readonly"


def test_an_oauth_client_may_lie_in_a_directory_key_by_key(tmp_path):
    for key in ("client_id", "client_secret", "refresh_token"):
        (tmp_path / key).write_text(f"{key}-value\n")
    endpoint = Endpoint()
    tokens_of(Workspace(name="acme", credentials_path=str(tmp_path)), endpoint).get()
    assert endpoint.form()["refresh_token"] == "refresh_token-value"


def test_a_directory_that_lacks_keys_names_them(tmp_path):
    (tmp_path / "client_id").write_text("x")
    with pytest.raises(CredentialsError, match="client_secret, refresh_token missing") as caught:
        read_credentials(Workspace(name="acme", credentials_path=str(tmp_path)))
    assert caught.value.failure_class is FailureClass.CREDENTIALS_MISSING


def test_a_directory_cannot_act_for_a_subject_and_must_be_text(tmp_path):
    for key in ("client_id", "client_secret", "refresh_token"):
        (tmp_path / key).write_text("x")
    with pytest.raises(CredentialsError, match="remove the subject"):
        read_credentials(Workspace(name="acme", credentials_path=str(tmp_path), subject="a@b.example"))
    (tmp_path / "client_id").write_bytes(b"\xff")
    with pytest.raises(CredentialsError, match="client_id"):
        read_credentials(Workspace(name="acme", credentials_path=str(tmp_path)))


SECRET = "hush-hush"


@pytest.mark.parametrize(
    ("content", "says", "error_class"),
    [
        pytest.param(None, "is missing: add the key", FailureClass.CREDENTIALS_MISSING, id="no file"),
        pytest.param("  \n", "is empty", FailureClass.CREDENTIALS_MISSING, id="empty file"),
        pytest.param(f"not json {SECRET}", "is no JSON", FailureClass.CREDENTIALS_INVALID, id="no JSON"),
        pytest.param("[" * 50_000, "is no JSON", FailureClass.CREDENTIALS_INVALID, id="deep JSON"),
        pytest.param(f'["{SECRET}"]', "of no kind", FailureClass.CREDENTIALS_INVALID, id="a list"),
        pytest.param({"type": SECRET}, "of no kind", FailureClass.CREDENTIALS_INVALID, id="another kind"),
        pytest.param({"type": ["x"]}, "of no kind", FailureClass.CREDENTIALS_INVALID, id="an odd kind"),
        pytest.param(
            {"type": "external_account_authorized_user"},
            "an external account",
            FailureClass.CREDENTIALS_INVALID,
            id="a person of another provider",
        ),
        pytest.param(
            {"type": "authorized_user", "client_id": SECRET},
            "lacks client_secret, refresh_token",
            FailureClass.CREDENTIALS_INVALID,
            id="half a token",
        ),
        pytest.param(
            {"type": "service_account", "client_email": SECRET},
            "lacks private_key",
            FailureClass.CREDENTIALS_INVALID,
            id="half a key",
        ),
        pytest.param(
            {**AUTHORIZED_USER, "universe_domain": "x.example"},
            "another universe",
            FailureClass.CREDENTIALS_INVALID,
            id="another universe",
        ),
        pytest.param("x" * 70_000, "larger than", FailureClass.CREDENTIALS_INVALID, id="huge"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_next_step_and_never_quoted(
    tmp_path, content, says, error_class
):
    place = workspace(tmp_path, content=content)
    with pytest.raises(CredentialsError) as caught:
        read_credentials(place)
    assert says in str(caught.value)
    assert "Secret 'acme-google' key 'credentials.json'" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert caught.value.failure_class is error_class


def test_without_a_hint_the_path_is_named(tmp_path):
    with pytest.raises(CredentialsError, match=str(tmp_path)):
        read_credentials(Workspace(name="acme", credentials_path=str(tmp_path / "none")))


def test_a_file_that_may_not_be_read_says_so(tmp_path):
    for path in ("x" * 300, "with\0zero"):
        with pytest.raises(CredentialsError, match="cannot be read"):
            read_credentials(Workspace(name="acme", credentials_path=path))


def test_a_refresh_token_cannot_act_for_a_subject(tmp_path):
    with pytest.raises(CredentialsError, match="remove the subject"):
        read_credentials(workspace(tmp_path, subject="a@b.example"))


def test_a_damaged_private_key_is_not_quoted(tmp_path):
    place = workspace(
        tmp_path, content={**SERVICE_ACCOUNT, "private_key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n"}
    )
    with pytest.raises(CredentialsError, match="private_key that cannot be read") as caught:
        tokens_of(place, Endpoint()).get()
    assert SECRET not in str(caught.value)


def test_one_token_serves_until_shortly_before_its_end(tmp_path):
    now = clock()
    endpoint = Endpoint()
    tokens = tokens_of(workspace(tmp_path), endpoint, now)
    assert [tokens.get(), tokens.get()] == ["t1", "t1"]
    now.advance(3600 - 226)
    assert tokens.get() == "t1"
    now.advance(2)
    assert tokens.get() == "t2"


@pytest.mark.parametrize("expires", [None, "soon", -5, 0, 10**400, 1e308])
def test_a_token_without_a_sensible_lifetime_is_taken_for_an_hour(tmp_path, expires):
    endpoint = Endpoint(answer(200, {"access_token": "t", "expires_in": expires}))
    assert FileMinter(workspace(tmp_path), endpoint, ADDRESSES, clock().now).mint() == Token("t", 3600.0)


def test_a_token_does_not_show_itself():
    assert "hush" not in repr(Token("hush", 5))


def test_threads_that_find_no_token_ask_for_one_together(tmp_path):
    endpoint = Endpoint()
    tokens = tokens_of(workspace(tmp_path), endpoint)
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(tokens.get())) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(got) == {"t1"}
    assert len(endpoint.requests) == 1


def test_a_rejected_token_is_replaced_once_whoever_complains(tmp_path):
    endpoint = Endpoint()
    tokens = tokens_of(workspace(tmp_path), endpoint)
    first = tokens.get()
    tokens.reject(first)
    second = tokens.get()
    tokens.reject(first)
    assert tokens.get() == second
    assert len(endpoint.requests) == 2


def test_a_rotated_secret_is_read_at_the_next_token(tmp_path):
    endpoint = Endpoint()
    tokens = tokens_of(workspace(tmp_path), endpoint)
    tokens.reject(tokens.get())
    workspace(tmp_path, content={**AUTHORIZED_USER, "refresh_token": "rotated"})
    tokens.get()
    assert endpoint.form(1)["refresh_token"] == "rotated"


def test_a_token_endpoint_that_stumbles_is_asked_again(tmp_path):
    endpoint = Endpoint(answer(502, b"<html>"), TransportError("no route"), answer(503, b""))
    assert tokens_of(workspace(tmp_path), endpoint).get() == "t4"


def test_a_token_endpoint_that_stays_away_is_given_up(tmp_path):
    endpoint = Endpoint(*[TransportError("no route")] * 6)
    with pytest.raises(GoogleUnavailable, match="6 times"):
        tokens_of(workspace(tmp_path), endpoint).get()
    assert len(endpoint.requests) == 6


def test_a_revoked_credential_is_remembered(tmp_path):
    endpoint = Endpoint(answer(400, {"error": "invalid_grant", "error_description": "revoked"}))
    tokens = tokens_of(workspace(tmp_path), endpoint)
    for _ in range(3):
        with pytest.raises(CredentialsError, match="consent") as caught:
            tokens.get()
        assert caught.value.failure_class is FailureClass.CREDENTIALS_REVOKED
    assert len(endpoint.requests) == 1


def test_a_wrong_clock_is_doubted_a_few_times(tmp_path):
    skewed = answer(400, {"error": "invalid_grant", "error_description": "Token used too early"})
    endpoint = Endpoint(skewed, skewed, skewed)
    with pytest.raises(CredentialsError, match="clock"):
        tokens_of(workspace(tmp_path), endpoint).get()
    assert len(endpoint.requests) == 3


def test_the_end_of_the_launch_ends_the_asking(tmp_path):
    endpoint = Endpoint(answer(503, b""))
    tokens = tokens_of(workspace(tmp_path), endpoint)

    def interrupted(_: float) -> None:
        raise Interrupted("over")

    tokens._sleep = interrupted
    with pytest.raises(Interrupted):
        tokens.get()
