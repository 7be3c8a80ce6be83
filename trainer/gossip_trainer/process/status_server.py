"""What a process answers over HTTP, for the kubelet, the operator and Prometheus."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from gossip_api.metrics.instruments import CONTENT_TYPE
from gossip_trainer.observability.page_server import Page, PageServer
from gossip_trainer.process.standing import Standing


def open_status_server(
    address: str, standing: Standing, metrics: Callable[[], bytes]
) -> PageServer:
    """Serve at `host:port` from now on, before anything is loaded.

    Args:
        address: where; port 0 lets the system choose.
        standing: what to tell the kubelet and the operator.
        metrics: makes the page for Prometheus.

    """
    host, _, port = address.rpartition(":")
    return PageServer(host, int(port), partial(_answer, standing, metrics))


def _answer(standing: Standing, metrics: Callable[[], bytes], path: str) -> Page:
    match path:
        case "/status":
            status = standing.status().model_dump_json(by_alias=True, exclude_none=True)
            return Page(status.encode(), "application/json")
        case "/metrics":
            return Page(metrics(), CONTENT_TYPE)
        case "/readyz" if standing.is_ready:
            return Page(b"ready\n")
        case "/readyz":
            body = f"{standing.phase}\n".encode()
            return Page(body, status=HTTPStatus.SERVICE_UNAVAILABLE)
        case "/healthz":
            return Page(b"alive\n")
        case _:
            body = b"there is /status, /metrics, /readyz and /healthz\n"
            return Page(body, status=HTTPStatus.NOT_FOUND)
