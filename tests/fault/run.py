"""Run: one plan from an empty namespace to its verdict; and what a plan that failed leaves for a person to read."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.fault.load import load
from tests.fault.oracles import Evidence, judge, shape
from tests.fault.plan import Plan
from tests.fault.rig import ACCOUNT, Rig
from tests.fault.scene import Scene
from tests.fault.upheavals import UPHEAVALS
from tests.fault.workloads import WORKLOADS, Expected

STORIES = {**WORKLOADS, **UPHEAVALS, "load": load}
REFUSALS = re.compile(r"rights|revoke|namespace-away|server-|compacted")
"""Plans in which the operator is refused something: its rights are gone, or not yet known to a fresh API server."""
AUDIT_SETTLES = 0.2
SAMPLE = 10
"""Every tenth namespace is deleted, the others are swept and used again."""
CONVERGES_WITHIN = 45.0
"""After the last fault, in seconds; the longest back-off that a plan can bring about is half of it."""
ALWAYS_ALLOWED = ("operator.problem",)
"""What the operator says when it finds something missing; the plan took it away, or a start was cut short."""
EXPLAINED = re.compile(
    r"watch|list|version|reviews|leases|api-down|revoke|rights|crd|server|compacted|away|clock|poisoned"
)
"""Faults after which kopf and the operator may well log errors."""
BROKEN_STREAM = re.compile(r"error|garbage|null|half|unknown|status")
"""What a watch cannot read: kopf says what ended it, and the operator that it is started again, as no error."""


@dataclass(slots=True)
class Result:
    plan: Plan
    violations: list[str]
    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    """Exchanges and events, by name."""
    struck: int = 0
    """How often a fault took place."""
    places: int = 0
    """How many of the plan's faults took place."""
    shape: dict[str, Any] | None = None
    peak_mb: int = 0
    lives: int = 0
    slowest_stop: float = 0.0

    @property
    def vacuous(self) -> bool:
        """Not all of its faults came to pass: the plan proves less than it says."""
        return self.places < len(self.plan.faults)


async def run(rig: Rig, plan: Plan, reference: dict[str, Any] | None, failures: Path | None) -> Result:
    began = time.monotonic()
    namespace = await rig.room()
    folder = Path(tempfile.mkdtemp(dir=rig.folder))
    scene = Scene(rig, plan, namespace, folder)
    expected: dict[str, Expected] = {}
    problems, was_quiet = [], True
    try:
        await scene.open()
        try:
            async with asyncio.timeout(plan.patience):
                expected = await STORIES[plan.workload](scene)
        except TimeoutError:
            statuses = {name: it.get("status") for name, it in rig.mirror.views[namespace].schedules.items()}
            problems.append(
                f"O4: not converged within {plan.patience:.0f} s; statuses {json.dumps(statuses)[:3000]}"
            )
        else:
            await scene.proxy.settled()
            await converged(scene, reference, lambda: gather(scene, expected))
            was_quiet = await scene.quiet(plan.quiet)
    finally:
        await scene.close()
    await asyncio.sleep(AUDIT_SETTLES)
    evidence = replace(
        gather(scene, expected),
        ends=tuple(end for operator in scene.operators for end in operator.ends),
        was_quiet=was_quiet,
        bad_lines=tuple(bad_lines(scene)),
        reference=reference,
        problems=(*problems, *scene.problems, *(f"RIG: {it}" for it in scene.proxy.broken)),
    )
    touched = f"{plan.workload} {plan.faults}"
    result = Result(
        plan,
        judge(evidence),
        time.monotonic() - began,
        scene.proxy.counts,
        sum(scene.proxy.struck.values()),
        len(scene.proxy.struck),
        shape(evidence) if expected else None,
        max(operator.peak_mb for operator in scene.operators),
        sum(operator.lives for operator in scene.operators),
        max((stop for operator in scene.operators for stop in operator.stops), default=0.0),
    )
    if result.violations and failures is not None:
        keep(result, scene, evidence, failures)
    rig.leave(
        namespace,
        for_good=bool(result.violations or REFUSALS.search(touched) or next(rig.plans) % SAMPLE == 0),
    )
    shutil.rmtree(folder, ignore_errors=True)
    return result


def gather(scene: Scene, expected: dict[str, Expected]) -> Evidence:
    """What there is to be seen now."""
    view = scene.rig.mirror.views[scene.namespace]
    return Evidence(
        operator=f"system:serviceaccount:{scene.namespace}:{ACCOUNT}",
        audit=list(scene.rig.audit.of(scene.namespace)),
        expected=expected,
        made=scene.marks,
        schedules=dict(view.schedules),
        jobs=dict(view.jobs),
        refusals_allowed=bool(REFUSALS.search(f"{scene.plan.workload} {scene.plan.faults}")),
        held_creates=any(
            fault.on == "create jobs" and fault.do.startswith("hold") for fault in scene.plan.faults
        ),
    )


async def converged(scene: Scene, reference: dict[str, Any] | None, look: Callable[[], Evidence]) -> None:
    """Until the end state is that of an undisturbed run, or the time for it is over; the oracles then say which."""
    end = time.monotonic() + CONVERGES_WITHIN
    while reference is not None and time.monotonic() < end and shape(look()) != reference:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.5)


def bad_lines(scene: Scene) -> list[str]:
    """Errors and tracebacks in the operators' logs that the plan does not explain."""
    cause = f"{scene.plan.workload} {scene.plan.faults}"
    explained, broken = bool(EXPLAINED.search(cause)), bool(BROKEN_STREAM.search(cause))
    found = []
    for operator in scene.operators:
        stopping = False
        for line in operator.log_lines():
            try:
                said = json.loads(line)
            except ValueError:
                found.append(line)
                continue
            event, logger = said.get("event"), str(said.get("logger"))
            stopping = event == "operator.stopping" or (stopping and event != "operator.starting")
            if said.get("level") not in {"ERROR", "CRITICAL"} or event in ALWAYS_ALLOWED:
                continue
            # Stopping, kopf says what it was asked to leave undone; after such faults, what ended it.
            if (stopping or explained or broken) and logger.startswith("kopf."):
                continue
            if not explained or "Traceback" in line:
                found.append(line)
    return found


def keep(result: Result, scene: Scene, evidence: Evidence, failures: Path) -> None:
    """The plan file, which is the reproduction, and beside it all that may explain it."""
    folder = failures / result.plan.name.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(result.plan.to_json() + "\n")
    (folder / "violations.txt").write_text("\n".join(result.violations) + "\n")
    (folder / "trace.jsonl").write_text(scene.proxy.trace_json())
    with (folder / "audit.jsonl").open("w") as out:
        for it in evidence.audit:
            if it.is_write:
                out.write(json.dumps({"at": it.at.isoformat(), "user": it.user, "agent": it.agent[:24], "verb": it.verb,
                    "resource": f"{it.resource}/{it.subresource}", "name": it.name, "code": it.code,
                    "status": it.response.get("status")}) + "\n")  # fmt: skip
    for operator in scene.operators:
        for log in operator.log_files:
            if log.exists():
                shutil.copy(log, folder)
