"""The identity of the pod itself: asked of the metadata server and nobody else, and only when the order says so."""

from __future__ import annotations

from typing import Any

import pytest

from contract import Workspace
from sync.google.classify import Kind
from sync.google.exchange import TokenRefusedError
from sync.google.minting import AmbientMinter, Token
from sync.google.transport import Request, Response, TransportError
from tests.unit.sync.fakes import ADDRESSES, answer, clock

GOOGLE = {"metadata-flavor": "Google"}


class Server:
    """A Transport with one answer."""

    def __init__(self, given: Response | Exception):
        self.given = given
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    def close(self) -> None:
        return None


def minter(server: Server) -> AmbientMinter:
    return AmbientMinter(server, ADDRESSES.metadata_base_url, clock().now)


def test_a_token_is_asked_for_with_the_header_that_no_page_can_send():
    server = Server(answer(200, {"access_token": "ambient", "expires_in": 1200}, **GOOGLE))
    assert minter(server).mint() == Token("ambient", 1200.0)
    (asked,) = server.requests
    assert asked.url == (
        "http://metadata.example/computeMetadata/v1/instance/service-accounts/default/token"
        "?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fwebmasters.readonly"
    )
    assert (asked.method, asked.headers) == ("GET", {"Metadata-Flavor": "Google"})


def test_a_machine_that_is_none_of_googles_says_where_ambient_works():
    with pytest.raises(TokenRefusedError, match="works on Google Cloud alone") as caught:
        minter(Server(TransportError("NameResolutionError"))).mint()
    assert caught.value.verdict.kind is Kind.TRANSIENT


def test_a_token_of_a_server_that_is_no_metadata_server_is_not_used():
    with pytest.raises(TokenRefusedError, match="is a proxy in the way") as caught:
        minter(Server(answer(200, {"access_token": "theirs", "expires_in": 1200}))).mint()
    assert caught.value.verdict.kind is Kind.BAD_ANSWER


BOTH: dict[str, Any] = {"credentials_path": "/x", "credentials": "Ambient"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param(BOTH, "either credentialsPath or credentials", id="a file and the pod's own"),
        pytest.param({}, "either credentialsPath or credentials", id="neither"),
        pytest.param({"credentials": "Ambient", "subject": "a@b.example"}, "remove the subject", id="a subject"),
        pytest.param({"credentials": "ambient"}, "'Ambient'", id="another spelling"),
    ],
)  # fmt: skip
def test_it_is_an_explicit_choice_and_never_a_fall_back(fields, says):
    with pytest.raises(ValueError, match=says):
        Workspace(name="acme", **fields)
