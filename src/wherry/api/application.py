"""The whole API of one engine: all route tables, ready to be served."""

from wherry.api import (
    absent,
    archive,
    container_streams,
    container_views,
    containers,
    execs,
    image_archives,
    images,
    maintenance,
    networks,
    registries,
    system,
    volumes,
    websocket,
)
from wherry.api.dispatch import Dispatcher
from wherry.api.routes import HijackRoute, Route
from wherry.api.server import ApiServer
from wherry.engine.engine import Engine


def routes() -> list[Route[Engine]]:
    """Every line of the table; the first that matches a path answers it."""
    return [
        *system.ROUTES,
        *containers.ROUTES,
        *container_streams.ROUTES,
        *container_views.ROUTES,
        *websocket.ROUTES,
        *archive.ROUTES,
        *execs.ROUTES,
        *registries.ROUTES,
        *images.ROUTES,
        *image_archives.ROUTES,
        *networks.ROUTES,
        *volumes.ROUTES,
        *maintenance.ROUTES,
        *absent.ROUTES,
    ]


def hijack_routes() -> list[HijackRoute[Engine]]:
    """The requests that take over their connection."""
    return [*container_streams.HIJACK_ROUTES, *execs.HIJACK_ROUTES]


def application(engine: Engine) -> ApiServer:
    """A server for the engine; it listens nowhere yet (`ApiServer.listen`)."""
    return ApiServer(Dispatcher(engine, routes(), hijack_routes()))
