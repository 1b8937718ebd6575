"""Clusters side by side never share a port, whoever starts first and whatever else uses ports."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.ports import HIGH, LOW, PortRegistry, can_bind, choose


def test_the_first_free_ones_from_the_start_are_chosen() -> None:
    assert choose(3, {LOW + 1}, LOW, lambda port: port != LOW + 2) == [LOW, LOW + 3, LOW + 4]


def test_the_search_wraps_round_at_the_end_of_the_range() -> None:
    assert choose(2, set(), HIGH - 1, lambda _: True) == [HIGH - 1, LOW]


def test_a_range_without_room_is_said_in_a_sentence() -> None:
    with pytest.raises(DevclusterError, match="fewer than 1 free ports"):
        choose(1, set(), LOW, lambda _: False)


def test_a_port_with_a_listener_counts_as_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not can_bind(server.getsockname()[1])


def test_owners_get_different_ports_until_they_are_released(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    registry = PortRegistry(tmp_path)
    first, second = registry.take("a", 3), registry.take("b", 3)
    assert len({*first, *second}) == 6
    registry.release("a")
    assert set(json.loads((tmp_path / ".ports.json").read_text()).values()) == {"b"}


def test_ports_of_a_cluster_whose_folder_is_gone_are_free_again(tmp_path: Path) -> None:
    registry = PortRegistry(tmp_path)
    (tmp_path / "gone").mkdir()
    registry.take("gone", 1)
    (tmp_path / "gone").rmdir()
    (tmp_path / "new").mkdir()
    registry.take("new", 1)
    assert set(json.loads((tmp_path / ".ports.json").read_text()).values()) == {"new"}


def test_many_at_once_never_get_the_same(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(16)]
    for name in names:
        (tmp_path / name).mkdir()
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda name: PortRegistry(tmp_path).take(name, 3), names))
    assert len({port for ports in taken for port in ports}) == 48
