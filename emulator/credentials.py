"""Credential files for the emulated identities, in the formats that Google's libraries read.

`python -m emulator.credentials --account acme --url http://emulator:8080 --keys keys/ --out acme.json` writes one for
an emulator that runs elsewhere with the same configuration and the same `--keys` folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from emulator.config import Account, Config, default_config, load
from emulator.keys import Keys


def find_account(config: Config, name: str) -> Account:
    for account in config.accounts:
        if account.name == name:
            return account
    known = ", ".join(account.name for account in config.accounts)
    raise KeyError(f"there is no account {name!r}; known: {known}")


def credentials_json(account: Account, keys: Keys, url: str) -> dict[str, Any]:
    """The content of a service-account key file or of an authorized-user file."""
    base = url.rstrip("/")
    if account.kind == "external":
        raise ValueError(f"account {account.name!r} is external: see external_json and identity_token")
    if account.kind == "service_account":
        return {
            "type": "service_account",
            "project_id": account.project,
            "private_key_id": keys.key_id(account),
            "private_key": keys.private_pem(account),
            "client_email": account.email,
            "client_id": str(int(keys.key_id(account)[:16], 16)),
            "auth_uri": f"{base}/auth",
            "token_uri": f"{base}/token",
            "universe_domain": "googleapis.com",
        }
    return {
        "type": "authorized_user",
        "client_id": keys.client_id(account),
        "client_secret": keys.client_secret(account),
        "refresh_token": keys.refresh_token(account),
        "token_uri": f"{base}/token",
        "universe_domain": "googleapis.com",
    }


def external_json(
    account: Account, token_path: Path, acts_for: Account | None = None, *, field: str = ""
) -> dict[str, Any]:
    """The configuration of an external account, as gcloud writes it: it names Google's own addresses."""
    form: dict[str, Any] = {"type": "json", "subject_token_field_name": field} if field else {"type": "text"}
    content: dict[str, Any] = {
        "universe_domain": "googleapis.com",
        "type": "external_account",
        "audience": account.provider,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": str(token_path), "format": form},
    }
    if acts_for is not None:
        content["service_account_impersonation_url"] = (
            f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{acts_for.email}:generateAccessToken"
        )
    return content


def write_credentials(account: Account, keys: Keys, url: str, path: Path) -> Path:
    path.write_text(json.dumps(credentials_json(account, keys, url), indent=2) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@click.command()
@click.option("--config", "config_path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--account", required=True, help="Name of the account in the configuration.")
@click.option("--url", required=True, help="Where clients reach the emulator; goes into token_uri.")
@click.option("--keys", "keys_path", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def main(config_path: Path | None, account: str, url: str, keys_path: Path, out: Path) -> None:
    """Write a credential file for one emulated identity. The keys folder must be the emulator's."""
    config = load(config_path) if config_path else default_config()
    try:
        found = find_account(config, account)
        written = write_credentials(found, Keys(config, keys_path), url, out)
    except (KeyError, ValueError) as error:
        raise click.BadParameter(error.args[0], param_hint="--account") from error
    click.echo(written)


if __name__ == "__main__":
    main()
