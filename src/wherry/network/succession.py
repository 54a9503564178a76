"""A network process of an older version, left by the daemon before an update: it is replaced.

It may not know messages of ours, so it is asked for what it holds, whatever of that it can tell is
kept, and it is ended. Its successor takes the same ports at once. Connections that ran through it
end: they were its own sockets. A newer one stays, since fields are only ever added.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence

from wherry.kit.errors import WherryError
from wherry.linux import process as processes
from wherry.network import protocol
from wherry.network.process_link import ProcessLink

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds for an answer of a process that we know little of, and for its end."""

Learn = Callable[[], Awaitable[None]]


async def settle(link: ProcessLink, learn: Sequence[Learn]) -> None:
    """Learn what the process holds; replace it by one of ours if it is older. Raises Unavailable.

    Afterwards the link's `take_over` have told the new one what was learnt.
    """
    version = await _version(link)
    if version >= protocol.VERSION:
        for ask in learn:
            await ask()
        return
    log.warning(
        "the network process speaks version %d, this daemon %d: it is replaced; published ports "
        "are taken over, connections through it end",
        version,
        protocol.VERSION,
    )
    if version:
        for ask in learn:
            await _try(ask)
    await _end(link)
    await link.connection()


async def _version(link: ProcessLink) -> int:
    """What it says, 0 where it says nothing that we understand."""
    try:
        answer = await asyncio.wait_for(link.ask("hello"), PATIENCE)
        return int(answer["version"])
    except (TimeoutError, WherryError, KeyError, TypeError, ValueError):
        return 0


async def _try(ask: Learn) -> None:
    try:
        await asyncio.wait_for(ask(), PATIENCE)
    except (TimeoutError, WherryError, KeyError, TypeError, ValueError) as error:
        log.warning("the older network process does not say what it holds: %r", error)


async def _end(link: ProcessLink) -> None:
    """By its pid, since it may not know the message; SIGTERM is deadly to all versions."""
    identity = link.identity()
    await link.close()
    if identity is None:
        return
    with contextlib.suppress(ProcessLookupError):
        pidfd = processes.open_checked(*identity)
        try:
            await asyncio.to_thread(_kill, pidfd)
        finally:
            os.close(pidfd)


def _kill(pidfd: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        processes.pidfd_send_signal(pidfd, number)
        if processes.wait_exited(pidfd, PATIENCE):
            return
