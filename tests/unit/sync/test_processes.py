"""Several processes for one launch: what goes over a line, who carries what, and how it ends."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from contract import Destination, ExitCode, FailureClass, Limits, State
from sync import errors
from sync.errors import LoadQuotaError, PropertyError, QuotaError, SyncError
from sync.google.transport import TransportError
from sync.processes.choice import carrier_of
from sync.processes.fork import fork
from sync.processes.processors import processors
from sync.processes.several import SeveralProcesses
from sync.stop import Stop, StopReason
from sync.store.connect import Connections
from tests.lines import in_thread
from tests.unit.sync.fakes import (
    TODAY,
    FakeGoogle,
    TinyStore,
    answer,
    clock,
    load_refusal,
    permission_refusal,
    refusal,
    spec,
    workspace,
)
from tests.unit.sync.test_run import House


@contextmanager
def two(house: House) -> Iterator[House]:
    """The house with a second place where cells are carried."""
    with SeveralProcesses(1, lines=8, transport=house.google, store=house.store, start=in_thread) as several:
        house.launch = replace(house.launch, several=several)
        yield house


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, len(os.sched_getaffinity(0)), id="no cgroup tells: all that it may run on"),
        pytest.param("max 100000", len(os.sched_getaffinity(0)), id="no limit"),
        pytest.param("100000 100000", 1, id="a limit of one"),
        pytest.param("20000 100000", 1, id="a fifth is one, too: less than one there is not"),
        pytest.param("199999 100000", 1, id="nearly two is one"),
        pytest.param(
            "200000 100000", min(2, len(os.sched_getaffinity(0))), id="two, as far as they are there"
        ),
        pytest.param("nonsense", len(os.sched_getaffinity(0)), id="what nobody understands limits nothing"),
        pytest.param("100000 0", len(os.sched_getaffinity(0)), id="no period limits nothing"),
    ],
)
def test_processors_are_those_of_the_pod_and_not_of_the_node(tmp_path, content, expected):
    file = tmp_path / "cpu.max"
    if content is not None:
        file.write_text(content)
    assert processors(file) == expected


EVERY_ERROR = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SyncError)
]


@pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.__name__)
def test_an_error_is_the_same_on_the_other_side(kind):
    made = kind("why", 12.5) if issubclass(kind, QuotaError) else kind("why")
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), str(again), vars(again)) == (kind, "why", vars(made))
    assert again.failure_class is made.failure_class


def test_what_an_error_says_beside_its_message_passes_too():
    spent = pickle.loads(pickle.dumps(LoadQuotaError("why", 7.0, spent=True)))
    assert (spent.retry_after, spent.spent) == (7.0, True)
    other = pickle.loads(pickle.dumps(SyncError("why", FailureClass.API_DISABLED)))
    assert other.failure_class is FailureClass.API_DISABLED
    lost = pickle.loads(pickle.dumps(TransportError("too large", hopeless=True)))
    assert (str(lost), lost.hopeless) == ("too large", True)


def test_a_moment_that_is_set_here_is_seen_in_a_process_that_was_forked_before():
    """So a request that another process has under way is given up with the launch."""
    stop = Stop(clock(), soft_deadline=100, hard_deadline=200, grace=10)
    reading, writing = os.pipe()
    going, go = os.pipe()

    def serve() -> None:
        os.read(going, 1)
        os.write(writing, str(stop.abort_at()).encode())

    other = fork(serve, (), ())
    stop.request(StopReason.SIGNAL)
    os.write(go, b"!")
    assert os.read(reading, 100) == b"5.0"
    assert other.wait(10) == 0


def test_every_second_cell_is_carried_elsewhere_and_the_run_is_the_same(tmp_path):
    limits = Limits(concurrency=1, cells_per_property=3, requests_per_second_per_property=100)
    alone = House(spec([workspace(tmp_path)], limits=limits), FakeGoogle())
    ended = alone.run()
    writers, both = set(), threading.Event()

    def write(_):
        writers.add(threading.current_thread().name.partition("-")[0])
        if len(writers) == 2:
            both.set()
        assert both.wait(10), "the other one works meanwhile"

    with two(House(spec([workspace(tmp_path)], limits=limits), FakeGoogle())) as house:
        house.store.on_write = write
        ended_too = house.run()
    passed = {"quota_wait_ms": 0, "duration_ms": 0}
    assert ended_too.summary.model_copy(update=passed) == ended.summary.model_copy(update=passed)
    assert house.store.cells == alone.store.cells
    assert writers == {"sync", "beside"}


ANSWERS = [
    pytest.param(lambda: [refusal(503, "later")], id="a passing trouble is tried again"),
    pytest.param(lambda: [TransportError("reset")], id="no answer is tried again"),
    pytest.param(lambda: [answer(200, b'{"rows": [')], id="a body that was cut is asked for again"),
    pytest.param(
        lambda: [answer(200, b"<html>", **{"content-type": "text/html"})], id="a page of a proxy, too"
    ),
    pytest.param(lambda: [refusal(401, "expired", "authError")], id="a token that expired is replaced"),
    pytest.param(
        lambda: [answer(200, {"error": {"code": 503, "message": "x"}})], id="an error that calls itself 200"
    ),
]


@pytest.mark.parametrize("answers", ANSWERS)
def test_the_launch_rules_what_is_done_about_an_answer_that_another_process_got(tmp_path, answers):
    """Only the page of one day: it is the first cell, which goes over a line."""
    google = FakeGoogle()
    bad = answers()

    def script(_, body):
        if not bad or body.get("startDate") != body.get("endDate") or body.get("startDate") != str(TODAY):
            return None
        assert threading.current_thread().name.startswith("beside")
        found = bad.pop()
        if isinstance(found, Exception):
            raise found
        return found

    google.script = script
    with two(House(spec([workspace(tmp_path)], limits=Limits(concurrency=1)), google)) as house:
        ended = house.run()
    assert not bad
    assert ended.exit_code is ExitCode.SUCCESS, ended.summary.message
    assert len(house.store.cells) == 3
    assert ended.summary.requests == 9


def test_a_quota_that_is_spent_elsewhere_postpones_the_property(tmp_path):
    google = FakeGoogle()
    google.script = lambda _, body: load_refusal() if len(body.get("dimensions", [])) > 1 else None
    with two(House(spec([workspace(tmp_path)]), google)) as house:
        ended = house.run()
    assert (ended.exit_code, ended.summary.state) == (ExitCode.SNOOZED, State.SNOOZED)
    assert ended.summary.error_class is FailureClass.LOAD_QUOTA


def test_a_permission_that_is_missing_elsewhere_fails_the_property(tmp_path):
    google = FakeGoogle()
    google.script = lambda _, body: permission_refusal() if len(body.get("dimensions", [])) > 1 else None
    with two(House(spec([workspace(tmp_path)]), google)) as house:
        ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert ended.summary.failures[0].failure_class is FailureClass.PERMISSION_DENIED


def test_what_nobody_foresaw_elsewhere_ends_the_launch_with_its_traceback(tmp_path, caplog):
    with two(House(spec([workspace(tmp_path)]), FakeGoogle())) as house:

        def fail(_):
            if threading.current_thread().name.startswith("beside"):
                raise ZeroDivisionError("a slip of ours")

        house.store.on_write = fail
        ended = house.run()
    assert (ended.exit_code, ended.summary.error_class) == (ExitCode.FAILURE, FailureClass.UNEXPECTED)
    assert "a slip of ours" in caplog.text
    assert "in fail" in caplog.text


def test_what_nobody_foresaw_between_question_and_answer_is_told_as_what_it_is(tmp_path, caplog):
    google = FakeGoogle()

    def script(_, body):
        if len(body.get("dimensions", [])) > 1 and threading.current_thread().name.startswith("beside"):
            raise ZeroDivisionError("a slip of ours")

    google.script = script
    with two(House(spec([workspace(tmp_path)]), google)) as house:
        ended = house.run()
    assert (ended.exit_code, ended.summary.error_class) == (ExitCode.FAILURE, FailureClass.UNEXPECTED)
    assert "BrokenProcessError: Traceback" in caplog.text
    assert "a slip of ours" in caplog.text
    assert "AssertionError" not in caplog.text


def test_a_process_that_is_killed_ends_the_launch_and_says_what_to_look_at(tmp_path):
    """Forked here for real; the test keeps it from answering, and kills it."""
    house = House(spec([workspace(tmp_path)]), FakeGoogle())
    started = []

    def held(serve, there, here):
        made = fork(signal.pause, there, here)
        started.append(made)
        return made

    with SeveralProcesses(1, lines=1, transport=house.google, store=house.store, start=held) as several:
        house.launch = replace(house.launch, several=several)
        killing = threading.Timer(0.2, lambda: os.kill(started[0].pid, signal.SIGKILL))
        killing.start()
        ended = house.run()
        killing.join()
    assert ended.exit_code is ExitCode.FAILURE
    assert ended.summary.error_class is FailureClass.UNEXPECTED
    assert "ended by SIGKILL" in ended.summary.message
    assert "resources.limits.memory" in ended.summary.message


def test_a_process_that_closes_its_line_and_lives_on_is_told_apart_from_one_that_was_killed(tmp_path):
    house = House(spec([workspace(tmp_path)]), FakeGoogle())

    def deaf(_, there, here):
        def serve():
            for end in there[1:]:  # the first is its life
                end.close()
            there[0].poll(None)

        return fork(serve, there, here)

    with SeveralProcesses(1, lines=1, transport=house.google, store=house.store, start=deaf) as several:
        house.launch = replace(house.launch, several=several)
        ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert "fell silent" in ended.summary.message


def test_what_cannot_be_said_is_told_instead_of_leaving_the_launch_to_wait(tmp_path, caplog):
    """As an error with something in it that belongs to its process."""

    def fail(_):
        error = PropertyError("no")
        error.lock = threading.Lock()
        raise error

    with two(House(spec([workspace(tmp_path)]), FakeGoogle())) as house:
        house.store.on_write = fail
        ended = house.run()
    assert ended.exit_code is ExitCode.FAILURE
    assert "pickle" in caplog.text


def test_a_process_that_does_not_end_when_it_is_told_to_is_killed():
    other = fork(signal.pause, (), ())
    assert other.wait(0.05) is None
    assert other.wait(0.05) is None
    assert not Path(f"/proc/{other.pid}").exists()


def test_a_process_that_fails_says_so_by_its_exit_code(capfd):
    other = fork(lambda: 1 // 0, (), ())
    assert other.wait(10) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


class Shared(TinyStore):
    """One that several processes could use."""

    def shared_by(self, processes: int) -> bool:
        return processes > 0


@pytest.mark.parametrize(
    ("store", "processes", "threads", "expected"),
    [
        pytest.param(Shared, 2, 0, b"several", id="nothing stands in the way"),
        pytest.param(Shared, 1, 0, b"one", id="told to be one"),
        pytest.param(TinyStore, 2, 0, b"one", id="a store that lives in the process"),
        pytest.param(Shared, 2, 1, b"one", id="a process that has threads already"),
    ],
)
def test_one_process_carries_all_where_another_could_not(store, processes, threads, expected):
    """Asked in a process of its own, which has no threads but those of the story."""
    reading, writing = os.pipe()

    def ask() -> None:
        for _ in range(threads):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        with carrier_of(Limits(), FakeGoogle(), store(), processes) as several:
            assert several is None or isinstance(several, SeveralProcesses)
            os.write(writing, b"one" if several is None else b"several")

    assert fork(ask, (), ()).wait(30) == 0
    assert os.read(reading, 100) == expected


def test_connections_are_divided_and_never_down_to_none(tmp_path):
    def pool(limit):
        return Connections(Destination(path=str(tmp_path)), limit=limit)

    assert [pool(1).part(2), pool(2).part(2), pool(10).part(3)] == [False, True, True]
    ten = pool(10)
    ten.part(3)
    assert ten._limit == 3
