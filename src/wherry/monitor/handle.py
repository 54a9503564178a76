"""The daemon's handle on one monitor (asyncio)."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

from wherry.kit.errors import Corrupt, Unavailable, WherryError
from wherry.kit.files import read_optional
from wherry.linux.process import (
    boot_id,
    is_running,
    open_checked,
    wait_exited,
)
from wherry.monitor import failure, files
from wherry.monitor.failure import MonitorGone
from wherry.monitor.framing import Frame
from wherry.monitor.protocol import (
    KILLED,
    VERSION,
    AttachOptions,
    ExecLaunch,
    Exit,
    Fields,
    Identity,
    LaunchRequest,
)
from wherry.monitor.segments import LogFiles
from wherry.monitor.server import connect_long
from wherry.monitor.wire import Wire
from wherry.monitor.zygote_handle import Zygote

LEAVING = 5.0
"""Seconds that a monitor may take between closing its socket and its exit file being readable."""

Listener = Callable[[Fields], None]


class Created(NamedTuple):
    """A container that waits for start (or runs). The receiver closes the descriptors."""

    init: Identity
    pidfd: int
    netns: int
    rtnetlink: int

    def close(self) -> None:
        """Close the three descriptors."""
        for fd in (self.pidfd, self.netns, self.rtnetlink):
            os.close(fd)


class Exited(NamedTuple):
    """What `reattach` finds where the container has ended in the meantime."""

    exit: Exit
    request: LaunchRequest | None


class Lost(NamedTuple):
    """What `reattach` finds where there is neither a monitor nor a result."""

    reason: str
    request: LaunchRequest | None
    code: int = 137


class MonitorHandle:
    """One container's monitor. Closing the handle leaves the container alone."""

    def __init__(self, sock: socket.socket, exec_dir: str, request: LaunchRequest | None) -> None:
        loop = asyncio.get_running_loop()
        self.exec_dir = exec_dir
        self.request = request
        self.hello: Fields = {}
        self.created: Created | None = None
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Frame]] = {}
        self._listeners: list[Listener] = []
        self._greeted: asyncio.Future[None] = loop.create_future()
        self._exit: asyncio.Future[Exit] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._creation: asyncio.Future[Created] = loop.create_future()
        self._closing = False
        self._wire = Wire(sock, self._received, self._closed)

    # requests

    async def start(self) -> int:
        """Let the container's program begin; when it did, in ns. Raises Conflict, ProcessFailed."""
        return int((await self._ask("start")).fields["ok"]["started"])

    async def attach(self, sock: int, options: AttachOptions, attach_id: str = "") -> None:
        """Join a client's socket (copied) to the container; events name it by `attach_id`."""
        fields: Fields = {"options": options.to_fields(), "attach": attach_id}
        await self._ask("attach", fields, [sock])

    async def execute(self, launch: ExecLaunch, sock: int | None = None) -> Identity:
        """Run a further process. Raises Conflict, ProcessFailed, InvalidInput."""
        fds = [] if sock is None else [sock]
        reply = await self._ask("exec", {"exec": launch.to_fields()}, fds)
        return Identity.from_fields(reply.fields["ok"])

    def expect_exec(self) -> None:
        """Have the monitor get ready for an exec. Nobody is told whether it could."""
        with contextlib.suppress(MonitorGone):
            self._wire.send({"do": "expect_exec"})

    async def resize(self, columns: int, rows: int, exec_id: str | None = None) -> None:
        """Set the size of a terminal. Raises Conflict, NotFound, InvalidInput."""
        await self._ask("resize", {"columns": columns, "rows": rows, "exec": exec_id})

    async def kill(
        self, number: int, exec_id: str | None = None, *, everyone: bool = False
    ) -> None:
        """Send a signal to init, to all, or to an exec. Raises Conflict, NotFound."""
        await self._ask("kill", {"signal": number, "exec": exec_id, "everyone": everyone})

    async def descriptors(self) -> Created:
        """Fresh copies of what `created` brought. Raises Conflict."""
        frame = await self._ask("descriptors")
        init = Identity.from_fields(self.hello["init"])
        return Created(init, *frame.fds)

    async def log_position(self) -> LogFiles:
        """The log's files at this instant. Raises Unsupported for driver none."""
        frame = await self._ask("log_open")
        reply = frame.fields["ok"]
        return LogFiles(reply["driver"], frame.fds, tuple(reply["compressed"]), reply["size"])

    # events

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have events called: oom, detached, exec_exit, exit; the result ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def events(self) -> AsyncIterator[Fields]:
        """Events from now on, until the monitor is gone."""
        queue: asyncio.Queue[Fields | None] = asyncio.Queue()
        end = self.subscribe(queue.put_nowait)
        self._gone.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            end()

    async def wait_exit(self) -> Exit:
        """How the container ended; 137 with an error text where its monitor was killed."""
        return await asyncio.shield(self._exit)

    async def wait_gone(self) -> None:
        """Until the monitor has cleaned up and left; the exec directory may be used again."""
        await asyncio.shield(self._gone)

    @property
    def exited(self) -> Exit | None:
        """How it ended, if it has."""
        return self._exit.result() if self._exit.done() else None

    def close(self) -> None:
        """Stop talking to the monitor; the container goes on."""
        self._closing = True
        self._wire.close()
        for future in (self._exit, self._gone, self._creation, self._greeted):
            future.cancel()

    async def wait_created(self) -> Created:
        """For `launch`: raises what went wrong."""
        self.created = await self._creation
        return self.created

    async def wait_greeted(self) -> None:
        """For `reattach`. Raises Unavailable."""
        await self._greeted
        if self.hello["version"] > VERSION + 1:
            raise Unavailable(
                f"the monitor in {self.exec_dir} speaks version {self.hello['version']}, "
                f"this engine {VERSION}; use a newer wherry"
            )

    # inside

    async def _ask(self, what: str, fields: Fields | None = None, fds: Sequence[int] = ()) -> Frame:
        number = next(self._numbers)
        reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._wire.send({"id": number, "do": what, **(fields or {})}, fds)
        self._replies[number] = reply
        frame = await reply
        if "error" in frame.fields:
            raise failure.from_fields(frame.fields["error"])
        return frame

    def _received(self, frame: Frame) -> None:
        fields = frame.fields
        if "hello" in fields:
            self.hello = fields["hello"]
            _settle(self._greeted, None)
        elif fields.get("id") is not None:
            self._replied(frame)
        elif fields.get("event") == "created":
            init = Identity.from_fields(self.hello["init"])
            _settle(self._creation, Created(init, *frame.fds))
        elif fields.get("event") == "failed":
            _fail(self._creation, failure.from_fields(fields["error"]))
        elif "event" in fields:
            self._event(fields)

    def _replied(self, frame: Frame) -> None:
        reply = self._replies.pop(frame.fields["id"], None)
        if reply is not None and not reply.done():
            reply.set_result(frame)
        else:  # whoever asked has been cancelled
            for fd in frame.fds:
                os.close(fd)

    def _event(self, fields: Fields) -> None:
        if fields["event"] == "exit":
            _settle(self._exit, Exit.from_fields(fields["exit"]))
        for listener in list(self._listeners):
            listener(fields)

    def _closed(self) -> None:
        gone = MonitorGone(f"the monitor in {self.exec_dir} is gone{_fault(self.exec_dir)}")
        for reply in self._replies.values():
            _fail(reply, gone)
        self._replies.clear()
        if self._closing:
            return
        _fail(self._creation, gone)
        _fail(self._greeted, gone)
        self._creation.exception()  # not every handle has someone who waits for these
        self._greeted.exception()
        if not self._exit.done():
            ended = _last_words(self.exec_dir)
            self._event({"event": "exit", "exit": ended.to_fields()})
        _settle(self._gone, None)


