"""Fault 79: whatever goes wrong, no output of a run holds a token, a key, a password or what they are made of.

Every refusal and every fault of delivery is met at every place where a credential travels, with logs as talkative as
they get. Everything that leaves the program is then searched: logs, standard output, summaries, the database, and what
was sent to a host that a redirect named.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.faults.stranger import stranger
from tests.integration.faults.world import World

LEAKY = (
    "Bearer ya29.A0AfB_byLEAKEDLEAKEDLEAKEDLEAKED is no good, nor is 1//0gLEAKEDLEAKEDLEAKEDLEAKED with GOCSPX-LEAKEDLEAKED"
    " nor eyJhbGciOiJSUzI1NiJ9.eyJpc3MiLEAKEDLEAKED.c2lnbmF0dXJlLEAKED"
)
"""A server that quotes what it was sent."""

FAULTS: list[dict[str, Any]] = [
    {"kind": "token-expired"},
    {"kind": "permission-403"},
    {"kind": "api-disabled"},
    {"kind": "scope-403"},
    {"kind": "unknown-403", "body": LEAKY},
    {"kind": "daily-403"},
    {"kind": "load-403"},
    {"kind": "rate-403"},
    {"kind": "rate-429", "retry_after": "1"},
    {"kind": "not-found", "message": LEAKY},
    {"kind": "bad-request", "message": LEAKY},
    {"kind": "invalid-grant", "message": LEAKY},
    {"kind": "invalid-client", "message": LEAKY},
    {"kind": "status", "status": 400, "json_body": {"error": LEAKY, "error_description": LEAKY}},
    {"kind": "status", "status": 403, "json_body": {"error": {"code": 403, "message": LEAKY}}},
    {"kind": "status", "status": 401, "json_body": {"error": {"code": 401, "message": LEAKY}}},
    {"kind": "status", "status": 200, "json_body": {"error": {"code": 500, "message": LEAKY}}},
    {"kind": "status", "status": 200, "json_body": {"access_token": 7}},
    {"kind": "html-500", "body": LEAKY},
    {"kind": "captive-page", "body": LEAKY},
    {"kind": "no-content"},
    {"kind": "redirect"},
    {"kind": "drop-connection"},
    {"kind": "reset-mid-body", "after": 5},
    {"kind": "truncated-json"},
    {"kind": "truncated-gzip"},
    {"kind": "wrong-content-type"},
    {"kind": "endless-headers", "seconds": 0.2},
    {"kind": "headers", "headers": {"Set-Cookie": "sid=1", "Retry-After": LEAKY}},
]


def secrets_of(world: World) -> list[str]:
    """What must not appear: pieces of every credential, and how Google's tokens and signed assertions begin."""
    key, refresh = world.emulator.credentials("acme"), world.emulator.credentials("globex")
    lines = [line for line in key["private_key"].splitlines() if len(line) > 40]
    return [
        *(line[:32] for line in lines),
        refresh["refresh_token"],
        refresh["client_secret"],
        "ya29.",
        "eyJ",
        "LEAKEDLEAKED",
        "pa55word-of-the-warehouse",
    ]


def everything_in(world: World) -> str:
    """Each text the program has written into its database."""
    tables = world.database.execute(
        "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'gsc'::regnamespace AND relkind = 'r'"
    )
    return "\n".join(
        str(row[0])
        for (name,) in tables
        for row in world.database.execute(f"SELECT t::text FROM gsc.{name} AS t")
    )


@pytest.mark.parametrize("operation", ["token", "sites.list", "query"])
def test_fault_79_no_output_of_any_failure_holds_a_secret(world: World, operation: str) -> None:
    (world.database.secret / "password").write_text("pa55word-of-the-warehouse")
    secrets = secrets_of(world)
    world.environment = {"GSC_SYNC_LOG_LEVEL": "DEBUG"}
    outputs: dict[str, str] = {}
    with stranger() as (elsewhere, heard):
        for number, fault in enumerate(FAULTS):
            given = fault | ({"location": f"{elsewhere}/"} if fault["kind"] == "redirect" else {})
            world.faults({"match": {"operation": operation}, "fault": given})
            world.environment["GSC_SYNC_LOG_FORMAT"] = ("json", "text")[number % 2]
            ended = world.run(window={"days": 1}, search_types=["web"])
            name = f"{number} {fault['kind']}"
            outputs |= {
                f"{name}, logs": ended.logs,
                f"{name}, output": ended.out,
                f"{name}, summary": ended.summary.to_json(),
            }
            if operation == "token":
                checked = world.run(command="check", window={"days": 1}, search_types=["web"])
                outputs[f"{name}, check"] = checked.logs + checked.out
    outputs["database"] = everything_in(world)
    found = {(place, secret) for place, text in outputs.items() for secret in secrets if secret in text}
    assert found == set()
    assert heard == [], "no redirect is followed, with or without a token"
    assert "auth.token_refresh" in "".join(outputs.values()), "the logs were talkative"


def test_fault_79_the_search_would_find_a_secret(world: World) -> None:
    """So that the test above can fail."""
    secrets = secrets_of(world)
    text = world.workspace("acme").credentials_path
    with open(text, encoding="utf-8") as file:  # noqa: PTH123 - the credentials file as it stands
        content = file.read().replace("\\n", "\n")
    assert any(secret in content for secret in secrets)
    assert all(len(secret) >= 3 for secret in secrets)
