"""POST /containers/{id}/wait."""

from collections.abc import AsyncIterator

from wherry.dockerapi.container_answers import WaitAnswer
from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput


async def wait(engine: Engine, ref: str, condition: str) -> AsyncIterator[WaitAnswer]:
    """One answer, when the condition holds: not-running, next-exit or removed."""
    container = engine.containers.find(ref)
    exits = container.exits
    if condition not in ("", "not-running", "next-exit", "removed"):
        raise InvalidInput(f'invalid condition: "{condition}"')

    async def answer() -> AsyncIterator[WaitAnswer]:
        if condition == "removed":
            await container.until(lambda: container.removed)
        elif condition == "next-exit":
            await container.until(lambda: container.exits > exits or container.removed)
        else:
            await container.until(lambda: container.exits > exits or not _alive(container))
        yield WaitAnswer(status_code=container.state.exit_code)

    return answer()


def _alive(container: Container) -> bool:
    return not container.removed and container.state.status in ("running", "paused", "restarting")
