"""The engine's side of the unpacking processes: a few, started when needed, gone when idle."""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Sequence
from typing import Any

from wherry.kit import errors
from wherry.kit.errors import Internal, WherryError
from wherry.layer.apply import Applied
from wherry.layer.errors import BrokenArchive, NotReplaceable
from wherry.layer.whiteout import Style
from wherry.oci import digest

_LINE = 16 << 20  # a thousand skipped names at PATH_MAX each fit
_COMMAND = (sys.executable, "-I", "-m", "wherry.layer.worker")
_CLASSES: dict[str, type[WherryError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, WherryError)
} | {"BrokenArchive": BrokenArchive, "NotReplaceable": NotReplaceable}


Blob = str | tuple[int, int]
"""A blob's path, or the two descriptors of one that still grows (see `growing`)."""


class Worker:
    """One process; one request at a time."""

    def __init__(self, process: asyncio.subprocess.Process, requests: socket.socket) -> None:
        self._process = process
        self._requests = requests

    @classmethod
    async def start(cls) -> "Worker":
        """Start the process in the caller's namespaces."""
        ours, its = socket.socketpair()
        ours.setblocking(False)
        try:
            with its:
                process = await asyncio.create_subprocess_exec(
                    *_COMMAND,
                    stdin=its.fileno(),
                    stdout=asyncio.subprocess.PIPE,
                    limit=_LINE,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        return cls(process, ours)

    async def apply(
        self,
        blob: Blob,
        target: str,
        whiteouts: Style,
        owners: bool,
        lowers: Sequence[str] = (),
    ) -> Applied:
        """`layer.apply.apply` of a blob's file. Raises its errors; Internal if the process dies."""
        request = {
            "blob": blob if isinstance(blob, str) else "",
            "target": target,
            "whiteouts": whiteouts,
            "owners": owners,
            "lowers": list(lowers),
        }
        descriptors = () if isinstance(blob, str) else blob
        reply = await self._ask(json.dumps(request).encode() + b"\n", descriptors)
        if "error" in reply:
            raise _CLASSES.get(reply["error"]["class"], Internal)(reply["error"]["text"])
        return _applied(reply["applied"])

    async def _ask(self, line: bytes, descriptors: Sequence[int]) -> dict[str, Any]:
        if self._process.stdout is None:
            raise Internal("the unpacking process has no pipe")
        try:
            if descriptors:  # the buffer is empty: the last request has been answered
                sent = socket.send_fds(self._requests, [line], descriptors)
                line = line[sent:]
            await asyncio.get_running_loop().sock_sendall(self._requests, line)
            answer = await self._process.stdout.readline()
        except ConnectionError:
            answer = b""
        if not answer:
            code = await self._process.wait()
            raise Internal(f"the unpacking process ended with {code} (out of memory?)")
        reply: dict[str, Any] = json.loads(answer)
        return reply

    async def close(self, *, at_once: bool = False) -> None:
        """End the process: at the end of its input, or killed in the middle of a layer."""
        with contextlib.suppress(ProcessLookupError):
            if at_once:
                self._process.kill()
        self._requests.close()
        await self._process.wait()


class WorkerPool:
    """At most `limit` workers; a worker that was idle for `idle` seconds ends."""

    def __init__(self, limit: int = 2, idle: float = 10.0) -> None:
        self._slots = asyncio.Semaphore(limit)
        self._free: list[Worker] = []
        self._timers: dict[Worker, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._idle = idle

    async def apply(
        self,
        blob: Blob,
        target: str,
        whiteouts: Style,
        owners: bool,
        lowers: Sequence[str] = (),
    ) -> Applied:
        """Unpack in a free worker, or a new one, or wait for one.

        If the caller is cancelled its worker is killed: what it had unpacked is garbage.
        """
        async with self._slots:
            worker = self._take() or await Worker.start()
            try:
                applied = await worker.apply(blob, target, whiteouts, owners, lowers)
            except Internal:
                await worker.close(at_once=True)
                raise
            except WherryError:
                self._give_back(worker)
                raise
            except BaseException:
                await asyncio.shield(worker.close(at_once=True))
                raise
            self._give_back(worker)
            return applied

    def _take(self) -> Worker | None:
        if not self._free:
            return None
        worker = self._free.pop()
        self._timers.pop(worker).cancel()
        return worker

    def _give_back(self, worker: Worker) -> None:
        self._free.append(worker)
        loop = asyncio.get_running_loop()
        self._timers[worker] = loop.call_later(self._idle, self._retire, worker)

    def _retire(self, worker: Worker) -> None:
        self._free.remove(worker)
        self._timers.pop(worker).cancel()
        task = asyncio.get_running_loop().create_task(worker.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End all idle workers and wait for them."""
        for worker in list(self._free):
            self._retire(worker)
        await asyncio.gather(*self._closing)


def _applied(reply: dict[str, Any]) -> Applied:
    return Applied(
        digest.parse(reply["diff_id"]),
        reply["diff_size"],
        reply["entries"],
        digest.parse(reply["digest"]),
        reply["size"],
        tuple(reply["skipped"]),
        reply["skipped_count"],
        reply["content_size"],
        reply["compressed"],
        reply["rooted"],
        reply["forgotten"],
    )
