"""The daemon at work: an engine and its listeners, until a signal says stop."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable

from wherry.api.application import application
from wherry.api.server import Listener
from wherry.daemon import keeper
from wherry.daemon.keeper import Place
from wherry.engine import opening
from wherry.engine.engine import Engine
from wherry.engine.settings import EngineSettings

log = logging.getLogger(__name__)

STOP_LIMIT = 8.0
"""Seconds between the signal and the end, of which requests under way get most."""


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
        leave_by(STOP_LIMIT, lambda: _last_act(engine))
    finally:
        await server.close()
        running = await opening.close(engine)
    return running


def _last_act(engine: Engine) -> None:
    """What would follow a stop in peace."""
    if not any(container.running for container in engine.containers):
        keeper.stop(engine.settings.exec_root)


def leave_by(seconds: float, last_act: Callable[[], None]) -> None:
    """End this process in so many seconds, whatever still hangs in it: a thread in the kernel, a
    start that waits. What is lost then is what a crash would lose: nothing that was answered.
    """

    def leave() -> None:
        log.warning("not everything ended within %g seconds; leaving all the same", seconds)
        try:
            last_act()
        finally:
            os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def describe(listener: Listener) -> str:
    """A listener as a client writes it."""
    path = getattr(listener, "path", None)
    if path is not None:
        return f"unix://{path}"
    host = getattr(listener, "host", None)
    return f"tcp://{host}:{getattr(listener, 'port', 0)}" if host else "inherited socket"
