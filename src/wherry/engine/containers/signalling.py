"""Signals to containers: their names, the sending, and the wait for the end."""

import asyncio
import re
import signal as signals

from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.engine.registry import happened
from wherry.kit.errors import Conflict, InvalidInput, NotFound, Unavailable

KILL_PATIENCE = 10.0
"""Seconds that a killed container may take to be gone."""


async def until_gone(container: Container, exits: int) -> None:
    try:
        await asyncio.wait_for(container.until(lambda: container.exits > exits), KILL_PATIENCE)
    except TimeoutError:
        raise Unavailable(
            f"container {container.id} did not end within {KILL_PATIENCE:.0f} seconds of SIGKILL; "
            "a process of it may hang in the kernel"
        ) from None


async def send(engine: Engine, container: Container, number: int) -> None:
    monitor = container.monitor
    if monitor is None:
        return
    try:
        await monitor.kill(number)
    except (Conflict, NotFound, Unavailable):
        return  # it has ended meanwhile; who waits is told by the exit
    told = happened(container.record, "kill", signal=str(int(number)))
    await engine.journal.commit([], told)


def signal_number(text: str) -> int:
    """`SIGTERM`, `term`, `15`, `RTMIN+3` → a number. Raises InvalidInput."""
    name = text.upper().removeprefix("SIG")
    if text.isdigit():
        number = int(text)
    elif match := re.fullmatch(r"RTM(IN|AX)([+-]\d+)?", name):
        base = signals.SIGRTMIN if match[1] == "IN" else signals.SIGRTMAX
        number = base + int(match[2] or 0)
    else:
        number = int(getattr(signals, f"SIG{name}", 0))
    if not 1 <= number <= signals.SIGRTMAX:
        raise InvalidInput(f"Invalid signal: {text}")
    return number
