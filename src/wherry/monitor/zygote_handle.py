"""The daemon's handle on its zygote (asyncio)."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Sequence

import wherry
from wherry.kit.errors import InvalidInput, Unavailable
from wherry.linux import fdpass
from wherry.monitor.protocol import Fields, LaunchRequest
from wherry.runtime.protect import sealed_copy

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "WHERRY_FAILPOINTS")
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]);from wherry.monitor.zygote import serve; serve()"
)
START_PATIENCE = 30.0
"""Seconds until a zygote must have said that it is ready (a loaded machine included)."""


class Zygote:
    """A running zygote. It ends when this is stopped, or with this process."""

    def __init__(self, sock: socket.socket, pid: int) -> None:
        self._sock = sock
        self._lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._exited = self._loop.create_future()
        self._ready = self._loop.create_future()
        self._pidfd = os.pidfd_open(pid)
        self.pid = pid
        self._loop.add_reader(self._pidfd, self._reap)
        self._loop.add_reader(sock.fileno(), self._receive)

    async def ready(self) -> None:
        """Wait until it can fork. Raises Unavailable."""
        waiting = asyncio.wait((self._ready, self._exited), return_when=asyncio.FIRST_COMPLETED,
                               timeout=START_PATIENCE)  # fmt: skip
        await waiting
        if not self._ready.done() or self.gone:
            raise Unavailable(
                f"the zygote (process {self.pid}) did not start; "
                "try `wherry doctor`, its interpreter may not run from a sealed copy"
            )

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._exited.done()

    async def send(self, what: str, request: LaunchRequest, fds: Sequence[int]) -> None:
        """Have it fork. Raises Unavailable where it is gone."""
        data = json.dumps({"do": what, "launch": request.to_fields()}).encode()
        async with self._lock:
            while not self._try_send(data, fds):
                await self._writable()

    async def stop(self) -> None:
        """Close our end and wait for the process to leave; monitors stay."""
        self._close()
        await self._exited

    def _try_send(self, data: bytes, fds: Sequence[int]) -> bool:
        if self.gone or self._sock.fileno() < 0:
            raise Unavailable(f"the zygote (process {self.pid}) is gone")
        try:
            fdpass.send(self._sock, data, fds)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Unavailable(f"the zygote (process {self.pid}) is gone") from error
        except OSError as error:
            raise InvalidInput(f"a launch of {len(data)} bytes: {error.strerror}") from error
        return True

    async def _writable(self) -> None:
        writable = self._loop.create_future()
        self._loop.add_writer(self._sock.fileno(), writable.set_result, None)
        try:
            await asyncio.wait((writable, self._exited), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._sock.fileno() >= 0:
                self._loop.remove_writer(self._sock.fileno())

    def _receive(self) -> None:
        try:
            data, _ = fdpass.receive(self._sock)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self._close()
        elif not self._ready.done() and "ready" in _fields(data):
            self._ready.set_result(None)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._close()
        self._exited.set_result(None)

    def _close(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()


async def start(python: str | None = None) -> Zygote:
    """Start a zygote with this interpreter (or another). Raises Unavailable, OSError."""
    path = _interpreter(python)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    try:
        pid = _spawn(path, theirs.fileno())
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    zygote = Zygote(ours, pid)
    await zygote.ready()
    return zygote


def _interpreter(python: str | None) -> str:
    """The real program: a virtual environment's link would lead it to site-packages."""
    return os.path.realpath(python or sys.executable)


def _spawn(path: str, sock: int) -> int:
    """posix_spawn, not fork: it costs the same whatever the size of this process."""
    source = os.path.dirname(os.path.dirname(os.path.abspath(wherry.__file__)))
    argv = [path, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, source]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    sealed = sealed_copy(path)
    try:
        program = f"/proc/self/fd/{sealed}"
        actions = [(os.POSIX_SPAWN_DUP2, sock, 3)]
        return os.posix_spawn(program, argv, environment, file_actions=actions)
    finally:
        os.close(sealed)


def _fields(data: bytes) -> Fields:
    fields: Fields = json.loads(data)
    return fields
