"""No tracked file names a package registry's host or a path of the machine it was written on.

Mirrors are a matter of the machine that builds, and a path of one machine means nothing on another. The names looked
for are put together from parts here, so that this file passes its own test.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOSTS = (
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"),
    ("proxy", "golang", "org"), ("sum", "golang", "org"), ("docker", "io"), ("docker", "com"), ("ghcr", "io"), ("quay", "io"),
    ("gcr", "io"), ("registry", "k8s", "io"), ("mcr", "microsoft", "com"), ("public", "ecr", "aws"), ("pkg", "dev"),
    ("deb", "debian", "org"), ("security", "debian", "org"), ("archive", "ubuntu", "com"), ("crates", "io"),
    ("dl", "k8s", "io"), ("get", "helm", "sh"),
)  # fmt: skip
FOLDERS = ("work", "root")
FORBIDDEN = re.compile(
    rb"(?:(?<![a-z0-9-])(?:%s)(?![a-z0-9-]))|(?:(?<![\w/.})~-])/(?:%s)(?![\w-]))"
    % (
        b"|".join(rb"\.".join(part.encode() for part in host) for host in HOSTS),
        b"|".join(folder.encode() for folder in FOLDERS),
    ),
    re.IGNORECASE,
)


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    files = tracked()
    assert ROOT / "pyproject.toml" in files
    found = [
        f"{file.relative_to(ROOT)}:{number}: {match[0].decode()}"
        for file in files
        for number, line in enumerate(file.read_bytes().splitlines(), start=1)
        for match in FORBIDDEN.finditer(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("parts", "joint"),
    [
        (("files", "pythonhosted", "org"), "."),
        (("registry-1", "docker", "io"), "."),
        (("", "work", "x"), "/"),
        (("", "root"), "/"),
    ],
    ids=["python", "images", "folder", "home"],
)
def test_the_check_itself_sees_them(parts: tuple[str, ...], joint: str) -> None:
    assert FORBIDDEN.search(f"a line with {joint.join(parts)} in it".encode())


@pytest.mark.parametrize(
    "text",
    [
        "a/work/b",
        "https://example.com/root.pem",
        "workspaces/acme",
        "/workspaces",
        "kubectl.docs.kubernetes.io",
        "run/rootfs",
    ],
)
def test_the_check_leaves_other_text_alone(text: str) -> None:
    assert FORBIDDEN.search(text.encode()) is None
