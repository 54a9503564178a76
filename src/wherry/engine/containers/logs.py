"""GET /containers/{id}/logs: what was written, and what will be.

The reading is blocking code in a thread of its own: a follower may wait for days, and must not
hold a place in a lane.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import BinaryIO, NamedTuple

from wherry.engine import pipes
from wherry.engine.containers.container import Container
from wherry.engine.containers.log_options import keeps_nothing
from wherry.engine.containers.prepare import log_config
from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput, Unavailable, Unsupported
from wherry.monitor import logfollow, logread
from wherry.monitor.logfollow import LiveLog
from wherry.monitor.logoutput import Form, render
from wherry.monitor.logread import Selection, Waiter


class LogsOptions(NamedTuple):
    """Times in nanoseconds since the epoch, 0 for no limit; `tail` -1 is everything."""

    stdout: bool = False
    stderr: bool = False
    follow: bool = False
    timestamps: bool = False
    details: bool = False
    since: int = 0
    until: int = 0
    tail: int = -1


async def logs(engine: Engine, ref: str, options: LogsOptions) -> AsyncIterator[bytes]:
    """Bytes ready to send. Raises NoSuchContainer, InvalidInput, Unsupported at once."""
    container = engine.containers.find(ref)
    if not (options.stdout or options.stderr):
        raise InvalidInput("Bad parameters: you must choose at least one stream")
    if keeps_nothing(container.record.request.host_config.log_config):
        raise Unsupported("configured logging driver does not support reading")
    form = Form(
        mux=not container.record.request.tty,
        timestamps=options.timestamps,
        details=options.details,
    )
    live = await engine.lanes.files(_connect, engine, container)

    def work(sink: BinaryIO) -> None:
        for batch in _batches(engine, container, options, live):
            sink.write(render(batch, form))
            sink.flush()

    return _streamed(work, live)


def _connect(engine: Engine, container: Container) -> LiveLog | None:
    return logfollow.connect(engine.settings.folders.exec_dir(container.id))


def _batches(
    engine: Engine, container: Container, options: LogsOptions, live: LiveLog | None
) -> Iterator[logread.Batch]:
    selection = Selection(
        options.tail, options.since, options.until, options.stdout, options.stderr
    )
    if live is not None:
        with contextlib.suppress(Unavailable):  # the monitor has just left: the files say it all
            files = live.open(follow=options.follow)
            if options.follow:
                return logread.follow(files, selection, Waiter(live.wait, live.close))
            return logread.read(files, selection)
    try:
        files = logread.open_files(log_config(engine, container.record, sending=False))
    except FileNotFoundError:  # it has never been started
        return iter(())
    return logread.read(files, selection)


async def _streamed(work: Callable[[BinaryIO], None], live: LiveLog | None) -> AsyncIterator[bytes]:
    try:
        async for piece in pipes.produce(_in_own_thread, work):
            yield piece
    finally:
        if live is not None:
            live.close()


async def _in_own_thread(call: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(None)

    def run() -> None:
        error: BaseException | None = None
        try:
            call()
        except BaseException as caught:  # noqa: BLE001 - raised again on the loop
            error = caught
        loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="log-reader", daemon=True).start()
    await done
