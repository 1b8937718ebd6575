"""`python -m controller`: the operator. Configuration comes from GSC_OPERATOR_* variables alone."""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import os
import signal
import sys

import click
import prometheus_client

from contract import ExitCode
from controller.cluster.port import Refused
from controller.observe import logs
from controller.settings import ConfigurationError, load


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Serve GscSyncSchedules: start a Job for each due slot and keep the schedules' status.

    Without a command this is `run`. It is configured by GSC_OPERATOR_* environment variables.
    """
    if context.invoked_subcommand is None:
        context.invoke(run)


@main.command()
def run() -> None:
    """Serve until SIGTERM (default)."""
    # Until the loop has its own handler: what is asked to stop while it still begins holds nothing, and as process 1
    # of a container it would not even hear of it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = load(os.environ)
    except ConfigurationError as error:
        click.echo(f"bad configuration:\n{error}", err=True)
        raise SystemExit(ExitCode.CANCELLED) from None
    from controller import app  # noqa: PLC0415 - the Kubernetes client takes a second to load, and help needs none

    _calm_the_collector()
    logs.configure(settings.log_level)
    # They would be a second series for each counter, of no use to anybody here.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
    try:
        asyncio.run(app.serve(settings))
    except Refused as error:
        click.echo(f"bad configuration: {error}", err=True)
        raise SystemExit(ExitCode.CANCELLED) from None


def _calm_the_collector() -> None:
    """Look for cycles among what came since the start alone, and less often.

    The client's models and the table are hundreds of thousands of objects without cycles; going through them with every
    few hundred parsed bodies was a fifth of all work when many schedules are due.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


@main.command()
def version() -> None:
    """Print the version."""
    try:
        click.echo(importlib.metadata.version("gsc-sync-operator"))
    except importlib.metadata.PackageNotFoundError:
        click.echo("unknown: run from its sources, not installed")


if __name__ == "__main__":
    main()
