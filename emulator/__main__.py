"""`python -m emulator`: the stand-in as a program of its own.

Prints one JSON line with its URL when it is ready, then serves until it is told to end.
"""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import click
import yaml
from pydantic import ValidationError

from emulator.api import Api
from emulator.clock import Clock
from emulator.config import Config, default_config, load
from emulator.control import ALL_DIMENSIONS, RULES
from emulator.faults import Rule
from emulator.keys import Keys
from emulator.server import Service, start


@click.command(context_settings={"max_content_width": 110})
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 in a container."
)
@click.option("--port", default=0, show_default=True, help="0 takes a free one.")
@click.option(
    "--config",
    "config_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML or JSON with accounts, properties and quotas. Without it: 3 accounts, 6 properties.",
)
@click.option(
    "--seed", type=int, help="Replaces the configuration's seed; the same seed gives the same rows."
)
@click.option(
    "--now", "now_text", help="Freezes the calendar, for example 2026-03-01T12:00:00Z. Default: real time."
)
@click.option("--ticking", is_flag=True, help="With --now: let the calendar run on from there.")
@click.option(
    "--keys",
    "keys_path",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the keys of the service accounts; shared with `python -m emulator.credentials`.",
)
@click.option(
    "--faults",
    "faults_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML or JSON list of fault rules that hold from the start.",
)
@click.option("--latency-ms", type=click.FloatRange(min=0), help="Waits this long before each answer.")
@click.option(
    "--cache-megabytes", type=click.IntRange(min=1), help="Bounds the memory of rows and prepared pages."
)
@click.option(
    "--warm", type=click.IntRange(min=0), default=0, help="Prepares the pages of this many days first."
)
@click.option("--dump-config", is_flag=True, help="Prints the configuration as JSON and ends.")
def main(
    host: str,
    port: int,
    config_path: Path | None,
    seed: int | None,
    now_text: str | None,
    ticking: bool,  # noqa: FBT001 - click passes options by name
    keys_path: Path | None,
    faults_path: Path | None,
    latency_ms: float | None,
    cache_megabytes: int | None,
    warm: int,
    dump_config: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """A stand-in for the Search Console API, with a token endpoint and scripted faults.

    \b
    Steered by HTTP below /_emulator/: health, config, clock, faults, requests,
    credentials/NAME?url=..., accounts/NAME, latency, tokens/expire, warm.
    See emulator/README.md.
    """
    config = _config(config_path)
    changes = {"seed": seed, "latency_ms": latency_ms, "cache_megabytes": cache_megabytes}
    given = {name: value for name, value in changes.items() if value is not None}
    config = Config.model_validate(config.model_dump() | given)
    if dump_config:
        click.echo(config.model_dump_json(indent=2))
        return
    clock = _clock(now_text, ticking=ticking)
    api = Api(config, clock, Keys(config, keys_path))
    if faults_path:
        api.script.replace(_rules(faults_path))
    asyncio.run(_serve(api, host, port, warm))


def _rules(path: Path) -> list[Rule]:
    try:
        return RULES.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise click.BadParameter(str(error), param_hint="--faults") from error


def _config(path: Path | None) -> Config:
    try:
        return load(path) if path else default_config()
    except (ValidationError, yaml.YAMLError) as error:
        raise click.BadParameter(str(error), param_hint="--config") from error


def _clock(text: str | None, *, ticking: bool) -> Clock:
    if text is None:
        return Clock()
    try:
        now = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--now") from error
    if now.tzinfo is None:
        raise click.BadParameter("needs an offset or Z", param_hint="--now")
    if not ticking:
        return Clock(now)
    clock = Clock()
    clock.shift(now - datetime.now(UTC))
    return clock


async def _serve(api: Api, host: str, port: int, warm: int) -> None:
    if warm:
        await asyncio.to_thread(api.warm, warm, ALL_DIMENSIONS)
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    runner, url = await start(Service(api, api.config.latency_ms), host, port)
    click.echo(
        json.dumps({"url": url, "seed": api.config.seed, "accounts": [a.name for a in api.config.accounts]})
    )
    try:
        await end.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