async def launch(zygote: Zygote, request: LaunchRequest) -> MonitorHandle:
    """Make a container and its monitor; it waits for `start`.

    Raises what the runtime found wrong, Unavailable where zygote or monitor were lost.
    """
    os.makedirs(request.exec_dir, mode=0o700, exist_ok=True)
    files.remove([f"{request.exec_dir}/exit.json", f"{request.exec_dir}/fault.txt"])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    handle = MonitorHandle(ours, request.exec_dir, request)
    try:
        with theirs:
            await zygote.send("launch", request, [theirs.fileno()])
        await handle.wait_created()
    except WherryError:
        with contextlib.suppress(TimeoutError):  # until it has left, so that a retry may follow
            await asyncio.wait_for(handle.wait_gone(), LEAVING)
        handle.close()
        raise
    except BaseException:
        handle.close()
        raise
    return handle


async def clean(zygote: Zygote, request: LaunchRequest) -> None:
    """Remove what a killed monitor left: the container, its cgroups, its mounts.

    Writes an exit file where there is none. Raises what went wrong.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def received(frame: Frame) -> None:
        if frame.fields.get("event") == "failed":
            _fail(done, failure.from_fields(frame.fields["error"]))
        else:
            _settle(done, None)

    wire = Wire(ours, received, lambda: _fail(done, MonitorGone("the cleaning process is gone")))
    try:
        with theirs:
            await zygote.send("clean", request, [theirs.fileno()])
        await done
    finally:
        wire.close()


async def reattach(exec_dir: str) -> MonitorHandle | Exited | Lost:
    """Find the monitor of an earlier daemon's container, or what became of it.

    A monitor that neither answers nor leaves is ended. Raises Corrupt for files that cannot be
    read, Unavailable for a monitor of a later version.
    """
    record = files.read_record(exec_dir)
    request = record.request if record else None
    if record is None:
        return _result(exec_dir, request) or Lost(f"there is no monitor in {exec_dir}", None)
    if record.boot_id != boot_id():
        return _result(exec_dir, request) or Lost("the machine was restarted", request, 255)
    for _ in range(int(LEAVING / 0.05)):
        sock = _connect(exec_dir)
        if sock is not None:
            return await _greet(sock, exec_dir, request)
        found = _result(exec_dir, request)
        if found is not None:
            return found
        if not is_running(record.monitor.pid, record.monitor.start_time):
            lost = Lost(KILLED, request)
            return _result(exec_dir, request) or lost
        await asyncio.sleep(0.05)
    return _end_silent(record.monitor, request, made=record.init is not None)


def _end_silent(monitor: Identity, request: LaunchRequest | None, *, made: bool) -> Lost:
    """One that hangs holds up no engine: it is ended, with what it runs and its container."""
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        pidfd = open_checked(monitor.pid, monitor.start_time)
        try:
            os.killpg(monitor.pid, signal.SIGKILL)
            wait_exited(pidfd, LEAVING)
        finally:
            os.close(pidfd)
    reason = "its monitor hung" if made else "it was never made: its runtime hung"
    return Lost(f"the container was ended: {reason}", request)


async def _greet(
    sock: socket.socket, exec_dir: str, request: LaunchRequest | None
) -> MonitorHandle | Exited | Lost:
    handle = MonitorHandle(sock, exec_dir, request)
    try:
        await handle.wait_greeted()
    except MonitorGone:
        handle.close()
        return await reattach(exec_dir)
    except BaseException:
        handle.close()
        raise
    if handle.hello["exit"] is not None:
        handle._event({"event": "exit", "exit": handle.hello["exit"]})
    return handle


def _connect(exec_dir: str) -> socket.socket | None:
    try:
        return connect_long(files.socket_path(exec_dir))
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def _result(exec_dir: str, request: LaunchRequest | None) -> Exited | None:
    exit_ = files.read_exit(exec_dir)
    return None if exit_ is None else Exited(exit_, request)


def _last_words(exec_dir: str) -> Exit:
    with contextlib.suppress(Corrupt):
        exit_ = files.read_exit(exec_dir)
        if exit_ is not None:
            return exit_
    return Exit(137, 9, error=KILLED)


def _fault(exec_dir: str) -> str:
    content = read_optional(f"{exec_dir}/fault.txt")
    return f": {content.decode(errors='replace').strip().splitlines()[-1]}" if content else ""


def _settle(future: "asyncio.Future[Any]", value: object) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
