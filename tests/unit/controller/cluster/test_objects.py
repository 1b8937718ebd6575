"""What a MemoryCluster keeps is found by kind, owner and deletion, and nobody else holds it."""

from collections import OrderedDict
from datetime import UTC, datetime

import pytest

from controller.cluster.objects import Objects, copied


def body(name: str, *owners: str, leaving: bool = False) -> dict:
    meta = {"name": name, "ownerReferences": [{"uid": uid} for uid in owners]}
    return {"metadata": {**meta, **({"deletionTimestamp": "now"} if leaving else {})}}


def key(name: str, kind: str = "Job") -> tuple[str, str, str]:
    return (kind, "team", name)


def test_owner_and_deletion_are_those_of_the_body_that_was_put_last() -> None:
    objects = Objects()
    objects.put(key("a"), body("a", "first", leaving=True))
    objects.put(key("b"), body("b", "first", "second"))
    assert objects.owned_by("first") == [key("a"), key("b")]
    assert objects.leaving() == [key("a")]
    objects.put(key("a"), body("a", "second"))
    assert objects.owned_by("first") == [key("b")]
    assert objects.owned_by("second") == [key("b"), key("a")]
    assert objects.leaving() == []


def test_what_is_popped_is_found_nowhere() -> None:
    objects = Objects()
    objects.put(key("a"), body("a", "first", leaving=True))
    objects.put(key("a", "Pod"), body("a"))
    assert len(objects) == 2
    assert objects.pop(key("a"))["metadata"]["name"] == "a"
    assert (objects.get(key("a")), objects.owned_by("first"), objects.leaving()) == (None, [], [])
    assert [found["metadata"]["name"] for found in objects.of("Pod")] == ["a"]
    with pytest.raises(KeyError):
        objects.pop(key("a"))


def test_a_copy_shares_nothing_and_takes_what_json_knows_alone() -> None:
    inner = {"list": [1, 2.5, None, True, "\ud800 ö"]}
    copy = copied({"inner": inner})
    copy["inner"]["list"].append(3)
    assert inner == {"list": [1, 2.5, None, True, "\ud800 ö"]}
    for foreign in (datetime(2026, 6, 1, tzinfo=UTC), OrderedDict(a=1), object()):
        with pytest.raises(ValueError, match="unmarshallable"):
            copied({"foreign": foreign})
