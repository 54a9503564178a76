"""The connection to the network process: found or started, and made again when it dies."""

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import wherry
from wherry.kit.errors import Unavailable, WherryError
from wherry.kit.files import read_optional
from wherry.linux import process as processes
from wherry.network import protocol
from wherry.network.process import IDENTITY, SOCKET

_START_SECONDS = 10.0
_PROGRAM = (
    "import sys; sys.path.insert(0, {source!r}); "
    "from wherry.network.process import main; sys.exit(main(sys.argv[1:]))"
)

Send = Callable[[str, Mapping[str, object]], Awaitable[Any]]
TakeOver = Callable[[Send], Awaitable[None]]
Told = Callable[[dict[str, Any]], None]


class ProcessLink:
    """Asks the process and awaits its answers, many at a time.

    `take_over` are told of each new connection: they give a new process what it has to hold.
    `needed` says whether a process that died must be replaced at once.
    """

    def __init__(self, directory: str, netns_fd: int, needed: Callable[[], bool]) -> None:
        self._directory, self._netns_fd, self._needed = directory, netns_fd, needed
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self.take_over: list[TakeOver] = []
        self.told: list[Told] = []
        """Called with what the process says without being asked."""

    async def ask(self, do: str, **fields: object) -> Any:
        """The answer to a message. Raises what the process refuses with, Unavailable."""
        writer = await self.connection()
        return await self._send(writer, do, fields)

    async def close(self) -> None:
        """Let go of the process; it goes on."""
        writer, self._writer = self._writer, None
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
        if writer is not None:
            writer.close()

    async def _send(
        self, writer: asyncio.StreamWriter, do: str, fields: Mapping[str, object]
    ) -> Any:
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(protocol.encode({"id": number, "do": do, **fields}))
            return await future
        finally:
            self._waiting.pop(number, None)

    async def connection(self) -> asyncio.StreamWriter:
        """Find the running process or start one. Raises Unavailable."""
        async with self._connecting:
            if self._writer is None:
                await self._connect()
            assert self._writer is not None
            return self._writer

    async def _connect(self) -> None:
        path = os.path.join(self._directory, SOCKET)
        if not self.alive():
            await self._start()
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=protocol.LIMIT)
        except OSError as error:
            raise Unavailable(f"connect to network process at {path}: {error}") from error
        self._reader = asyncio.create_task(self._read(reader), name="wherry-net")
        try:
            for give in self.take_over:
                await give(lambda do, fields: self._send(writer, do, fields))
        except BaseException:
            writer.close()
            raise
        self._writer = writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, ValueError, WherryError):  # as good as closed
            while line := await reader.readline():
                self._settle(protocol.decode(line))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Unavailable("the network process has ended"))
        lost, self._writer = self._writer, None
        if lost is not None:
            lost.close()
            if self._needed():
                await self._recover()

    async def _recover(self) -> None:
        for pause in (0.0, 0.2, 1.0, 5.0):
            await asyncio.sleep(pause)
            with contextlib.suppress(Unavailable):
                await self.connection()
                return

    def _settle(self, answer: dict[str, Any]) -> None:
        if "event" in answer:
            for listener in self.told:
                listener(answer)
            return
        future = self._waiting.get(int(answer.get("id") or 0))
        if future is None or future.done():
            return
        if "error" in answer:
            future.set_exception(protocol.raised(answer))
        else:
            future.set_result(answer.get("ok"))

    def identity(self) -> tuple[int, int] | None:
        """Pid and start time in the identity file, None where there is none of this boot."""
        raw = read_optional(os.path.join(self._directory, IDENTITY))
        if raw is None:
            return None
        identity = json.loads(raw)
        if identity["boot_id"] != processes.boot_id():
            return None
        return int(identity["pid"]), int(identity["start_time"])

    def alive(self) -> bool:
        """Whether the process of the identity file is the one that wrote it."""
        identity = self.identity()
        return identity is not None and processes.is_running(*identity)

    async def _start(self) -> None:
        source = os.path.dirname(os.path.dirname(os.path.abspath(wherry.__file__)))
        log = os.path.join(self._directory, "log")
        kept = (self._netns_fd,) if self._netns_fd >= 0 else ()
        with open(log, "ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", "-c", _PROGRAM.format(source=source)),
                *(self._directory, str(self._netns_fd)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                pass_fds=kept,
                start_new_session=True,
                cwd="/",
            )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), _START_SECONDS)
        except TimeoutError:
            said = b"it does not answer"
        if said != b"ready\n":
            text = said.decode("utf-8", "replace").strip() or f"see {log}"
            raise Unavailable(f"start network process in {self._directory}: {text}")
