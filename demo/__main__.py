"""`python -m demo up|recover|down`: the README's first command and its undoing."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
from rich.console import Console

from demo import cluster, scenario, show, watch
from demo.kubectl import CommandError
from demo.recover import NotRecoveredError, Recovery

NAMESPACE = "gsc-demo"
RUN_SECONDS = 240


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """See gsc-sync-operator work: a cluster, the chart, three schedules, rows in Postgres."""


@main.command()
@click.option(
    "--context", default="", help="Use this context of your own kubeconfig instead of a cluster made here."
)
@click.option("--registry", default="", help="With --context: push the images below this host/path.")
@click.option("--namespace", default=NAMESPACE, show_default=True)
def up(context: str, registry: str, namespace: str) -> None:
    """Set everything up, run three schedules and show what came of them. Asks nothing; safe to call again."""
    console, start = Console(soft_wrap=True), time.monotonic()

    def say(text: str) -> None:
        console.print(f"[bold]{time.monotonic() - start:5.0f} s[/]  {text}", highlight=False)

    if bool(context) != bool(registry):
        raise click.UsageError(
            "--context and --registry go together: the images must be pushed where that cluster can pull them"
        )
    console.print(cluster.needs(own=bool(context)), highlight=False)
    try:
        stage = (
            cluster.own(context, registry, namespace, say) if context else cluster.made_here(namespace, say)
        )
        scenario.deploy(stage, say)
        say(
            "waiting for three runs: one succeeds, one succeeds in part, one is told by Google to come back later"
        )
        say(
            f"(the cool-down after a load-quota refusal is shortened from 900 s to {scenario.COOLDOWN_SECONDS} s for this demo)"
        )
        finished = watch.wait(stage.kubectl, scenario.SCHEDULES, console, timeout=RUN_SECONDS)
        show.everything(stage, console)
    except (CommandError, cluster.CannotRunError) as error:
        console.print(f"\n[bold red]demo:[/] {error}", highlight=False, markup=True)
        sys.exit(1)
    if not finished:
        console.print(
            f"\ndemo: not every schedule finished a run within {RUN_SECONDS} s; the table above says where each stands"
        )
        sys.exit(1)
    show.explore(stage, console)
    say("done")


@main.command()
@click.option("--namespace", default=NAMESPACE, show_default=True)
def recover(namespace: str) -> None:
    """Take things down three times on the cluster made by `up`, and watch the work go on. About six minutes."""
    start = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - start:5.0f} s  {text}")

    if not cluster.is_up():
        raise click.ClickException("there is no demo to take things down in; run `make demo` first")
    try:
        Recovery(cluster.made_here(namespace, lambda _: None), say).play()
    except (CommandError, cluster.CannotRunError, NotRecoveredError) as error:
        raise click.ClickException(str(error)) from error
    say("all three recovered")


@main.command()
@click.option("--context", default="", help="The context given to `up`.")
@click.option("--namespace", default=NAMESPACE, show_default=True)
def down(context: str, namespace: str) -> None:
    """Take the demo away: the cluster made here with everything in it, or the namespace on one's own cluster,
    and its CRD unless others use it."""
    try:
        cluster.remove(context, namespace, click.echo)
    except (CommandError, cluster.CannotRunError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
