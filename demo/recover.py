"""Recover: three times something is down, and a person watches what becomes of the work.

1. The operator is down when a slot comes due. 2. Google does not answer while a run is under way. 3. The operator is
restarted while a run waits for its retry. Each story ends with what must hold: one Job for each launch, nothing lost, nothing
done twice. Works on the cluster of `up`, with a schedule of its own, which it takes away again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from demo import scenario
from demo.stage import Stage

NAME = "recovery"
OPERATOR = "app.kubernetes.io/component=operator"
PATIENCE = 240.0


class NotRecoveredError(AssertionError):
    """What was promised did not come true."""


@dataclass(slots=True)
class Recovery:
    stage: Stage
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def play(self) -> None:
        """All three stories. Raises NotRecoveredError."""
        try:
            self.down_at_the_due_time()
            self.google_down()
            self.restart_with_a_waiting_run()
        finally:
            self._google(up=True)
            self._operator(up=True)
            self.stage.kubectl.run("delete", "gscsync", NAME, "--ignore-not-found")

    def down_at_the_due_time(self) -> None:
        self.say("1. the operator is down when a slot comes due")
        self.stage.schedules(scenario.schedule(NAME, credentials="acme-google", run_on_create=False))
        self._set(schedule="* * * * *", timeoutSeconds=60)
        self._until("a first slot has run", lambda: self._counter("succeeded") >= 1)
        self.say("   taking the operator away, for two slots")
        self._operator(up=False)
        before = self._status()
        missed_from = before["lastScheduleTime"]
        self.sleep(130)
        self.say("   bringing it back")
        self._operator(up=True)
        self._until(
            "the newest slot has run", lambda: self._counter("succeeded") > before["counters"]["succeeded"]
        )
        self._set(suspend=True)
        after = self._status()
        passed = after["counters"]["slotsCoalesced"] - before["counters"]["slotsCoalesced"]
        self._hold("a slot that passed meanwhile stands in the books as coalesced", passed >= 1)
        self._hold("it ran for a newer slot than before", after["lastScheduleTime"] > missed_from)
        self._one_job_each()

    def google_down(self) -> None:
        self.say("2. Google does not answer while a run is under way")
        self._set(suspend=False, schedule="0 0 1 1 *")
        self._google(up=False)
        before = self._counter("retries")
        self._run_now("google-down")
        self._until("the first attempt has failed and the run waits", lambda: self._state() == "Retrying")
        self.say(f"   {self._status()['message']}")
        self._google(up=True)
        self._until("the retry has succeeded", lambda: self._newest() == ("Manual", "Succeeded"))
        self._hold("the retry is counted", self._counter("retries") > before)
        self._one_job_each()

    def restart_with_a_waiting_run(self) -> None:
        self.say("3. the operator is restarted while a run waits for its retry")
        self.stage.kubectl.run("annotate", "--overwrite", "gscsync", NAME, "gscsync.io/run-now-")
        self._set(retry={"maxAttempts": 5, "backoff": {"type": "Fixed", "baseSeconds": 40}})
        self._google(up=False)
        finished = self._counter("runs")
        # A second run by hand within an hour of a successful one is refused, so this one comes from the clock.
        self._set(schedule="* * * * *")
        self._until("an attempt has failed and the run waits", lambda: self._state() == "Retrying")
        self._set(suspend=True)
        waiting = self._status()["currentRun"]
        self.say(f"   run {waiting['id']} waits until {waiting['notBefore']}; killing the operator")
        self.stage.kubectl.run("delete", "pod", "-l", OPERATOR, "--grace-period=0", "--force")
        self._google(up=True)
        self._operator(up=True)
        self._set(suspend=False, schedule="0 0 1 1 *")
        self._until("the run has ended", lambda: self._counter("runs") > finished)
        newest = self._status()["history"][0]
        self._hold(
            "it is the run that waited, and it succeeded",
            (newest["id"], newest["outcome"]) == (waiting["id"], "Succeeded"),
        )
        self._hold("no attempt was lost or doubled", newest["attempts"] == waiting["attempt"])
        self._one_job_each()

    # -- hands and eyes -------------------------------------------------------------------------------------------------

    def _operator(self, *, up: bool) -> None:
        name = self.stage.kubectl.get("deployments", "-l", OPERATOR)["items"][0]["metadata"]["name"]
        self._scale(name, up=up)

    def _google(self, *, up: bool) -> None:
        self._scale("search-console", up=up)

    def _scale(self, name: str, *, up: bool) -> None:
        self.stage.kubectl.run("scale", f"deployment/{name}", f"--replicas={int(up)}")
        if up:
            self.stage.kubectl.run("rollout", "status", f"deployment/{name}", "--timeout=120s", timeout=150)
        else:
            selector = self.stage.kubectl.get("deployment", name)["spec"]["selector"]["matchLabels"]
            labels = ",".join(f"{key}={value}" for key, value in selector.items())
            self._until(f"{name} is down", lambda: not self.stage.kubectl.get("pods", "-l", labels)["items"])

    def _set(self, **spec: Any) -> None:
        self.stage.kubectl.run("patch", "gscsync", NAME, "--type=merge", "-p", json.dumps({"spec": spec}))

    def _run_now(self, token: str) -> None:
        self.stage.kubectl.run("annotate", "--overwrite", "gscsync", NAME, f"gscsync.io/run-now={token}")

    def _status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.kubectl.get("gscsync", NAME).get("status") or {}
        return found

    def _counter(self, name: str) -> int:
        return int((self._status().get("counters") or {}).get(name, 0))

    def _state(self) -> str:
        return str((self._status().get("currentRun") or {}).get("state", ""))

    def _newest(self) -> tuple[str, str]:
        history = self._status().get("history") or [{}]
        return str(history[0].get("trigger", "")), str(history[0].get("outcome", ""))

    def _one_job_each(self) -> None:
        jobs = self.stage.kubectl.get("jobs", "-l", f"gscsync.io/schedule={NAME}")["items"]
        launches = [
            tuple(job["metadata"]["labels"][f"gscsync.io/{key}"] for key in ("run", "launch")) for job in jobs
        ]
        self._hold("each launch has one Job", len(launches) == len(set(launches)))

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        end = self.clock() + PATIENCE
        while not holds():
            if self.clock() > end:
                raise NotRecoveredError(
                    f"not within {PATIENCE:.0f} s: {what}; {self._status().get('message')}"
                )
            self.sleep(0.5)
        self.say(f"   {what}")

    def _hold(self, what: str, truth: bool) -> None:  # noqa: FBT001 - reads as a sentence
        if not truth:
            raise NotRecoveredError(f"not true: {what}")
        self.say(f"   ok: {what}")
