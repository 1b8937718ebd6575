"""TLS as a Secret asks for it: the server's certificate is verified when there is a `ca.crt`."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sync.errors import DatabaseRefused
from sync.store.connect import conninfo
from sync.store.port import Claimed, RunKey
from sync.store.postgres import PostgresStore
from tests.integration.store.wire import Wire
from tests.postgres import Database

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
RUN = RunKey("uid-1", "29000000")


@dataclass(frozen=True)
class Authority:
    """A certificate authority of one's own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _certificate(name, name, key, key, None))

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server(self, folder: Path, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        certificate = _certificate("db", str(issuer), key, self.key, host)
        file = folder / "server.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _certificate(
    name: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    host: str | None,
) -> x509.Certificate:
    def of(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    today = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(of(name))
        .issuer_name(of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    )
    if host is not None:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture
def authority() -> Authority:
    return Authority.new("ours")


@pytest.fixture
def wire(database: Database, authority: Authority, tmp_path: Path) -> Iterator[Wire]:
    port = int((database.secret / "port").read_text())
    with Wire(port, authority.server(tmp_path, "127.0.0.1")) as wire:
        (database.secret / "port").write_text(str(wire.port))
        (database.secret / "sslmode").unlink()
        yield wire


def open_store(database: Database) -> PostgresStore:
    return PostgresStore(database.destination(), pool_size=1, clock=lambda: NOW, sleep=lambda _: None)


def test_without_a_word_the_connection_is_encrypted(database: Database, wire: Wire) -> None:
    with open_store(database) as store:
        store.migrate()
        assert store.claim_run(RUN, 1) == Claimed()


def test_the_right_authority_is_trusted(database: Database, wire: Wire, authority: Authority) -> None:
    (database.secret / "ca.crt").write_text(authority.pem)
    with open_store(database) as store:
        store.migrate()
        assert store.claim_run(RUN, 1) == Claimed()


def test_a_public_authority_needs_no_ca_crt(
    database: Database, wire: Wire, authority: Authority, tmp_path: Path
) -> None:
    """As managed databases have it; the bundle of the system stands in the given place."""
    bundle = tmp_path / "ca-certificates.crt"
    bundle.write_text(Authority.new("public").pem + authority.pem)
    (database.secret / "sslmode").write_text("verify-full")
    with psycopg.connect(conninfo(database.destination(), [str(bundle)])) as connection:
        assert connection.pgconn.ssl_in_use


def test_nothing_to_verify_with_is_told_as_a_missing_certificate(
    database: Database, wire: Wire, tmp_path: Path
) -> None:
    uri = f"postgresql://postgres@127.0.0.1:{wire.port}/postgres?sslmode=verify-full&sslrootcert={tmp_path}/none.crt"
    (database.secret / "uri").write_text(uri)
    with open_store(database) as store, pytest.raises(DatabaseRefused, match=r"put it as `ca\.crt`"):
        store.migrate()


def test_another_authority_is_not(database: Database, wire: Wire) -> None:
    (database.secret / "ca.crt").write_text(Authority.new("theirs").pem)
    with (
        open_store(database) as store,
        pytest.raises(DatabaseRefused, match=r"check 'sslmode' and 'ca\.crt'"),
    ):
        store.migrate()


def test_a_certificate_for_another_host_is_not(
    database: Database, authority: Authority, tmp_path: Path
) -> None:
    port = int((database.secret / "port").read_text())
    (database.secret / "ca.crt").write_text(authority.pem)
    (database.secret / "sslmode").unlink()
    with Wire(port, authority.server(tmp_path, "127.0.0.9")) as wire, open_store(database) as store:
        (database.secret / "port").write_text(str(wire.port))
        with pytest.raises(DatabaseRefused, match="TLS"):
            store.migrate()


def test_a_damaged_authority_is_named(database: Database, wire: Wire) -> None:
    (database.secret / "ca.crt").write_text("no certificate")
    with open_store(database) as store, pytest.raises(DatabaseRefused, match=r"ca\.crt"):
        store.migrate()
