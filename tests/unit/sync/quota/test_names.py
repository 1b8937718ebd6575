"""Whose budget a credential uses."""

from __future__ import annotations

import pytest

from sync.quota.names import BucketName, Payer, Scope, payer_of

ROBOT = "robot@shop-1.iam.gserviceaccount.com"


@pytest.mark.parametrize(
    ("content", "subject", "payer"),
    [
        pytest.param(
            {"type": "service_account", "client_email": ROBOT, "project_id": "shop-1"},
            None,
            Payer(ROBOT, "shop-1"),
            id="a key: its e-mail and its project",
        ),
        pytest.param(
            {"client_email": ROBOT}, None, Payer(ROBOT, "shop-1"), id="the project stands in the e-mail, too"
        ),
        pytest.param(
            {"client_email": ROBOT, "project_id": "shop-1"},
            "ann@shop.example",
            Payer("ann@shop.example", "shop-1"),
            id="a subject is the user that Google counts",
        ),
        pytest.param(
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/k",
                "service_account_impersonation_url": f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken",
            },
            None,
            Payer(ROBOT, "shop-1"),
            id="workload identity acts for a service account",
        ),
        pytest.param(
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/k",
            },
            None,
            Payer("//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/k", "123"),
            id="workload identity by itself",
        ),
    ],
)  # fmt: skip
def test_who_pays(content: dict[str, str], subject: str | None, payer: Payer) -> None:
    assert payer_of(content, subject) == payer


def test_a_refresh_token_is_a_user_of_its_own_and_never_shown() -> None:
    client = {"type": "authorized_user", "client_id": "77-x.apps.googleusercontent.com"}
    ann = payer_of({**client, "refresh_token": "hush-ann"}, None)
    bob = payer_of({**client, "refresh_token": "hush-bob"}, None)
    assert ann == payer_of({**client, "refresh_token": "hush-ann", "client_secret": "new"}, None)
    assert ann.identity != bob.identity
    assert ann.project == bob.project == "77"
    assert "hush" not in f"{ann}{bob}"


def test_what_nobody_knows_still_has_a_budget() -> None:
    payer = payer_of({"type": "new", "key": "hush"}, None)
    assert payer.project == ""
    assert "hush" not in payer.identity
    assert payer.buckets == (BucketName(Scope.IDENTITY, payer.identity),)


def test_two_workspaces_with_one_credential_share() -> None:
    content = {"client_email": ROBOT, "project_id": "shop-1"}
    assert payer_of(content, None).buckets == payer_of(dict(content), None).buckets
    assert [name.scope for name in payer_of(content, None).buckets] == [Scope.IDENTITY, Scope.PROJECT]
