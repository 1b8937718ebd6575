"""How images are built: what makes a new build necessary, with what tool, on what base."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from images import base
from images.inputs import CONTENTS, RECIPE, cache, key
from images.shell import BuildError, RealShell
from images.tools import Buildah, Docker, Order
from tests.unit.packaging.shared import ROOT

CONTAINERFILE = (ROOT / "Containerfile").read_text()


class FakeShell:
    """Remembers commands; answers by what they contain; `failing` ones end as a real one does."""

    def __init__(self, failing: tuple[str, ...] = (), answers: Mapping[str, str] | None = None) -> None:
        self.commands: list[str] = []
        self._failing = failing
        self._answers = answers or {}

    def run(self, *command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
        text = " ".join(command)
        self.commands.append(text)
        if any(part in text for part in self._failing):
            raise BuildError(f"{text} failed")
        return next((answer for part, answer in self._answers.items() if part in text), "container\n")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with every place that goes into an image."""
    for place in {*RECIPE, *(part for parts in CONTENTS.values() for part in parts)}:
        path = tmp_path / place
        if path.suffix or place == "Containerfile" or place.startswith("."):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(place)
        else:
            path.mkdir(parents=True)
            (path / "__init__.py").write_text(place)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "runtime", "demo"),
    [
        pytest.param("controller/app.py", True, True, id="product code"),
        pytest.param("emulator/new.py", False, True, id="demo code"),
        pytest.param("requirements/prod.txt", True, True, id="product requirements"),
        pytest.param("requirements/demo.txt", False, True, id="demo requirements"),
        pytest.param("Containerfile", True, True, id="recipe"),
        pytest.param("controller/__pycache__/app.pyc", False, False, id="byte code"),
        pytest.param("images/wheels/x.whl", False, False, id="fetched wheels"),
        pytest.param("README.md", False, False, id="anything else"),
    ],
)
def test_only_what_is_inside_an_image_makes_it_new(
    checkout: Path, change: str, runtime: bool, demo: bool
) -> None:
    before = {target: key(target, root=checkout) for target in CONTENTS}
    (checkout / change).parent.mkdir(parents=True, exist_ok=True)
    (checkout / change).write_text("changed")
    assert (key("runtime", root=checkout) != before["runtime"]) == runtime
    assert (key("demo", root=checkout) != before["demo"]) == demo


def test_a_wish_is_part_of_the_key(checkout: Path) -> None:
    assert key("runtime", "name:1", root=checkout) != key("runtime", "name:2", root=checkout)


def test_the_cache_follows_the_users_environment() -> None:
    assert cache({"HOME": "/home/a"}) == Path("/home/a/.cache/gsc-sync-operator")
    assert cache({"HOME": "/home/a", "XDG_CACHE_HOME": "/x"}) == Path("/x/gsc-sync-operator")


def order(**changes: object) -> Order:
    return Order(**({"target": "runtime", "name": "localhost/a:1", "output": None} | changes))


def test_docker_and_podman_take_the_same_words(tmp_path: Path) -> None:
    for tool in ("docker", "podman"):
        shell = FakeShell()
        Docker(shell, tool).build(order(output=tmp_path / "a.tar", base_image="python:3.12"))
        build, save = shell.commands
        assert build.startswith(f"{tool} build --target runtime --build-arg BASE_IMAGE=python:3.12 ")
        assert save == f"{tool} save -o {tmp_path}/a.tar localhost/a:1"


def test_a_push_names_the_registry() -> None:
    shell = FakeShell()
    Docker(shell).build(order(push="r.example/team/a:1"))
    assert shell.commands[-2:] == [
        "docker tag localhost/a:1 r.example/team/a:1",
        "docker push r.example/team/a:1",
    ]


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


def test_a_base_that_was_asked_for_is_pulled_once(storage: Path) -> None:
    shell = FakeShell()
    assert (
        base.find(Buildah(shell, storage, "vfs"), "mirror.example/python:3.13")
        == "mirror.example/python:3.13"
    )
    assert not any(" pull " in command for command in shell.commands)
    shell = FakeShell(failing=("inspect",))
    base.find(Buildah(shell, storage, "vfs"), "mirror.example/python:3.13")
    assert any("pull --quiet mirror.example/python:3.13" in command for command in shell.commands)


def test_the_public_base_is_taken_where_it_can_be_pulled(storage: Path) -> None:
    assert base.find(Buildah(FakeShell(failing=("inspect",)), storage, "vfs"), None) == base.PUBLIC


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a base image")
def test_a_base_is_made_where_none_can_be_pulled(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = FakeShell(failing=("inspect", "pull"))
    assert base.find(Buildah(shell, storage, "vfs"), None) == base.recipe()
    assert any("debootstrap --variant=minbase" in command for command in shell.commands)
    assert shell.commands[-1].endswith("rm container"), "the working container goes, the image stays"
    assert f"commit --quiet container {base.recipe()}" in shell.commands[-2]
    assert "about a minute" in capsys.readouterr().out


def test_a_made_base_is_found_again(storage: Path) -> None:
    shell = FakeShell(failing=(f"{{{{.FromImageID}}}} {base.PUBLIC}",))
    assert base.find(Buildah(shell, storage, "vfs"), None) == base.recipe()
    assert not any("debootstrap" in command for command in shell.commands)


def test_a_failing_program_is_quoted() -> None:
    with pytest.raises(BuildError, match="code 3:\nwhy it failed"):
        RealShell().run("sh", "-c", "echo why it failed >&2; exit 3")
    with pytest.raises(BuildError, match="'no-such-program' is not installed"):
        RealShell().run("no-such-program")


def test_the_product_is_the_last_stage_and_so_the_default() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)", CONTAINERFILE, re.MULTILINE)
    assert stages[-1] == "runtime"
    runtime = CONTAINERFILE.split(" AS runtime")[1]
    assert "USER 65532:65532" in runtime
    assert "emulator" not in runtime
    assert "demo" not in runtime


def test_requirements_are_installed_by_hash() -> None:
    assert CONTAINERFILE.count("pip install") == CONTAINERFILE.count("--require-hashes") == 2


def test_docker_ignores_what_the_others_ignore() -> None:
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()
