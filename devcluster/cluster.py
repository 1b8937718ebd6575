"""Bringing a cluster up and taking it down: which one, whether it is there already, and under which locks.

`up` ends in one of two states: everything runs, or nothing is left of the attempt.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from devcluster import addresses, controlplane, machine, node, processes, recipe
from devcluster.build import Binaries, ensure_binaries
from devcluster.errors import DevclusterError
from devcluster.flags import Plan
from devcluster.lock import locked
from devcluster.packages import FOR_NODE, ensure_packages
from devcluster.places import LONGEST_RUN_FOLDER, STAGES, Places
from devcluster.ports import PortRegistry
from devcluster.processes import Process
from devcluster.record import Record, read
from devcluster.starter import ProgramEndedError, Starter

WHOLE, CONTROL_PLANE = "cluster", "control-plane"
TRIES = 3
# The API server goes before etcd, or it lingers and holds its port; everything else before the API server.
STOPPED_LAST = ("kube-apiserver", "etcd")


@dataclass(frozen=True, slots=True)
class Wish:
    """What `up` is asked for. `controller_qps` None leaves the controller manager its own default (20)."""

    name: str
    whole: bool
    controller_qps: float | None = None
    simulated: bool = True
    owner: Process | None = None
    audit_bodies: bool = True

    @property
    def mode(self) -> str:
        return WHOLE if self.whole else CONTROL_PLANE


def up(wish: Wish, places: Places, say: Callable[[str], None]) -> Record:
    folder = places.run_folder(wish.name)
    if wish.whole and len(str(folder)) > LONGEST_RUN_FOLDER:
        raise DevclusterError(
            f"{folder} is too long for the sockets in it; set XDG_STATE_HOME to a shorter folder"
        )
    with locked(
        places.clusters / f".{wish.name}.lock", lambda: say(f"another command works on {wish.name}; waiting")
    ):
        there = _running(wish, folder)
        if there is not None:
            say(f"{wish.name} is up already")
            return there
        machine.refuse(machine.problems(machine.look(places), whole=wish.whole))
        if folder.exists():
            say(f"cleaning up what is left of {wish.name}")
            _remove(folder, places)
        if wish.whole:
            ensure_packages(FOR_NODE, say)
        binaries = ensure_binaries(
            recipe.FOR_CLUSTER if wish.whole else recipe.FOR_CONTROL_PLANE, places, say
        )
        if not wish.whole:
            return _start(wish, folder, places, binaries, say)
        with node.machine_lock(lambda: say("another command works on this machine's cluster; waiting")):
            _make_way(folder, places, say)
            return _start(wish, folder, places, binaries, say)


def down(name: str, places: Places, say: Callable[[str], None]) -> bool:
    """Take it away; False when there was none, which is as good."""
    folder = places.run_folder(name)
    lock = places.clusters / f".{name}.lock"
    if not folder.exists():
        lock.unlink(missing_ok=True)
        return False
    with locked(lock, lambda: say(f"another command works on {name}; waiting")):
        if node.held_by(folder):
            with node.machine_lock(lambda: say("another command works on this machine's cluster; waiting")):
                _remove(folder, places)
        else:
            _remove(folder, places)
        lock.unlink(missing_ok=True)
    return True


def all_names(places: Places) -> list[str]:
    if not places.clusters.is_dir():
        return []
    return sorted(entry.name for entry in places.clusters.iterdir() if entry.is_dir())


def sweep(places: Places, say: Callable[[str], None]) -> None:
    """Take down what belongs to processes that are gone: a test run that was killed."""
    for name in all_names(places):
        record = read(places.run_folder(name))
        if record is not None and record.owner is not None and not record.owner.alive():
            down(name, places, say)


def is_up(record: Record, folder: Path) -> bool:
    return record.complete and not record.dead() and controlplane.rest(folder, record.url).ready()


def _running(wish: Wish, folder: Path) -> Record | None:
    record = read(folder)
    if record is None or not is_up(record, folder):
        return None
    if record.mode != wish.mode:
        raise DevclusterError(
            f"{wish.name} is up as a {record.mode}, not as a {wish.mode}: take another --name, or `down` first"
        )
    return record


def _make_way(folder: Path, places: Places, say: Callable[[str], None]) -> None:
    """One whole cluster per machine: refuse beside a living one, clear away a dead one."""
    other = node.holder()
    if other is not None and other != folder:
        record = read(other)
        if record is not None and any(s.process.alive() for s in record.started):
            raise DevclusterError(
                f"the whole cluster {record.name} is up, and a machine carries one at a time: "
                f"`python -m devcluster down --name {record.name}` first, or `up --control-plane`"
            )
        say(f"cleaning up what is left of a cluster in {other}")
        _remove(other, places)
    node.refuse_beside_another_kubernetes()


def _start(
    wish: Wish, folder: Path, places: Places, binaries: Binaries, say: Callable[[str], None]
) -> Record:
    for attempt in range(1, TRIES + 1):
        try:
            return _start_once(wish, folder, places, binaries, say)
        except ProgramEndedError as error:
            _remove(folder, places)
            if not error.port_was_taken or attempt == TRIES:
                raise
            say("a port was taken by another program just now; trying others")
        except BaseException:
            # Also on Ctrl-C: half a cluster helps nobody.
            _remove(folder, places)
            raise
    raise AssertionError


def _start_once(
    wish: Wish, folder: Path, places: Places, binaries: Binaries, say: Callable[[str], None]
) -> Record:
    began = time.monotonic()
    folder.mkdir(parents=True, mode=0o700)
    api, etcd, peer = PortRegistry(places.clusters).take(wish.name, 3)
    plan = Plan(
        name=wish.name,
        folder=folder,
        whole=wish.whole,
        address=addresses.NODE_IP if wish.whole else "127.0.0.1",
        api_port=api,
        etcd_port=etcd,
        etcd_peer_port=peer,
        controller_qps=wish.controller_qps,
        controlplane=binaries.file(recipe.CONTROLPLANE, "controlplane"),
        kwok=binaries.file(recipe.KWOK, "kwok"),
        stages=STAGES,
        audit_bodies=wish.audit_bodies,
    )
    starter = Starter(folder, Record(wish.name, wish.mode, plan.url, wish.owner))
    starter.record.write(folder)
    controlplane.prepare(plan, dt.datetime.now(dt.UTC))
    if wish.whole:
        node.take_machine(folder)
        node.prepare(plan)
    controlplane.start(plan, starter, simulated=wish.simulated)
    if wish.whole:
        node.start(plan, starter, binaries, say)
    starter.complete()
    say(f"{wish.name} is up after {time.monotonic() - began:.1f} s")
    return starter.record


def _remove(folder: Path, places: Places) -> None:
    """Everything of a cluster, whatever state it is in. Interrupted, it can be done again."""
    record = read(folder)
    started = {s.program.name: s.process for s in record.started} if record else {}
    for name, process in started.items():
        if name not in STOPPED_LAST:
            processes.stop(process, 0)
    # After a reboot the note in /run is gone, and so is nearly all of the node.
    whole = node.held_by(folder) or (node.holder() is None and record is not None and record.mode == WHOLE)
    if whole:
        node.stop_containers(folder, places.binaries)
    for name in STOPPED_LAST:
        if name in started:
            processes.stop(started[name], 0)
    processes.kill_all(processes.strays(places.binaries, folder))
    if whole:
        node.clean(folder)
    node.refuse_to_delete_mounts(folder)
    if folder.exists():
        shutil.rmtree(folder)
    if whole:
        node.release_machine()
    PortRegistry(places.clusters).release(folder.name)


def restart_program(name: str, folder: Path) -> Record:
    """Start a recorded program again as it was started first."""
    record = read(folder)
    started = record.find(name) if record else None
    if record is None or started is None:
        raise DevclusterError(f"there is no {name} in {folder}")
    starter = Starter(folder, replace(record))
    starter.start(started.program)
    return starter.record
