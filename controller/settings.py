"""Settings: everything about this installation, read once from `GSC_OPERATOR_*` and frozen.

The chart writes these variables; nothing else in the controller reads the environment. A bad value ends the process
with exit code 78 and one line per mistake, before anything is contacted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError
from pydantic_settings.sources import EnvSettingsSource, PydanticBaseSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from controller.model.policy import Site

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "GSC_OPERATOR_"

DEFAULT_RESOURCES: dict[str, dict[str, str]] = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "512Mi"},
}


class ConfigurationError(Exception):
    """The environment does not make a configuration; the message has a line per mistake."""


class Settings(BaseSettings):
    """Lists are comma-separated or JSON, objects are JSON."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Namespaces served; empty or "*" means all (needs a ClusterRole)."""
    namespace: str = "default"
    """Where the operator itself runs: its Lease is there."""
    identity: Annotated[str, Field(min_length=1, max_length=253)] = "gsc-sync-operator"
    environment: str = ""
    """A name for this installation: a label on its metrics, and what `spec.environments` names."""
    instance: Annotated[str, Field(max_length=63)] = "gsc-sync-operator"
    """app.kubernetes.io/instance of the Jobs."""

    sync_image: Annotated[str, Field(min_length=1)] = "gsc-sync-operator:latest"
    sync_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    sync_image_pull_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    sync_service_account: str = ""
    """Of the sync pods; empty means the namespace's default one. Its token is never mounted."""
    sync_env: dict[str, str] = {}
    """Further variables of the sync pods, such as a proxy or another base URL."""
    sync_node_selector: dict[str, str] = {}
    sync_tolerations: list[dict[str, Any]] = []
    sync_affinity: dict[str, Any] = {}
    sync_topology_spread_constraints: list[dict[str, Any]] = []
    sync_priority_class: str = ""
    sync_pod_labels: dict[str, str] = {}
    """Further ones of the sync pods, as the annotations; the operator's own beat them."""
    sync_pod_annotations: dict[str, str] = {}
    sync_run_as_fixed_user: bool = True
    """False: the cluster gives the sync pods user and group; they are not root either way."""
    sync_ca_config_map: str = ""
    """In the namespace of each schedule, with more certificate authorities for the sync to trust; empty: none."""
    sync_ca_key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]{1,253}$")] = "ca.crt"
    sync_ca_google: bool = True
    sync_ca_postgres: bool = True
    """Trust them towards databases whose Secret has no `ca.crt`."""
    sync_default_resources: dict[str, dict[str, str]] = DEFAULT_RESOURCES
    sync_max_resources: dict[str, str] = {"cpu": "2", "memory": "2Gi"}
    """Nothing a schedule asks for may exceed these."""
    sync_concurrency: Annotated[int, Field(ge=1, le=100)] = 10
    sync_requests_per_second: Annotated[float, Field(gt=0, le=100)] = 5.0
    """Of one property, and of all running syncs together that share a database, as the next two."""
    sync_requests_per_second_per_identity: Annotated[float, Field(gt=0, le=1000)] = 20.0
    sync_requests_per_minute_per_project: Annotated[float, Field(gt=0, le=1_000_000)] = 40_000.0
    sync_ambient_credentials: bool = False
    """Workspaces may say `credentials: Ambient`, and use the identity that the sync pods have on Google Cloud."""
    sync_identity_token_audience: Annotated[str, Field(max_length=512, pattern=r"^[!-~]*$")] = ""
    """Of the identity token mounted in sync pods, for external accounts; empty: none is mounted."""
    sync_load_cooldown_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900

    kueue: bool = False
    """Jobs carry `spec.queue` as the name of a Kueue LocalQueue, whose owner then says when they start."""

    leader_election: bool = True
    lease_name: str = "gsc-sync-operator"
    lease_seconds: Annotated[float, Field(ge=1, le=600)] = 15
    lease_renew_seconds: Annotated[float, Field(gt=0, le=600)] = 10
    """After this long without a renewal we stop leading by ourselves; below `lease_seconds`."""
    lease_retry_seconds: Annotated[float, Field(gt=0, le=60)] = 2

    switch_seconds: Annotated[float, Field(ge=1, le=300)] = 10
    """How often the ConfigMap with the kill switch and the queues is read."""
    start_rate: Annotated[float, Field(ge=1, le=1000)] = 250
    """Jobs created in a second at most."""
    min_interval_seconds: Annotated[int, Field(ge=60, le=86_400)] = 60
    """The closest that two slots of a schedule may be; 60 limits nothing, since five fields cannot ask for more."""
    resync_seconds: Annotated[float, Field(ge=5, le=3600)] = 300
    max_in_flight: Annotated[int, Field(ge=1, le=200)] = 20
    """Schedules whose writes are under way at the same time."""
    request_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10
    max_skew_seconds: Annotated[float, Field(ge=2, le=3600)] = 60

    bind: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus come from outside the pod
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    health_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    kubeconfig: str | None = None

    @field_validator("namespaces", "sync_image_pull_secrets", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(word for word in value.strip("[] ").replace('"', "").replace(",", " ").split() if word)

    @field_validator("namespaces")
    @classmethod
    def _star_means_all(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return () if "*" in value else tuple(dict.fromkeys(value))

    @field_validator("sync_identity_token_audience")
    @classmethod
    def _not_the_api_servers(cls, value: str) -> str:
        if "kubernetes.default" in value:
            raise ValueError(
                "must not be the API server's own, with which the token could be used here; set the audience that the workload"
                " identity provider allows, such as https://iam.googleapis.com/projects/.../providers/..."
            )
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _durations_fit(self) -> Settings:
        if not self.lease_retry_seconds < self.lease_renew_seconds < self.lease_seconds:
            raise ValueError("lease_retry_seconds < lease_renew_seconds < lease_seconds must hold")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: `load` reads the environment, once."""
        return (init_settings,)

    @property
    def site(self) -> Site:
        """What `decide` knows of the installation; the kill switch is not set here."""
        return Site(
            self.environment,
            ambient=self.sync_ambient_credentials,
            min_interval_seconds=self.min_interval_seconds,
        )

    @property
    def watched(self) -> tuple[str, ...]:
        """The namespaces to ask for one by one; ("",) stands for all in one."""
        return self.namespaces or ("",)


class _Given(EnvSettingsSource):
    """Reads the mapping handed in, so that tests need not touch the process's environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        super().__init__(Settings, case_sensitive=False, env_prefix=PREFIX, env_ignore_empty=True)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._environment, case_sensitive=False, ignore_empty=True)


def load(environment: Mapping[str, str]) -> Settings:
    """Read them; raises ConfigurationError naming the variables that are wrong."""
    try:
        given = _Given(environment)()
        given.setdefault("identity", environment.get("HOSTNAME") or "gsc-sync-operator")
        return Settings(**given)
    except ValidationError as error:
        lines = [
            f"{PREFIX}{'_'.join(str(part) for part in detail['loc'][:1]).upper()}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)
        ]
        raise ConfigurationError("\n".join(lines)) from error
    except SettingsError as error:
        raise ConfigurationError(f"{PREFIX}*: {error}; lists and objects are JSON") from error
