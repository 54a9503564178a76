"""A container as the engine holds it: its record, its monitor, and who waits for it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from wherry.engine.records import ContainerRecord, StateRecord
from wherry.monitor.handle import MonitorHandle


class PendingAttach(Protocol):
    """A client that attached before the start; it is handed over as soon as a monitor is there."""

    async def hand_over(self, monitor: MonitorHandle) -> None:
        """Give the client's connection to the monitor."""

    def close(self) -> None:
        """The container will not start: hang up."""


class Container:
    """One container. `lock` is held through every change of its state."""

    def __init__(self, record: ContainerRecord) -> None:
        self.record = record
        self.monitor: MonitorHandle | None = None
        self.leaving: MonitorHandle | None = None
        """The monitor of a run that has ended, while it still cleans up."""
        self.lock = asyncio.Lock()
        self.pending: list[PendingAttach] = []
        self.execs: set[str] = set()
        self.exits = 0
        """How often it has ended while this engine watched."""
        self.delay = 0.0
        """Seconds that the last restart by policy waited; 0: a client started it."""
        self.removed = False
        self.stopping = False
        """A client asked for the stop, so no restart policy applies."""
        self._changed = asyncio.Condition()

    def __repr__(self) -> str:
        return f"Container({self.record.name!r}, {self.record.state.status})"

    @property
    def id(self) -> str:
        """Its 64 digits."""
        return self.record.id

    @property
    def state(self) -> StateRecord:
        """The last known state."""
        return self.record.state

    @property
    def running(self) -> bool:
        """Whether it has processes, frozen or not."""
        return self.state.status in ("running", "paused")

    async def left(self) -> None:
        """Wait until the last run's monitor is gone: its folder and cgroups are free again."""
        leaving = self.leaving
        if leaving is not None:
            await leaving.wait_gone()
            if self.leaving is leaving:
                self.leaving = None
                leaving.close()

    async def become(self, record: ContainerRecord) -> None:
        """Take the new record (already in the ledger) and wake who waits."""
        self.record = record
        await self.notify()

    async def notify(self) -> None:
        """Wake who waits for a condition."""
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        async with self._changed:
            await self._changed.wait_for(condition)


def with_state(record: ContainerRecord, **changes: object) -> ContainerRecord:
    """The record with some fields of its state changed."""
    state = msgspec.structs.replace(record.state, **changes)
    return msgspec.structs.replace(record, state=state)
