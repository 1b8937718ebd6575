"""The commands. Each does one thing, says on stderr what it does, and prints on stdout only what was asked for.

Exit codes: 0 done (also when there was nothing to do), 1 it failed and said why, 2 wrong usage, 3 (status) not up.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from devcluster import cluster, node, preflight, recipe
from devcluster.build import ensure_binaries
from devcluster.cluster import Wish
from devcluster.errors import DevclusterError
from devcluster.places import Places
from devcluster.processes import memory_mb
from devcluster.record import read
from devcluster.tools import ensure_clients

DEFAULT = "default"
name_option = click.option(
    "--name", default=DEFAULT, show_default=True, help="Which cluster; several may exist."
)


def say(text: str) -> None:
    click.echo(f"devcluster: {text}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """A real Kubernetes on this Linux machine, without Docker.

    \b
    A whole cluster, with pods that run (root; one per machine):
        python -m devcluster up
        export KUBECONFIG=$(python -m devcluster kubeconfig)
        python -m devcluster down

    \b
    A control plane with simulated pods (any user; several side by side):
        python -m devcluster up --control-plane --name mine

    The programs are built from source at the first use, which takes about 15 minutes on two cores, and kept in a
    cache. See devcluster/README.md.
    """


@commands.command()
@name_option
@click.option("--control-plane", is_flag=True, help="No real node: pods are simulated. Needs no root.")
@click.option(
    "--controller-qps",
    type=click.FloatRange(min=1),
    help="Requests per second of the controller manager (its own default: 20).",
)
@click.option(
    "--simulated-node/--no-simulated-node",
    default=None,
    help="A kwok node for simulated pods; default: only with --control-plane. Beside a real node it is tainted.",
)
def up(*, name: str, control_plane: bool, controller_qps: float | None, simulated_node: bool | None) -> None:
    """Start a cluster. When it is up already, say so."""
    simulated = control_plane if simulated_node is None else simulated_node
    wish = Wish(name=name, whole=not control_plane, controller_qps=controller_qps, simulated=simulated)
    places = Places.here()
    cluster.up(wish, places, say)
    say(f"export KUBECONFIG={places.run_folder(name) / 'admin.kubeconfig'}")


@commands.command()
@name_option
@click.option("--all", "every", is_flag=True, help="All clusters of this user.")
def down(*, name: str, every: bool) -> None:
    """Stop a cluster and leave nothing of it. No cluster is a success too."""
    places = Places.here()
    for each in cluster.all_names(places) if every else [name]:
        say(f"{each} is gone" if cluster.down(each, places, say) else f"there is no cluster {each}")


@commands.command("load-image")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@name_option
def load_image(files: tuple[Path, ...], name: str) -> None:
    """Load images from OCI archives (FILE...) into the whole cluster."""
    places = Places.here()
    folder = _running(name, places)
    ctr = ensure_binaries([recipe.CONTAINERD], places, say).file(recipe.CONTAINERD, "ctr")
    if not node.held_by(folder):
        raise DevclusterError(f"{name} is a control plane without a real node: it cannot run images")
    for file in files:
        click.echo(node.load_image(ctr, folder, file).strip())


@commands.command()
@name_option
def kubeconfig(name: str) -> None:
    """Print the path of a cluster's kubeconfig."""
    click.echo(_running(name, Places.here()) / "admin.kubeconfig")


def _running(name: str, places: Places) -> Path:
    folder = places.run_folder(name)
    record = read(folder)
    if record is None or not record.complete:
        raise DevclusterError(f"{name} is not up; start it with `python -m devcluster up --name {name}`")
    return folder


@commands.command()
@click.option("--name", help="Only this one; exit code 3 when it is not up.")
def status(name: str | None) -> None:
    """Show clusters and their programs."""
    places = Places.here()
    names = [name] if name else cluster.all_names(places)
    console = Console(width=None if sys.stdout.isatty() else 120)
    down_ones = []
    for each in names:
        folder = places.run_folder(each)
        record = read(folder)
        if record is None:
            console.print(f"{each}: not up")
            down_ones.append(each)
            continue
        good = cluster.is_up(record, folder)
        if not good:
            down_ones.append(each)
        table = Table(
            "program",
            "pid",
            "MB",
            "state",
            title=f"{each}: {record.mode}, {'up' if good else 'BROKEN'}, {record.url}",
            title_justify="left",
        )
        for s in record.started:
            state = "runs" if s.process.alive() else "ENDED"
            table.add_row(s.program.name, str(s.process.pid), str(memory_mb(s.process.pid)), state)
        console.print(table)
        console.print(f"run folder: {folder}", soft_wrap=True)
    if not names:
        console.print("no cluster is up")
    if name and down_ones:
        sys.exit(3)


@commands.command()
@click.option("--control-plane", is_flag=True, help="Only what a control plane needs.")
def build(*, control_plane: bool) -> None:
    """Build the programs, or find that they are there."""
    places = Places.here()
    modules = recipe.FOR_CONTROL_PLANE if control_plane else recipe.FOR_CLUSTER
    binaries = ensure_binaries(modules, places, say)
    for folder in binaries.folders.values():
        click.echo(folder)


@commands.command()
def tools() -> None:
    """Print the paths of the pinned kubectl and helm, fetching them first if needed."""
    found = ensure_clients(Places.here(), say)
    click.echo(f"kubectl {found.kubectl}\nhelm {found.helm}")


@commands.command("preflight")
@click.option("--control-plane", is_flag=True, help="For a control plane only.")
def preflight_command(*, control_plane: bool) -> None:
    """Say what `up` will need and do, without changing anything; exit code 1 when it cannot run here."""
    report = preflight.preflight(whole=not control_plane)
    click.echo(report.text())
    if report.problems:
        sys.exit(1)


def main() -> None:
    try:
        commands(prog_name="python -m devcluster")
    except DevclusterError as error:
        say(str(error))
        sys.exit(1)
