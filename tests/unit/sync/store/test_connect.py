"""From the files of a Secret to a connection string."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from contract import Destination
from sync.errors import DatabaseRefused
from sync.store.connect import conninfo


def secret(folder: Path, **keys: str) -> Destination:
    for key, value in keys.items():
        (folder / key.replace("_", ".")).write_text(value + "\n")
    return Destination(path=str(folder), hint="Secret 'warehouse'")


PARTS = {"host": "db", "port": "5433", "dbname": "wh", "user": "me", "password": "p w'd"}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param(PARTS, {**PARTS, "sslmode": "require"}, id="parts, TLS unless told otherwise"),
        pytest.param({**PARTS, "sslmode": "disable"}, {**PARTS, "sslmode": "disable"}, id="told otherwise"),
        pytest.param(
            {**PARTS, "ca_crt": "PEM"}, {"sslmode": "verify-full"}, id="a certificate authority is used"
        ),
        pytest.param(
            {"uri": "postgresql://u:p@h:1/d"},
            {"host": "h", "port": "1", "user": "u", "sslmode": "require"},
            id="uri",
        ),
        pytest.param(
            {"uri": "postgresql://u@h/d?sslmode=disable", "sslmode": "require"},
            {"sslmode": "disable"},
            id="uri wins",
        ),
        pytest.param(
            {"uri": "postgresql://u@h/d", "password": "late"},
            {"user": "u", "password": "late"},
            id="parts fill gaps",
        ),
        pytest.param({"uri": "host=h dbname=d"}, {"host": "h", "dbname": "d"}, id="keyword form"),
    ],
)
def test_the_keys_make_a_connection_string(
    tmp_path: Path, keys: dict[str, str], expected: dict[str, str]
) -> None:
    made = conninfo_to_dict(conninfo(secret(tmp_path, **keys)))
    assert expected.items() <= made.items()
    assert made["application_name"] == "gsc-sync"


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        pytest.param({}, "'uri', or 'host'", id="nothing there"),
        pytest.param({"user": "me", "password": "hunter2"}, "'uri', or 'host'", id="no host"),
        pytest.param({"uri": "postgresql://u:hunter2@[h/d"}, "check 'uri'", id="nonsense"),
    ],
)
def test_what_is_missing_is_named_and_nothing_secret_repeated(
    tmp_path: Path, keys: dict[str, str], word: str
) -> None:
    with pytest.raises(DatabaseRefused) as caught:
        conninfo(secret(tmp_path, **keys))
    assert word in str(caught.value)
    assert "Secret 'warehouse'" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_who_verifies_without_an_authority_of_his_own_trusts_the_first_bundle_of_the_system(
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "ca-certificates.crt"
    bundle.write_text("PEM")
    bundles = (str(tmp_path / "none"), str(bundle), str(tmp_path / "later"))
    for keys in ({**PARTS, "sslmode": "verify-full"}, {"uri": "postgresql://u@h/d?sslmode=verify-full"}):
        made = conninfo_to_dict(conninfo(secret(tmp_path, **keys), bundles))
        assert (made["sslmode"], made["sslrootcert"]) == ("verify-full", str(bundle))


@pytest.mark.parametrize(
    ("keys", "trusted"),
    [
        pytest.param({**PARTS, "ca_crt": "PEM"}, "ca.crt", id="the Secret's authority goes first"),
        pytest.param(
            {"uri": "postgresql://u@h/d?sslmode=verify-full&sslrootcert=system"},
            "system",
            id="what the uri names goes first",
        ),
        pytest.param(PARTS, None, id="nobody asked to verify"),
        pytest.param(
            {**PARTS, "sslmode": "verify-ca"},
            None,
            id="a public certificate of any name would do for verify-ca",
        ),
    ],
)
def test_the_bundle_of_the_system_takes_nobodys_place(
    tmp_path: Path, keys: dict[str, str], trusted: str | None
) -> None:
    bundle = tmp_path / "ca-certificates.crt"
    bundle.write_text("PEM")
    made = conninfo_to_dict(conninfo(secret(tmp_path, **keys), [str(bundle)]))
    named = made.get("sslrootcert")
    assert (named and Path(str(named)).name) == trusted


def test_where_there_is_no_bundle_libpq_is_left_to_say_what_is_missing(tmp_path: Path) -> None:
    made = conninfo(secret(tmp_path, **PARTS, sslmode="verify-full"), [str(tmp_path / "none")])
    assert "sslrootcert" not in conninfo_to_dict(made)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"\xff\xfe")
    with pytest.raises(DatabaseRefused, match="password"):
        conninfo(Destination(path=str(tmp_path)))
