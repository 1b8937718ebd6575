"""The real transport against peers that misbehave on the wire."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sync.errors import ConfigurationError, Interrupted
from sync.google.http import RequestsTransport
from sync.google.transport import Request, TransportError

Talk = Callable[[socket.socket, str], None]


@contextmanager
def peer(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that reads one request head per connection and lets `talk` answer it."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()
    workers: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) if context else connection as wire:
                head = b""
                while b"\r\n\r\n" not in head:
                    part = wire.recv(65536)
                    if not part:
                        return
                    head += part
                talk(wire, head.decode("latin-1"))
        except OSError:
            return

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            worker = threading.Thread(target=serve, args=(connection,), daemon=True)
            worker.start()
            workers.append(worker)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for worker in workers:
            worker.join(2)


def says(*parts: bytes, pause: float = 0.0) -> Talk:
    def talk(wire: socket.socket, _head: str) -> None:
        for part in parts:
            wire.sendall(part)
            time.sleep(pause)

    return talk


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextmanager
def transport(**options) -> Iterator[RequestsTransport]:
    made = RequestsTransport(**options)
    try:
        yield made
    finally:
        made.close()


def get(url: str, **options):
    with transport(**options) as made:
        return made.send(Request("GET", url, {"Authorization": "Bearer token"}))


def test_an_answer_comes_with_lower_case_headers_and_its_body():
    with peer(says(whole(b'{"a": 1}', "X-Thing: 5"))) as url:
        response = get(url)
    assert (response.status, response.body, response.headers["x-thing"]) == (200, b'{"a": 1}', "5")


def test_google_is_asked_for_gzip_in_both_places():
    heads: list[str] = []

    def talk(wire: socket.socket, head: str) -> None:
        heads.append(head)
        wire.sendall(whole(gzip.compress(b"hello"), "Content-Encoding: gzip"))

    with peer(talk) as url:
        assert get(url).body == b"hello"
    assert "Accept-Encoding: gzip" in heads[0]
    assert "gzip" in heads[0].split("User-Agent: ")[1].split("\r\n")[0]
    assert "Authorization: Bearer token" in heads[0]


def test_a_chunked_body_is_read_whole():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with peer(says(chunked)) as url:
        assert get(url).body == b"abcde"


def test_connections_are_kept():
    def talk(wire: socket.socket, _head: str) -> None:
        for body in (b"1", b"2"):
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + body)
            wire.recv(65536)

    with peer(talk) as url, transport() as made:
        assert [made.send(Request("GET", url)).body for _ in range(2)] == [b"1", b"2"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort", id="body ends early"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="chunk ends early"),
        pytest.param(b"", id="closed without a word"),
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
        pytest.param(
            whole(gzip.compress(b"hello" * 100)[:-9], "Content-Encoding: gzip"), id="gzip ends early"
        ),
        pytest.param(whole(b"not gzip", "Content-Encoding: gzip"), id="not gzip"),
        pytest.param(whole(b"x", "Content-Encoding: br"), id="an encoding nobody asked for"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", id="too many headers"),
    ],
)
def test_a_broken_answer_is_never_half_an_answer(answer):
    with peer(says(answer)) as url, pytest.raises(TransportError) as caught:
        get(url)
    assert not caught.value.hopeless
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(whole(b"x" * 5000), id="large"),
        pytest.param(
            whole(gzip.compress(b"x" * 500_000), "Content-Encoding: gzip"), id="large when unpacked"
        ),
    ],
)
def test_a_body_beyond_the_cap_is_not_read_to_its_end(answer):
    with peer(says(answer)) as url, pytest.raises(TransportError, match="larger than") as caught:
        get(url, max_body_bytes=4000)
    assert caught.value.hopeless


def test_redirects_are_not_followed():
    visited: list[str] = []

    def elsewhere(wire: socket.socket, head: str) -> None:
        visited.append(head)
        wire.sendall(whole(b"stolen"))

    with (
        peer(elsewhere) as other,
        peer(says(whole(b"", f"Location: {other}/", status="307 Temporary Redirect"))) as url,
    ):
        assert get(url).status == 307
    assert visited == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            [b"HTTP/1.1 200 OK\r\n", *[b"X-%d: y\r\n" % n for n in range(90)]], id="dripping headers"
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 90], id="dripping body"),
    ],
)
def test_a_dripping_peer_meets_the_overall_deadline(answer):
    started = time.monotonic()
    with peer(says(*answer, pause=0.05)) as url, pytest.raises(TransportError):
        get(url, request_seconds=0.4)
    assert time.monotonic() - started < 4


def test_a_silent_peer_meets_the_idle_limit():
    with (
        peer(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", pause=1.5)) as url,
        pytest.raises(TransportError),
    ):
        get(url, idle_seconds=0.3)


def test_the_end_of_the_launch_interrupts_a_request_in_flight():
    end = {"at": float("inf")}
    waiting = threading.Event()

    def talk(wire: socket.socket, _head: str) -> None:
        waiting.set()
        wire.recv(1)

    def tell() -> None:
        waiting.wait(5)
        end["at"] = time.monotonic()

    teller = threading.Thread(target=tell)
    teller.start()
    with peer(talk) as url, pytest.raises(Interrupted):
        get(url, abort_at=lambda: end["at"])
    teller.join()


def test_nothing_is_sent_when_the_launch_is_over():
    with pytest.raises(Interrupted):
        get("http://127.0.0.1:9/", abort_at=lambda: 0.0)


def test_a_refused_connection_and_an_unknown_name_are_transport_errors():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{free}/", "http://no-such-host.invalid/"):
        with pytest.raises(TransportError):
            get(url)


def test_the_proxy_of_the_environment_is_used(monkeypatch):
    heads: list[str] = []

    def talk(wire: socket.socket, head: str) -> None:
        heads.append(head)
        wire.sendall(whole(b"by proxy"))

    with peer(talk) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        assert get("http://google.example/x").body == b"by proxy"
    assert heads[0].startswith("GET http://google.example/x")


def test_the_metadata_server_is_asked_without_the_proxy_of_the_environment(monkeypatch):
    with peer(says(whole(b"by itself"))) as url:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        transport = RequestsTransport(proxies=False)
        assert transport.send(Request("GET", url)).body == b"by itself"
        transport.close()


def test_a_netrc_does_not_replace_the_token(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    heads: list[str] = []

    def talk(wire: socket.socket, head: str) -> None:
        heads.append(head)
        wire.sendall(whole(b""))

    with peer(talk) as url:
        get(url)
    assert "Authorization: Bearer token" in heads[0]


def test_cookies_are_not_kept():
    heads: list[str] = []

    def talk(wire: socket.socket, head: str) -> None:
        heads.append(head)
        wire.sendall(whole(b"", "Set-Cookie: a=b"))

    with peer(talk) as url, transport() as made:
        for _ in range(2):
            made.send(Request("GET", url))
    assert "Cookie" not in heads[1]


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "ca.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, private)
    return cert, context


def test_an_extra_authority_is_trusted_and_a_stranger_is_not(tmp_path):
    ca_file, context = certificate(tmp_path)
    with peer(says(whole(b"private")), context) as url:
        assert get(url, ca_file=ca_file).body == b"private"
        with pytest.raises(TransportError, match="GSC_SYNC_CA_FILE"):
            get(url)


def test_a_dripping_tls_peer_meets_the_deadline_too(tmp_path):
    ca_file, context = certificate(tmp_path)
    drip = says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 60, pause=0.05)
    with peer(drip, context) as url, pytest.raises(TransportError):
        get(url, ca_file=ca_file, request_seconds=0.4)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_a_configuration_error(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="GSC_SYNC_CA_FILE"):
        RequestsTransport(ca_file=path)
