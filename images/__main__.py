"""`python -m images build`: an image as an archive (or in a registry), skipped when nothing changed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from images.inputs import CONTENTS, ROOT, key
from images.shell import BuildError, RealShell
from images.tools import Order, choose

NAMES = {"runtime": "localhost/gsc-sync-operator:dev", "demo": "localhost/gsc-sync-operator-demo:dev"}


@click.group()
def main() -> None:
    """Build the images of gsc-sync-operator."""


@main.command()
@click.option(
    "--target", type=click.Choice(sorted(CONTENTS)), default="runtime", show_default=True, help="Which image."
)
@click.option("--tag", "name", help="Name and tag of the image. [default: localhost/gsc-sync-operator:dev]")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Archive to write. [default: .build/TARGET.tar]"
)
@click.option("--push", help="Push under this name instead of writing an archive, such as HOST/PATH:TAG.")
@click.option("--base-image", help="Image to build on; any with python3 and venv.")
@click.option(
    "--tool",
    type=click.Choice(["buildah", "docker", "podman"]),
    help="What to build with. [default: what is there]",
)
@click.option("--verbose", is_flag=True, help="Show what the tools say.")
def build(
    target: str,
    name: str | None,
    output: Path | None,
    push: str | None,
    base_image: str | None,
    tool: str | None,
    *,
    verbose: bool,
) -> None:
    """Build one image and print where it is."""
    started = time.monotonic()
    name = name or NAMES[target]
    output = None if push else (output or ROOT / ".build" / f"{target}.tar")
    wanted = key(target, name, base_image or "", tool or "")
    stamp = output.with_name(f"{output.name}.key") if output else None
    if output and stamp and output.exists() and stamp.exists() and stamp.read_text() == wanted:
        print(f"{target}: unchanged, {output}")
        return
    shell = RealShell(verbose)
    try:
        if output and stamp:
            output.parent.mkdir(parents=True, exist_ok=True)
            stamp.unlink(missing_ok=True)
        choose(shell, tool).build(Order(target, name, output, push, base_image, revision=wanted[:12]))
        if stamp:
            # Dying before this line means building once more, which the layers make cheap.
            stamp.write_text(wanted)
    except BuildError as error:
        sys.exit(f"images: {error}")
    print(f"{target}: built in {time.monotonic() - started:.1f} s, {output or push}")


if __name__ == "__main__":
    main()
