"""All execs of the engine. They live in memory: an exec ends with its container."""

import msgspec

from wherry.dockerapi.execs import ExecCreateRequest
from wherry.engine.containers.container import Container
from wherry.kit.errors import NotFound
from wherry.monitor.protocol import Exit


class Exec(msgspec.Struct):
    """One exec; `exit_code` None until it has ended."""

    id: str
    container: str
    request: ExecCreateRequest
    pid: int = 0
    running: bool = False
    exit_code: int | None = None
    probe: bool = False
    """A health check's: the engine's own, and gone when it has ended."""


class Execs:
    """By id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Exec] = {}

    def add(self, container: Container, found: Exec) -> None:
        """Remember a new one."""
        self._by_id[found.id] = found
        container.execs.add(found.id)

    def find(self, ref: str) -> Exec:
        """By id or unique prefix. Raises NotFound."""
        if ref in self._by_id:
            return self._by_id[ref]
        found = [each for id, each in self._by_id.items() if ref and id.startswith(ref)]
        if len(found) != 1:
            raise NotFound(f"No such exec instance: {ref}")
        return found[0]

    def exited(self, id: str, exit_: Exit) -> Exec | None:
        """Write down the end of one."""
        found = self._by_id.get(id)
        if found is not None:
            found.running = False
            found.exit_code = exit_.code
            found.pid = 0
        return found

    def listed(self, container: Container) -> tuple[str, ...]:
        """Those of a container that have not ended; ended ones are known by their ids only."""
        execs = (self._by_id[id] for id in sorted(container.execs))
        return tuple(each.id for each in execs if each.exit_code is None)

    def drop(self, container: Container, found: Exec) -> None:
        """Nobody will ask for this one again."""
        self._by_id.pop(found.id, None)
        container.execs.discard(found.id)

    def forget(self, container: Container) -> None:
        """The container has ended, and every exec with it."""
        for id in container.execs:
            self._by_id.pop(id, None)
        container.execs.clear()
