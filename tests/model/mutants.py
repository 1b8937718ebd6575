"""Mutants: controllers with one bug each, of the kind that operators really have. The model check must find every one.

A mutant is a change of source text in a copy of the packages, explored there by a process of its own. When the text to
be changed is not found exactly once, the mutant fails loudly: then the code has moved on and the mutant must follow.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.model.__main__ import say

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("controller", "contract", "tests/model")
STATES = 2_000
"""So much of its story is explored, and each leaf brought to rest; a mutant not found by then has survived."""


class AnchorNotFoundError(Exception):
    """The text that a mutant changes is not there, or there more than once."""


@dataclass(frozen=True)
class Change:
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    name: str
    story: str
    """The story in which it is to be found."""
    promises: tuple[str, ...]
    """Any of these must be found broken; another broken promise is a find too, but a surprise."""
    changes: tuple[Change, ...]
    states: int = STATES


@dataclass(frozen=True)
class Verdict:
    mutant: Mutant
    promise: str
    """'' when it survived."""
    states: int
    seconds: float
    way: tuple[str, ...]


MUTANTS = (
    Mutant(
        "no adoption on 409",
        "leaders",
        (
            "deletes only what the status dooms",
            "counters equal a recount",
            "no two launches run at once",
            "every slot is accounted for",
        ),
        (
            Change(
                "controller/act/launcher.py",
                "if job is not None and job.is_launch(schedule.uid, launch.run_id, launch.launch):",
                "if job is not None and job.is_launch('', launch.run_id, launch.launch):",
            ),
        ),
    ),
    Mutant(
        "counts twice",
        "outcomes",
        ("counters equal a recount", "books balance"),
        (
            Change(
                "controller/decide/draft.py",
                "        self.change(active=tuple(item for item in self.status.active if item != active))\n"
                "        self.ended.append(",
                "        self.ended.append(",
            ),
        ),
    ),
    Mutant(
        "watermark falls",
        "users",
        ("the watermark never goes back",),
        (
            Change(
                "controller/decide/epoch.py",
                "draft.change(effective_since=draft.at, waiting=())",
                "draft.change(effective_since=draft.at, waiting=(), watermark=None)",
            ),
        ),
    ),
    Mutant(
        "retry forgotten on restart",
        "crashes",
        ("every run comes to an end", "failures are retried", "counters equal a recount"),
        (
            Change(
                "controller/decide/decide.py",
                "        return Decision(status=status)\n",
                "        return Decision(status=status)\n    if status.current and status.current.state is RunState.RETRYING:\n"
                "        status = replace(status, current=None)\n",
            ),
        ),
    ),
    Mutant(
        "stale read before a create",
        "stale leaders",
        ("no two launches run at once", "counters equal a recount"),
        (
            Change(
                "controller/decide/decide.py",
                "    if schedule.deleting:\n",
                "    jobs_fresh = True\n    if schedule.deleting:\n",
            ),
        ),
    ),
    Mutant(
        "delete without UID",
        "overdue",
        ("deletes only its own",),
        (
            Change(
                "controller/act/launcher.py",
                "await self._cluster.delete_job(namespace, name, uid)",
                "await self._cluster.delete_job(namespace, name, '')",
            ),
        ),
        states=4_000,
    ),
    Mutant(
        "snooze uses an attempt",
        "outcomes",
        ("only failures use attempts", "attempts within the limit"),
        (
            Change(
                "controller/decide/retry.py",
                "return Wait(wake, run.attempt, RunState.SNOOZED)",
                "return Wait(wake, run.attempt + 1, RunState.SNOOZED)",
            ),
        ),
    ),
    Mutant(
        "superseded run still launches",
        "users",
        ("closed runs stay closed",),
        (
            Change(
                "controller/decide/draft.py",
                "            self._set_runs(item for item in self.status.runs if item.run_id != old.run_id)\n",
                "            self._set_runs((*self.status.runs, old) if old.launch else"
                " (item for item in self.status.runs if item.run_id != old.run_id))\n",
            ),
        ),
    ),
    Mutant(
        "second leader trusted",
        "leaders",
        (
            "counters never fall",
            "no two launches run at once",
            "counters equal a recount",
            "one Job per launch",
        ),
        (
            Change(
                "controller/act/status_writer.py",
                "schedule.namespace, schedule.name, schedule.resource_version, body",
                "schedule.namespace, schedule.name, '', body",
            ),
        ),
    ),
    Mutant(
        "old knowledge trusted after a take-over",
        "standing by",
        ("suspended starts nothing", "one Job per launch"),
        (
            Change(
                "controller/intake.py",
                "        schedule_news(await cluster.get_schedule(schedule.namespace, schedule.name)).put(table)\n",
                "        await cluster.get_schedule(schedule.namespace, schedule.name)\n",
            ),
        ),
    ),
    Mutant(
        "a debt outlives another's write",
        "crowded",
        ("counters equal a recount", "no two launches run at once", "every slot is accounted for"),
        (
            Change(
                "controller/owed.py",
                "if owed is not None and owed.entry.schedule.resource_version != entry.schedule.resource_version:",
                "if owed is None:",
            ),
        ),
    ),
    Mutant(
        "event lost for ever",
        "stale",
        ("a resync finds everything", "counters equal a recount"),
        (
            Change(
                "controller/table.py",
                "        for uid in ghosts:\n            self.drop_job(uid)\n",
                "        for uid in ():\n            self.drop_job(uid)\n",
            ),
        ),
    ),
    Mutant(
        "cancel forgotten on restart",
        "cancelled",
        (
            "a cancelled run ends as cancelled",
            "a wish to cancel is followed",
            "cancelled runs are launched no more",
        ),
        (
            Change(
                "controller/decide/decide.py",
                "    if schedule.deleting:\n",
                "    known = (replace(it, doomed='') if it.doomed == 'Cancelled' else it for it in status.active)\n"
                "    status = replace(status, active=tuple(known))\n    if schedule.deleting:\n",
            ),
        ),
    ),
    Mutant(
        "cancelled run is retried",
        "cancelled while replaced",
        ("cancelled runs are launched no more", "a cancelled run ends as cancelled"),
        (
            Change(
                "controller/decide/verdict.py",
                "    CANCELLED: Outcome.CANCELLED,\n",
                "    CANCELLED: Outcome.FAILED,\n",
            ),
        ),
    ),
    Mutant(
        "retry by hand counted twice",
        "once more",
        ("attempts within the limit",),
        (
            Change(
                "controller/decide/manual.py",
                "granted=max(0, record.attempts + 1 - draft.policy.max_attempts)",
                "granted=max(0, record.attempts + 2 - draft.policy.max_attempts)",
            ),
        ),
    ),
    Mutant(
        "retry by hand followed twice",
        "once more",
        ("one wish makes one attempt",),
        (
            Change(
                "controller/decide/manual.py",
                '        remember(draft, ask.hashed)\n        draft.note("Retrying"',
                '        draft.note("Retrying"',
            ),
        ),
    ),
    Mutant(
        "retry by hand launched at once",
        "once more",
        ("closed runs stay closed", "counters equal a recount", "no two launches run at once"),
        (
            Change(
                "controller/decide/admit.py",
                "                if ask.kind == manual.RETRY:\n",
                "                if ask.kind == '':\n",
            ),
        ),
    ),
    Mutant(
        "run by hand named by its time",
        "asked twice",
        ("one wish makes one run", "closed runs stay closed"),
        (
            Change(
                "controller/decide/manual.py",
                "run_id=run_id_of_token(wish.token)",
                'run_id=run_id_of_token(f"{wish.token} {draft.at}")',
            ),
        ),
    ),
    Mutant(
        "what is being deleted has left its queue",
        "queued",
        ("a queue keeps its limit",),
        (
            Change(
                "controller/queues.py",
                "if job.state is JobState.ACTIVE and entry",
                "if job.state is JobState.ACTIVE and not job.deleting and entry",
            ),
        ),
    ),
    Mutant(
        "retry jumps its queue",
        "queued",
        ("a queue keeps its limit", "a paused queue starts nothing"),
        (
            Change(
                "controller/decide/admit.py",
                "        if queued:\n            _queue",
                "        if queued and not run.launch:\n            _queue",
            ),
            Change(
                "tests/model/line.py",
                '            assert work.decision.launch is None, "launched although its queue has no room"\n',
                "",
            ),
        ),
    ),
    Mutant(
        "drain replaces what runs",
        "switched off",
        ("the switch ends nothing but by stop",),
        (
            Change(
                "controller/decide/admit.py",
                "may_start = draft.site.mode is not Mode.DRAIN and not queued",
                "may_start = not queued",
            ),
        ),
    ),
    Mutant(
        "replace asks no queue",
        "replaced in a queue",
        ("a queue without a place ends nothing",),
        (
            Change(
                "controller/decide/admit.py",
                "may_start = draft.site.mode is not Mode.DRAIN and not queued",
                "may_start = draft.site.mode is not Mode.DRAIN",
            ),
        ),
    ),
    Mutant(
        "stop uses an attempt",
        "switched",
        ("only failures use attempts", "failures are retried", "counters equal a recount"),
        (
            Change(
                "controller/decide/verdict.py",
                "    STOPPED: Outcome.LOST,\n",
                "    STOPPED: Outcome.FAILED,\n",
            ),
        ),
    ),
    Mutant(
        "the best shard speaks",
        "divided",
        ("a run succeeds only when all its pods do",),
        (
            Change(
                "controller/model/shards.py",
                "    worst = max(pods, key=_badness)\n",
                "    worst = min(pods, key=_badness)\n",
            ),
        ),
    ),
    Mutant(
        "half the shards are enough",
        "divided",
        ("a run succeeds only when all its pods do", "counters equal a recount"),
        (
            Change(
                "controller/model/shards.py",
                "whole = len(pods) == shards and all(",
                "whole = all(",
            ),
            Change(
                "controller/model/shards.py",
                "    pods = [pod for pod in pods if pod.shard < max(shards, 1)]\n",
                "    pods = [pod for pod in pods if pod.shard < max(shards, 1) and _ended(pod)]\n",
            ),
        ),
    ),
)


def mutate(mutant: Mutant, root: Path) -> None:
    """Change the copy of the packages under that folder."""
    for change in mutant.changes:
        path = root / change.file
        text = path.read_text()
        found = text.count(change.old)
        if found != 1:
            raise AnchorNotFoundError(
                f"mutant '{mutant.name}': its text is {found} times in {change.file}, not once:\n{change.old}"
            )
        path.write_text(text.replace(change.old, change.new))


def judge(mutant: Mutant) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        for package in PACKAGES:
            shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
        mutate(mutant, root)
        figures = root / "figures.json"
        done = subprocess.run(
            [sys.executable, "-m", "tests.model", "--story", mutant.story, "--states", str(mutant.states),
             "--workers", "1", "--rest-every", "1", "--json", str(figures)],
            cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not figures.exists():
            raise RuntimeError(f"mutant '{mutant.name}' could not be explored:\n{done.stderr[-2000:]}")
        [report] = json.loads(figures.read_text())
    finding = report["findings"][0] if report["findings"] else {"promise": "", "way": []}
    return Verdict(mutant, finding["promise"], report["states"], report["seconds"], tuple(finding["way"]))


def table(verdicts: list[Verdict]) -> str:
    lines = [f"{'mutant':40} {'found in':24} {'by the promise':39} {'steps':>5} {'states':>7} {'cpu s':>6}"]
    lines += [
        f"{it.mutant.name:40} {it.mutant.story:24} {it.promise or 'SURVIVED':39} {len(it.way):5} {it.states:7,} {it.seconds:6.1f}"
        for it in verdicts
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model.mutants", description=__doc__)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--ways", action="store_true", help="also print the way to each broken promise")
    parser.add_argument("name", nargs="*", help="only these mutants")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not arguments.name or mutant.name in arguments.name]
    with ThreadPoolExecutor(arguments.workers) as pool:
        verdicts = list(pool.map(judge, chosen))
    say(table(verdicts))
    for it in verdicts if arguments.ways else ():
        say(
            "\n".join(
                (
                    f"\n{it.mutant.name}: {it.promise}",
                    *(f"  {n:2} {step}" for n, step in enumerate(it.way, 1)),
                )
            )
        )
    survivors = [it.mutant.name for it in verdicts if not it.promise]
    say(f"\n{len(verdicts) - len(survivors)} of {len(verdicts)} mutants found")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
