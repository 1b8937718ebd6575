"""What each SQLSTATE means for a run."""

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import DiagnosticField

from sync.errors import DatabaseIncompatible, DatabaseRefused, DatabaseUnavailable
from sync.store.errors import TooManyConnections, Transient, translate


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(errors.SerializationFailure(), Transient, id="serialization failure"),
        pytest.param(errors.DeadlockDetected(), Transient, id="deadlock"),
        pytest.param(errors.LockNotAvailable(), Transient, id="lock timeout"),
        pytest.param(errors.QueryCanceled(), Transient, id="statement timeout"),
        pytest.param(errors.AdminShutdown(), Transient, id="restart"),
        pytest.param(errors.CannotConnectNow(), Transient, id="starting up"),
        pytest.param(errors.ReadOnlySqlTransaction(), Transient, id="read-only after a failover"),
        pytest.param(errors.IdleInTransactionSessionTimeout(), Transient, id="idle in transaction"),
        pytest.param(errors.DiskFull(), DatabaseUnavailable, id="disk full: not hammered"),
        pytest.param(errors.TooManyConnections(), TooManyConnections, id="too many connections"),
        pytest.param(errors.ProgramLimitExceeded(), DatabaseRefused, id="index row too large: never by design"),
        pytest.param(errors.InvalidPassword(), DatabaseRefused, id="wrong password"),
        pytest.param(errors.InsufficientPrivilege(), DatabaseRefused, id="missing privilege"),
        pytest.param(errors.InvalidCatalogName(), DatabaseRefused, id="no such database"),
        pytest.param(errors.UntranslatableCharacter(), DatabaseIncompatible, id="wrong encoding"),
        pytest.param(psycopg.OperationalError("server closed the connection unexpectedly"), Transient, id="lost mid-COPY, no SQLSTATE"),
        pytest.param(psycopg.OperationalError("connection failed: Connection refused"), Transient, id="refused"),
        pytest.param(psycopg.OperationalError('FATAL: password authentication failed for user "x"'), DatabaseRefused, id="wrong password while connecting"),
        pytest.param(psycopg.OperationalError('FATAL: database "x" does not exist'), DatabaseRefused, id="no database while connecting"),
        pytest.param(psycopg.OperationalError("FATAL: sorry, too many clients already"), TooManyConnections, id="too many while connecting"),
        pytest.param(psycopg.OperationalError("server does not support SSL, but SSL was required"), DatabaseRefused, id="TLS"),
        pytest.param(psycopg.OperationalError('FATAL: too many connections for role "x"'), TooManyConnections, id="role limit while connecting"),
        pytest.param(psycopg.OperationalError('FATAL: role "x" does not exist'), DatabaseRefused, id="no such role"),
        pytest.param(psycopg.OperationalError('could not translate host name "db-ssl.example" to address'), Transient, id="no such host, whatever its name"),
        pytest.param(psycopg.OperationalError("SSL SYSCALL error: EOF detected"), Transient, id="lost under TLS"),
        pytest.param(psycopg.OperationalError("SSL error: certificate verify failed"), DatabaseRefused, id="wrong certificate"),
        pytest.param(psycopg.OperationalError("session is read-only"), Transient, id="no primary among the hosts"),
        pytest.param(psycopg.InterfaceError("connection is closed"), Transient, id="closed under our hands"),
        pytest.param(psycopg.DataError("integer out of range"), DatabaseRefused, id="a value no column takes"),
        pytest.param(errors.CheckViolation(), Transient, id="no month for the row"),
        pytest.param(errors.ForeignKeyViolation(), Transient, id="a property of which the number is gone"),
        pytest.param(errors.ProtocolViolation(), Transient, id="a pooler's complaint"),
        pytest.param(errors.UndefinedTable(), DatabaseRefused, id="no schema"),
        pytest.param(errors.InternalError_(), DatabaseRefused, id="a bug of the server"),
        pytest.param(psycopg.OperationalError("FATAL: the database system is starting up"), Transient, id="starting up while connecting"),
    ],
)  # fmt: skip
def test_the_class_of_an_error(error: psycopg.Error, expected: type[Exception]) -> None:
    translated = translate(error, "Secret 'warehouse'")
    assert type(translated) is expected
    assert "Secret 'warehouse'" in str(translated)


def test_a_connection_error_never_repeats_the_connection_string() -> None:
    error = psycopg.OperationalError('could not parse "postgresql://u:hunter2@h/d"')
    assert "hunter2" not in str(translate(error, "x"))


