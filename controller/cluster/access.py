"""Access: where the API server is and how to show who we are, in words that belong to no library.

The watch needs it for kopf, which speaks HTTP by itself: with both reading the same place afresh each time, a renewed
token reaches either of them without a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from controller.cluster.port import Refused


@dataclass(frozen=True, slots=True)
class Access:
    server: str
    ca_path: str | None = None
    insecure: bool = False
    token: str | None = field(default=None, repr=False)
    certificate_path: str | None = None
    private_key_path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


async def configure(configuration: Configuration, kubeconfig: str | None) -> None:
    """Fill in a client configuration: the kubeconfig if one is named, else the service account, else ~/.kube/config.

    Raises Refused when none of them is there.
    """
    try:
        if kubeconfig is None:
            try:
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # as below
            except ConfigException:
                pass  # not in a pod: a person's machine
            else:
                return
        await load_kube_config(  # type: ignore[no-untyped-call]  # the client has no types
            config_file=kubeconfig, client_configuration=configuration, persist_config=False
        )
    except (ConfigException, OSError) as error:
        raise Refused(
            f"no way to the API server: no service account is mounted and no kubeconfig can be read ({error})"
        ) from error


async def read_access(kubeconfig: str | None) -> Access:
    """Read them afresh; raises Refused as `configure` does."""
    configuration = Configuration()
    await configure(configuration, kubeconfig)
    header = configuration.api_key.get("BearerToken") or ""
    return Access(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert or None,
        insecure=not configuration.verify_ssl,
        token=header.split(" ", 1)[-1].strip() or None,
        certificate_path=configuration.cert_file or None,
        private_key_path=configuration.key_file or None,
        username=configuration.username or None,
        password=configuration.password or None,
    )
