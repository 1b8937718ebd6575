"""Which properties are synced."""

from __future__ import annotations

import pytest

from contract import FailureClass, PropertyFilter
from sync.account import Site
from sync.plan.choice import choose

SITES = [
    Site("sc-domain:acme.com", "siteOwner"),
    Site("https://www.acme.com/", "siteFullUser"),
    Site("https://blog.acme.com/", "siteRestrictedUser"),
    Site("https://old.acme.com/", "siteUnverifiedUser"),
    Site("https://a.example/[x]/", "siteOwner"),
]


@pytest.mark.parametrize(
    ("include", "exclude", "chosen"),
    [
        pytest.param(
            ["*"],
            [],
            [
                "https://a.example/[x]/",
                "https://blog.acme.com/",
                "https://www.acme.com/",
                "sc-domain:acme.com",
            ],
            id="everything that is readable",
        ),
        pytest.param(
            ["https://*.acme.com/"], [], ["https://blog.acme.com/", "https://www.acme.com/"], id="a pattern"
        ),
        pytest.param(["*"], ["https://*"], ["sc-domain:acme.com"], id="exclude wins"),
        pytest.param(["sc-domain:acme.com"], ["sc-domain:acme.com"], [], id="even over a name"),
        pytest.param(["SC-DOMAIN:*"], [], [], id="case counts"),
        pytest.param(["https://???.acme.com/"], [], ["https://www.acme.com/"], id="question marks"),
        pytest.param(["https://a.example/[x]/"], [], ["https://a.example/[x]/"], id="brackets as they are"),
        pytest.param([], [], [], id="nothing asked for"),
    ],
)
def test_patterns_choose(include, exclude, chosen):
    found = choose(SITES, PropertyFilter(include=include, exclude=exclude))
    assert list(found.properties) == chosen
    assert found.missing == ()


@pytest.mark.parametrize(
    ("name", "says", "error_class"),
    [
        ("https://www.acme.com", "is spelled https://www.acme.com/ at Google", FailureClass.PROPERTY_GONE),
        ("https://WWW.acme.com/", "is spelled https://www.acme.com/", FailureClass.PROPERTY_GONE),
        ("sc-domain%3Aacme.com", "is spelled sc-domain:acme.com", FailureClass.PROPERTY_GONE),
        ("sc-domain:other.com", "not visible to this identity; add it as a user", FailureClass.PROPERTY_GONE),
        ("https://old.acme.com/", "not verified", FailureClass.PERMISSION_DENIED),
    ],
)
def test_a_name_that_cannot_be_read_is_reported_with_the_next_step(name, says, error_class):
    found = choose(SITES, PropertyFilter(include=[name, name, "sc-domain:acme.com"]))
    assert found.properties == ("sc-domain:acme.com",)
    [(missing, error)] = found.missing
    assert missing == name
    assert says in str(error)
    assert error.failure_class is error_class


def test_an_excluded_name_is_not_missed():
    assert choose([], PropertyFilter(include=["https://gone/"], exclude=["https://*"])).missing == ()


def test_unverified_properties_are_named():
    assert choose(SITES, PropertyFilter()).unverified == ("https://old.acme.com/",)
