"""An emulator that serves the small world, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator import EmulatorThread, run_emulator
from tests.unit.emulator.world import NOON, Client, world


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[EmulatorThread]:
    with run_emulator(world(), now=NOON) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: EmulatorThread) -> Iterator[EmulatorThread]:
    """An emulator in its first state: keys are costly to make, so the process is shared."""
    yield shared_emulator
    shared_emulator.faults([])
    shared_emulator.clear_requests()
    shared_emulator.set_now(NOON)
    shared_emulator.set_latency(0)
    for account in shared_emulator.config.accounts:
        shared_emulator.set_account(
            account.name, revoked=account.revoked, properties=dict(account.properties)
        )


@pytest.fixture
def anonymous(emulator: EmulatorThread) -> Iterator[Client]:
    client = Client(emulator, "robot")
    yield client
    client.session.close()


@pytest.fixture
def robot(anonymous: Client) -> Client:
    return anonymous.login()


@pytest.fixture
def person(emulator: EmulatorThread) -> Iterator[Client]:
    client = Client(emulator, "person").login()
    yield client
    client.session.close()
