"""The daemon at work: an engine and its listeners, until a signal says stop."""

import asyncio
import logging
import signal

from wherry.api.application import application
from wherry.api.server import Listener
from wherry.daemon.keeper import Place
from wherry.engine import opening
from wherry.engine.settings import EngineSettings

log = logging.getLogger(__name__)


async def serve(settings: EngineSettings, listeners: list[Listener], place: Place) -> bool:
    """Run until SIGTERM or SIGINT. Containers go on running; whether there are some."""
    engine = await opening.open_engine(settings, place.ids)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = application(engine)
    try:
        for listener in listeners:
            await server.listen(listener)
            log.info("listening on %s", describe(listener))
        engine.lock.tell([describe(listener) for listener in listeners])
        log.info(
            "wherry is ready: root %s, ids %s, %d containers",
            settings.root,
            engine.host.ids,
            len(list(engine.containers)),
        )
        await stop.wait()
        log.info("stopping; containers go on running")
    finally:
        await server.close()
        running = await opening.close(engine)
    return running


def describe(listener: Listener) -> str:
    """A listener as a client writes it."""
    path = getattr(listener, "path", None)
    if path is not None:
        return f"unix://{path}"
    host = getattr(listener, "host", None)
    return f"tcp://{host}:{getattr(listener, 'port', 0)}" if host else "inherited socket"