def test_what_the_server_said_while_connecting_is_told() -> None:
    said = 'connection to server at "db" failed: FATAL:  no room for you\npassword=hunter2'
    told = str(translate(psycopg.OperationalError(said), "x"))
    assert "no room for you" in told
    assert "hunter2" not in told


def test_a_ca_certificate_that_is_missing_is_no_missing_database() -> None:
    """The words of libpq for sslmode=verify-full, with neither `ca.crt` nor anything that could take its place."""
    said = (
        'connection failed: connection to server at "db", port 5432 failed: root certificate file "/nonexistent/.postgresql/root.crt" '
        "does not exist\nEither provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to "
        "disable server certificate verification."
    )
    translated = translate(psycopg.OperationalError(said), "Secret 'warehouse'")
    assert type(translated) is DatabaseRefused, "only a person can put it there, so nothing is tried again"
    assert "CA certificate is missing" in str(translated)
    assert "`ca.crt`" in str(translated)
    assert "sslmode=require" in str(translated)
    assert "dbname" not in str(translated)


def test_a_password_that_the_secret_lacks_is_told_as_missing() -> None:
    said = (
        'connection failed: connection to server at "db", port 5432 failed: fe_sendauth: no password supplied'
    )
    translated = translate(psycopg.OperationalError(said), "Secret 'warehouse'")
    assert type(translated) is DatabaseRefused
    assert "add the key 'password'" in str(translated)


def test_a_database_out_of_reach_makes_one_look_at_the_network_policy() -> None:
    told = str(translate(psycopg.OperationalError("connection timeout expired"), "x"))
    assert "'host' and 'port'" in told
    assert "`networkPolicy.postgresPorts` of the chart" in told


def denied(said: str) -> psycopg.Error:
    """As a server refuses: its words are a part of the answer."""
    return errors.InsufficientPrivilege(said, info={DiagnosticField.MESSAGE_PRIMARY: said.encode()})


EVERY_TABLE = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA <schema> TO <role>;"
REFUSALS = {
    "to make the schema": (
        denied("permission denied for database wh"),
        'GRANT CREATE ON DATABASE "wh" TO <role>;',
    ),
    "to use the schema": (
        denied("permission denied for schema gsc"),
        'GRANT USAGE, CREATE ON SCHEMA "gsc" TO <role>;',
    ),
    "to write a table": (denied("permission denied for table ledger"), EVERY_TABLE),
    "to stage rows": (
        denied('permission denied to create temporary tables in database "wh"'),
        'GRANT TEMPORARY ON DATABASE "wh" TO <role>;',
    ),
    "to add a month": (
        denied("must be owner of table daily"),
        "GRANT <owner of the tables> TO <role>;",
    ),
    "a server of another language": (denied("keine Berechtigung"), EVERY_TABLE),
    "to connect": (
        psycopg.OperationalError(
            'connection failed: FATAL:  permission denied for database "wh"\nDETAIL:  User does not have CONNECT privilege.'
        ),
        'GRANT CONNECT ON DATABASE "wh" TO <role>;',
    ),
}


@pytest.mark.parametrize(("error", "wanted"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_missing_privilege_is_told_as_the_grant_that_gives_it(error: psycopg.Error, wanted: str) -> None:
    translated = translate(error, "Secret 'warehouse'")
    assert type(translated) is DatabaseRefused
    assert f"{wanted}`" in str(translated)
    assert "sync check" not in str(translated), "a cluster has no shell to run it in"
    assert len(str(translated)) < 512, "a summary takes no more"


@pytest.mark.parametrize(
    ("error", "stale"),
    [
        pytest.param(errors.AdminShutdown(), True, id="restart"),
        pytest.param(errors.ReadOnlySqlTransaction(), True, id="failover"),
        pytest.param(errors.IdleSessionTimeout(), True, id="a server that ends idle sessions"),
        pytest.param(errors.StatementCompletionUnknown(), True, id="nobody knows whether it was done"),
        pytest.param(errors.CheckViolation(), True, id="dropped month"),
        pytest.param(errors.DeadlockDetected(), False, id="deadlock"),
    ],
)
def test_what_makes_memories_doubtful(error: psycopg.Error, stale: bool) -> None:
    translated = translate(error, "x")
    assert isinstance(translated, Transient)
    assert translated.stale is stale
