"""Names, folders, locks, records, processes, images, certificates, progress: each by itself."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import tarfile
import threading
from pathlib import Path

import pytest
from cryptography import x509

from devcluster import oci, processes, progress, simulate
from devcluster.errors import DevclusterError
from devcluster.leftovers import file_system
from devcluster.lock import locked
from devcluster.pki import Authority
from devcluster.places import Places
from devcluster.processes import Process, Program
from devcluster.record import Record, Started, read
from devcluster.starter import ProgramEndedError, Starter

HOME = Path("/home/me")
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("environment", "cache"),
    [
        ({}, "/home/me/.cache/gsc-sync-operator"),
        ({"XDG_CACHE_HOME": "/elsewhere"}, "/elsewhere/gsc-sync-operator"),
        ({"XDG_CACHE_HOME": ""}, "/home/me/.cache/gsc-sync-operator"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/gsc-sync-operator"),
    ],
    ids=["default", "set", "empty", "relative"],
)
def test_the_cache_is_where_the_xdg_rules_say(environment: dict[str, str], cache: str) -> None:
    assert str(Places.of(environment, HOME).cache) == cache


@pytest.mark.parametrize("name", ["", "../x", "A", "-a", "a-", "x" * 41, "a b"])
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(DevclusterError, match="no name for a cluster"):
        Places.of({}, HOME).run_folder(name)


def test_a_lock_holds_others_off_and_may_be_deleted_by_its_holder(tmp_path: Path) -> None:
    file, order = tmp_path / "lock", []
    waiting = threading.Event()

    def second() -> None:
        with locked(file, waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(file):
        thread.start()
        assert waiting.wait(10)
        order.append("first")
        file.unlink()
    thread.join(10)
    assert order == ["first", "second"]
    assert file.exists(), "the second holds a lock that a third can see"


def a_record(process: Process) -> Record:
    program = Program("sleeper", ("/bin/sleep", "60"), Path("/log"), {"A": "b"})
    return Record(
        "x", "control-plane", "https://a:1", owner=Process(1, 2), started=(Started(program, process),)
    )


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record = a_record(Process(3, 4))
    assert read(tmp_path) is None
    record.write(tmp_path)
    assert read(tmp_path) == record


def test_a_program_started_again_replaces_its_former_self() -> None:
    record = a_record(Process(3, 4))
    again = Started(record.started[0].program, Process(5, 6))
    assert record.with_started(again).started == (again,)
    assert record.find("nobody") is None


def test_a_process_is_stopped_and_one_that_only_has_its_id_is_not(tmp_path: Path) -> None:
    process = processes.spawn(Program("sleeper", ("/bin/sleep", "60"), tmp_path / "log", {}))
    stranger = Process(process.pid, process.ticks - 1)
    assert not stranger.alive()
    processes.stop(stranger, 0)
    assert process.alive()
    assert process.pid in {child.pid for child in processes.descendants([os.getpid()])}
    assert processes.memory_mb(process.pid) >= 0

    processes.stop(process, 5)

    assert not process.alive()
    processes.stop(process, 5)


def test_a_program_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    starter = Starter(tmp_path, Record("x", "control-plane", "https://a:1"))
    script = ("/bin/sh", "-c", "echo bind: address already in use; exit 1")
    starter.start(Program("server", script, tmp_path / "log", {}))
    with pytest.raises(ProgramEndedError, match="server ended right after its start") as caught:
        starter.wait("the server answers", lambda: False, seconds=10)
    assert caught.value.port_was_taken


def test_waiting_ends_with_what_was_waited_for(tmp_path: Path) -> None:
    starter = Starter(tmp_path, Record("x", "control-plane", "https://a:1"))
    with pytest.raises(DevclusterError, match="in vain: the moon is full"):
        starter.wait("the moon is full", lambda: False, seconds=0)


def test_an_image_archive_names_blobs_by_their_content() -> None:
    archive = oci.image_archive("localhost/x:1", {"bin/x": b"program"}, ["/bin/x"], "x86_64")
    assert archive == oci.image_archive("localhost/x:1", {"bin/x": b"program"}, ["/bin/x"], "x86_64")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:

        def content(name: str) -> bytes:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

        (entry,) = json.loads(content("index.json"))["manifests"]
        assert entry["annotations"]["io.containerd.image.name"] == "localhost/x:1"
        manifest = json.loads(content(f"blobs/sha256/{entry['digest'].removeprefix('sha256:')}"))
        config = json.loads(content(f"blobs/sha256/{manifest['config']['digest'].removeprefix('sha256:')}"))
        assert config["architecture"] == "amd64"
        assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_a_client_certificate_is_no_servers() -> None:
    authority = Authority.create("x", NOW)
    client = x509.load_pem_x509_certificate(authority.issue("me", NOW, groups=["g"]).certificate)
    server = x509.load_pem_x509_certificate(
        authority.issue("s", NOW, hosts=["h"], addresses=["127.0.0.1"]).certificate
    )
    assert client.subject.rfc4514_string() == "CN=me,O=g"
    client.verify_directly_issued_by(authority.certificate)

    def purposes(certificate: x509.Certificate) -> list[str]:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        return [purpose._name for purpose in usage]

    assert purposes(client) == ["clientAuth"]
    assert purposes(server) == ["clientAuth", "serverAuth"]


def test_progress_without_a_terminal_is_a_line_now_and_then() -> None:
    said: list[str] = []
    third = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 3:
            third.set()

    with progress.Meter("building x", say, terminal=False, clock=lambda: 7.0, interval=0.01) as meter:
        assert third.wait(10)
        assert meter.text() == "looking at what is needed"
        meter.downloaded = 4
        assert meter.text() == "fetching sources (4 modules)"
        meter.total, meter.done = 10, 3
        assert meter.text() == "3 of at most 10 packages"
        meter.done = 10
        assert meter.text() == "linking"
    assert said[0] == "building x: looking at what is needed, 0 s"
    assert said[-1] == "building x: done in 0 s"


def test_what_is_not_chosen_for_a_pod_is_not_annotated() -> None:
    assert simulate.as_annotations("evicted") == {"devcluster/outcome": "evicted"}
    assert simulate.as_annotations(exit_code=75, run_for="1s") == {
        "devcluster/outcome": "exit",
        "devcluster/exit-code": "75",
        "devcluster/run-for": "1s",
    }


def test_a_policy_reaches_only_its_namespace_and_labels() -> None:
    policy, binding = simulate.policy("p", "ns", {"a": 'say "hi"'}, {"gscsync.io/attempt": "2"})
    match = policy["spec"]["matchConstraints"]
    assert match["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "ns"}}
    assert match["objectSelector"] == {"matchLabels": {"gscsync.io/attempt": "2"}}
    assert r'"a": "say \"hi\""' in policy["spec"]["mutations"][0]["applyConfiguration"]["expression"]
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]


def test_the_file_system_below_a_folder_is_that_of_the_innermost_mount() -> None:
    assert file_system(Path("/proc/self")) == "proc"
