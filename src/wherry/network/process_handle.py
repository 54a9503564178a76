"""The daemon's side of the network process: finds it or starts it, and talks to it.

The handle remembers what it asked for. When the process dies, a new one is started at once and
takes over: the same host ports, and the same ports inside, so that the packet filter's rules stay
right.
"""

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import wherry
from wherry.kit.errors import Conflict, Unavailable, WherryError
from wherry.kit.files import read_optional
from wherry.linux import process as processes
from wherry.network import protocol
from wherry.network.ports import Outbound, PortBinding, Published, PublishedPort
from wherry.network.process import IDENTITY, SOCKET

_START_SECONDS = 10.0
_PROGRAM = (
    "import sys; sys.path.insert(0, {source!r}); "
    "from wherry.network.process import main; sys.exit(main(sys.argv[1:]))"
)


class NetProcess:
    """One engine's network process. `netns_fd` is the namespace of the bridges, -1 for our own."""

    def __init__(self, directory: str, netns_fd: int = -1) -> None:
        self._directory, self._netns_fd = directory, netns_fd
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._wanted: dict[str, Published] = {}
        self._outbound: tuple[tuple[str, ...], Outbound] | None = None

    @classmethod
    async def open(cls, directory: str, netns_fd: int = -1) -> "NetProcess":
        """Find the running process or start one. Raises Unavailable."""
        handle = cls(directory, netns_fd)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        await handle._connection()
        handle._wanted = {entry.endpoint: entry for entry in await handle.published()}
        return handle

    async def publish(
        self, endpoint: str, address: str, bindings: tuple[PortBinding, ...]
    ) -> tuple[PublishedPort, ...]:
        """Take host ports for an endpoint: all or none. Raises Conflict, NotPermitted."""
        answer = await self._ask("publish", endpoint=endpoint, address=address, bindings=bindings)
        ports = protocol.read_ports(answer)
        self._wanted[endpoint] = Published(endpoint, address, ports)
        return ports

    async def withdraw(self, endpoint: str) -> None:
        """Give an endpoint's ports back."""
        self._wanted.pop(endpoint, None)
        await self._ask("withdraw", endpoint=endpoint)

    async def published(self) -> tuple[Published, ...]:
        """What the process publishes now."""
        return protocol.read_published(await self._ask("published"))

    async def outbound(self, gateways: Iterable[str]) -> Outbound:
        """Open the way out of the namespace; the filter must redirect to these ports."""
        listed = tuple(gateways)
        answer = await self._ask("outbound", gateways=listed)
        self._outbound = (listed, Outbound(*answer))
        return self._outbound[1]

    async def shutdown(self) -> None:
        """End the process, and with it every published port and outbound connection."""
        self._wanted.clear()
        self._outbound = None
        with contextlib.suppress(Unavailable):
            await self._ask("shutdown")
        await self.close()

    async def close(self) -> None:
        """Let go of the process; it goes on."""
        writer, self._writer = self._writer, None
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
        if writer is not None:
            writer.close()

    async def _ask(self, do: str, **fields: object) -> Any:
        writer = await self._connection()
        return await self._send(writer, do, fields)

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

    async def _connection(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None:
                await self._connect()
            assert self._writer is not None
            return self._writer

    async def _connect(self) -> None:
        path = os.path.join(self._directory, SOCKET)
        if not self._alive():
            await self._start()
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=protocol.LIMIT)
        except OSError as error:
            raise Unavailable(f"connect to network process at {path}: {error}") from error
        self._reader = asyncio.create_task(self._read(reader), name="wherry-net")
        try:
            await self._take_over(writer)
        except BaseException:
            writer.close()
            raise
        self._writer = writer

    async def _take_over(self, writer: asyncio.StreamWriter) -> None:
        """Tell a process what it has to hold; to one that holds it already it says nothing new."""
        for endpoint, address, ports in self._wanted.values():
            bindings = [
                PortBinding(port.protocol, port.container_port, port.host_ip, port.host_port)
                for port in ports
            ]
            entry = {"endpoint": endpoint, "address": address, "bindings": bindings}
            with contextlib.suppress(Conflict):  # taken by somebody while nobody held it
                await self._send(writer, "publish", entry)
        if self._outbound is not None:
            gateways, (tcp, dns) = self._outbound
            await self._send(writer, "outbound", {"gateways": gateways, "tcp": tcp, "dns": dns})

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
            if self._wanted or self._outbound:
                await self._recover()

    async def _recover(self) -> None:
        for pause in (0.0, 0.2, 1.0, 5.0):
            await asyncio.sleep(pause)
            with contextlib.suppress(Unavailable):
                await self._connection()
                return

    def _settle(self, answer: dict[str, Any]) -> None:
        future = self._waiting.get(int(answer.get("id") or 0))
        if future is None or future.done():
            return
        if "error" in answer:
            future.set_exception(protocol.raised(answer))
        else:
            future.set_result(answer.get("ok"))

    def _alive(self) -> bool:
        """Whether the process of the identity file is the one that wrote it."""
        raw = read_optional(os.path.join(self._directory, IDENTITY))
        if raw is None:
            return False
        identity = json.loads(raw)
        if identity["boot_id"] != processes.boot_id():
            return False
        return processes.is_running(int(identity["pid"]), int(identity["start_time"]))

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
