"""Where the demo runs: on a cluster made on this machine, or on one's own with images pushed to a registry."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from demo import definition
from demo.kubectl import CommandError, Kubectl
from demo.stage import Images, Stage
from devcluster.api import Cluster, DevclusterError, clients, preflight

ROOT = Path(__file__).resolve().parent.parent
NAME = "demo"
LOCAL = Images("localhost/gsc-sync-operator:dev", "localhost/gsc-sync-operator-demo:dev")

Say = Callable[[str], None]


class CannotRunError(RuntimeError):
    """The demo cannot run here; the message says why and names the other way."""


def needs(*, own: bool) -> str:
    """What will be needed and done, before anything is."""
    if own:
        return (
            "This will build two images with docker, podman or buildah, push them to your registry, and install\n"
            "a namespace, a CRD and a Helm release on your cluster. `make demo-down CONTEXT=...` removes them;\n"
            "the CRD stays while there are schedules of others. A cluster with a CRD of somebody else is refused."
        )
    report = preflight(whole=True, images=True)
    return f"This will set up a Kubernetes on this machine and run the demo in it (about 4 minutes, plus a first build):\n{report.text()}"


def is_up() -> bool:
    """Whether the cluster made here runs."""
    return Cluster.find(NAME) is not None


def made_here(namespace: str, say: Say) -> Stage:
    """A stage on the cluster of this machine, brought up with its images loaded if need be."""
    report = preflight(whole=True, images=True)
    if report.problems and Cluster.find(NAME) is None:
        raise CannotRunError(
            f"{report.problems[0]}. With a cluster of your own: make demo CONTEXT=name REGISTRY=host/path"
        )
    try:
        running = Cluster.find(NAME)
        if running is None:
            say("starting a Kubernetes")
            running = Cluster.up(NAME, say=say)
        say("building the images")
        archives = [build(target) for target in ("runtime", "demo")]
        say("loading the images")
        running.load_image(*archives)
        tools = clients(say)
    except DevclusterError as error:
        raise CannotRunError(str(error)) from error
    return Stage(Kubectl(tools.kubectl, tools.helm, namespace, running.kubeconfig), LOCAL)


def own(context: str, registry: str, namespace: str, say: Say) -> Stage:
    """A stage on the person's own cluster, the images pushed below `registry`."""
    there = tools_of_person(context, namespace)
    try:
        definition.refuse_another(there)
    except definition.TakenError as error:
        raise CannotRunError(str(error)) from error
    images = Images(f"{registry}/gsc-sync-operator:dev", f"{registry}/gsc-sync-operator-demo:dev")
    for target, name in (("runtime", images.runtime), ("demo", images.demo)):
        say(f"building and pushing {name}")
        build(target, "--push", name)
    return Stage(there, images)


def tools_of_person(context: str, namespace: str) -> Kubectl:
    kubectl, helm = shutil.which("kubectl"), shutil.which("helm")
    if kubectl is None or helm is None:
        raise CannotRunError("kubectl and helm must be on the PATH to use your own cluster")
    return Kubectl(Path(kubectl), Path(helm), namespace, context=context)


def build(target: str, *options: str) -> Path:
    """Build one image (skipped when nothing changed); its archive."""
    done = subprocess.run(
        [sys.executable, "-m", "images", "build", "--target", target, *options], cwd=ROOT, check=False
    )
    if done.returncode != 0:
        raise CannotRunError(f"the {target} image could not be built; the builder's words stand above")
    return ROOT / ".build" / f"{target}.tar"


def remove(context: str, namespace: str, say: Say) -> None:
    if context:
        stage = Stage(tools_of_person(context, namespace), LOCAL)
        say("removing the release and the namespace")
        try:
            stage.remove()
        finally:
            definition.remove(stage.kubectl, say)
        return
    running = Cluster.find(NAME)
    if running is None:
        say("nothing is up")
        return
    try:
        running.down()
    except DevclusterError as error:
        raise CommandError(str(error)) from error
    say("the cluster and everything in it are gone; what was built stays in the cache")
