"""Logging in: one set of credentials for our own requests and for kopf's watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kopf
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

if TYPE_CHECKING:
    from pathlib import Path

CONNECTIONS = 64


async def log_in(kubeconfig: Path | None) -> ApiClient:
    """Return a client with the credentials of `kubeconfig`, of the pod, or of the usual file.

    ConfigException where there are none.
    """
    configuration = Configuration()
    configuration.retries = 0  # a repeated write is ours to decide on
    configuration.connection_pool_maxsize = CONNECTIONS
    if kubeconfig is not None:
        await _load_kubeconfig(str(kubeconfig), configuration)
    else:
        try:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            await _load_kubeconfig(None, configuration)
    return ApiClient(configuration)


async def _load_kubeconfig(file: str | None, configuration: Configuration) -> None:
    await config.load_kube_config(  # type: ignore[no-untyped-call]
        file, client_configuration=configuration
    )


async def connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """Give kopf the same credentials; it asks again when the API server refuses them."""
    # "Bearer <token>", read anew from its file or plugin if it is about to expire.
    header = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    scheme, _, token = (header or "").partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        ca_data=configuration.ca_cert_data,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme or None,
        token=token.strip() or None,
    )
