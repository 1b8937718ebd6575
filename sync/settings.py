"""What the environment says, read once and frozen: where Google is, where the summary goes, how to log.

The work itself comes in the RunSpec; here stand only what an installation or a person at a terminal sets. Booleans are
strict, because `bool("false")` is true and somebody's switch would then do the opposite.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from contract.run_spec import INDEX_VARIABLE, MAX_SHARDS
from sync.errors import ConfigurationError

PREFIX = "GSC_SYNC_"
MOST_PROCESSES = 8
"""Each has threads, connections and texts of its own."""


def _strict_boolean(value: Any) -> Any:
    if isinstance(value, str):
        known = {"true": True, "false": False}
        if value.strip().lower() not in known:
            raise ValueError("must be true or false")
        return known[value.strip().lower()]
    return value


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


StrictBoolean = Annotated[bool, BeforeValidator(_strict_boolean)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]


class Settings(BaseSettings):
    """Each field is the environment variable of its name in capitals, after GSC_SYNC_. An empty one counts as unset."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="ignore")

    api_base_url: Url = "https://www.googleapis.com/webmasters/v3"
    """Everything before `/sites`; another one for a proxy or an emulator."""
    inspection_base_url: Url = "https://searchconsole.googleapis.com/v1"
    """Everything before `/urlInspection`, which is not offered at the other address."""
    token_url: Url = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret
    """Where tokens come from, whatever a credentials file says; so are the next two."""
    sts_url: Url = "https://sts.googleapis.com/v1/token"
    """Where the identity token of an external account is exchanged."""
    iam_base_url: Url = "https://iamcredentials.googleapis.com/v1"
    """Everything before `/projects`, where an external account acts for a service account."""
    metadata_base_url: Url = "http://metadata.google.internal/computeMetadata/v1"
    """Everything before `/instance`, for workspaces with `credentials: Ambient`; asked without a proxy."""
    identity_token_path: Path | None = None
    """The one file that an external account may take its token from: in a pod what the installation mounts."""
    summary_path: Path | None = None
    """Where the RunSummary goes: in a pod /dev/termination-log."""
    ca_file: Path | None = None
    """PEM file with one more certificate authority to trust."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = "INFO"
    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto`: text at a terminal, JSON elsewhere."""
    switch_path: Path | None = None
    """Directory with a file `mode`; any word in it but `run` ends the launch after the cells under way."""
    store: Literal["postgres", "memory"] = "postgres"
    """`memory`: rows are counted and forgotten when the launch ends, to try identities and properties without a database."""
    enabled: StrictBoolean = True
    """false: `run` does nothing and succeeds."""
    days: Annotated[int, Field(ge=1, le=480)] | None = None
    """In place of the window's days in the RunSpec."""
    processes: Annotated[int, Field(ge=1, le=MOST_PROCESSES)] | None = None
    """That share the reading and writing of cells; unset: two where there are two processors, else one."""
    shard: Annotated[int, Field(ge=0, lt=MAX_SHARDS)] | None = None
    """Without prefix: Kubernetes sets JOB_COMPLETION_INDEX."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` was given: the environment is passed in, never fetched."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return INDEX_VARIABLE if name == "shard" else PREFIX + name.upper()


def load(environment: Mapping[str, str]) -> Settings:
    """Read the settings of an environment.

    Raises ConfigurationError naming each variable that is wrong and what is allowed.
    """
    given = {
        name: environment[variable(name)]
        for name in Settings.model_fields
        if environment.get(variable(name), "") != ""
    }
    try:
        return Settings(**given)  # type: ignore[arg-type]  # strings, which the model turns into what it needs
    except ValidationError as error:
        problems = [
            f"{variable(str(detail['loc'][0]))}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ConfigurationError(f"The environment is wrong: {'; '.join(problems)}.") from None
