"""Real containers of a static busybox, by runc and by our own runtime."""

import asyncio
import contextlib
import glob
import json
import os
import shutil
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from wherry.kit.errors import WherryError
from wherry.linux.mount import Mount
from wherry.monitor.handle import MonitorHandle, launch, reattach
from wherry.monitor.protocol import AttachOptions, LaunchRequest, LogConfig
from wherry.monitor.zygote_handle import Zygote, start

APPLETS = (
    "sh cat echo sleep ls yes stty head dd tty seq true false kill ps printf od wc id env trap"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "system/monitor" in str(item.path) and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def rootfs() -> Iterator[str]:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs busybox-static")
    folder = tempfile.mkdtemp(prefix="wherry-monitor-")
    for name in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        os.mkdir(f"{folder}/{name}")
    shutil.copy(busybox, f"{folder}/bin/busybox")
    for name in APPLETS.split():
        os.symlink("busybox", f"{folder}/bin/{name}")
    yield folder
    shutil.rmtree(folder)
    for parent in glob.glob("/sys/fs/cgroup/*/wherry-test-monitor"):
        with contextlib.suppress(OSError):  # the named hierarchies are links to one folder
            os.rmdir(parent)


def spec(args: list[str], *, tty: bool) -> dict[str, object]:
    capabilities = ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID", "CAP_DAC_OVERRIDE"]
    return {
        "ociVersion": "1.0.2",
        "process": process(args, tty=tty)
        | {
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "mode=755", "size=65536k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["newinstance", "ptmxmode=0666", "mode=0620"],
            },
        ],
        "linux": {
            "cgroupsPath": f"/wherry-test-monitor/{os.urandom(6).hex()}",
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
        },
    }


def process(args: list[str], *, tty: bool = False) -> dict[str, object]:
    return {
        "terminal": tty,
        "user": {"uid": 0, "gid": 0},
        "args": args,
        "env": ["PATH=/bin", "TERM=xterm"],
        "cwd": "/",
    }


class Box:
    """Makes containers in one temporary folder and ends what a test leaves."""

    def __init__(self, zygote: Zygote, rootfs: str, folder: str, runtime: tuple[str, ...]) -> None:
        self.zygote = zygote
        self.rootfs = rootfs
        self.folder = folder
        self.runtime = runtime
        self.handles: list[MonitorHandle] = []
        self.requests: list[LaunchRequest] = []

    def request(self, *args: str, **changes: object) -> LaunchRequest:
        number = len(os.listdir(self.folder))
        name = f"box{os.urandom(4).hex()}"
        bundle = f"{self.folder}/{number}"
        os.makedirs(f"{bundle}/rootfs")
        log = LogConfig(f"{bundle}/{name}-json.log", **changes.pop("log", {}))  # type: ignore[arg-type]
        request = LaunchRequest(
            name,
            f"{bundle}/run",
            bundle,
            (Mount("bind", self.rootfs, ("rbind",)),),
            self.runtime,
            log,
        )._replace(**changes)  # type: ignore[arg-type]
        with open(f"{bundle}/config.json", "w") as file:
            json.dump(spec(list(args), tty=request.tty), file)
        self.requests.append(request)
        return request

    async def create(self, *args: str, **changes: object) -> MonitorHandle:
        return await self.launch(self.request(*args, **changes))

    async def launch(self, request: LaunchRequest) -> MonitorHandle:
        handle = await launch(self.zygote, request)
        self.handles.append(handle)
        assert handle.created is not None
        handle.created.close()
        return handle

    async def run(self, *args: str, **changes: object) -> MonitorHandle:
        handle = await self.create(*args, **changes)
        await handle.start()
        return handle

    def processes(self) -> list[str]:
        """Monitors, guards and inits of our containers that still live (not the zygote)."""
        names = {f"wherry:{request.container_id[:8]}" for request in self.requests}
        names |= {"wherry-guard"}
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as comm:
                name = comm.read().strip()
                if name in names and self.belongs(pid):
                    found.append(f"{pid} {name}")
        return found

    def belongs(self, pid: str) -> bool:
        """By its mount namespace, which only a monitor's family of ours has."""
        with contextlib.suppress(OSError), open(f"/proc/{pid}/mountinfo") as mounts:
            return self.folder in mounts.read()
        return False

    async def close(self) -> None:
        for handle in self.handles:
            handle.close()
        for request in self.requests:
            await end(request)


async def end(request: LaunchRequest) -> None:
    """Whatever still runs of a container."""
    found = await reattach(request.exec_dir)
    if isinstance(found, MonitorHandle):
        with contextlib.suppress(WherryError):
            await found.kill(9)
        await asyncio.wait_for(found.wait_gone(), 20)
        found.close()


RUNTIMES = [pytest.param((), id="own"), pytest.param((shutil.which("runc") or "runc",), id="runc")]


@pytest.fixture
async def zygote() -> AsyncIterator[Zygote]:
    process = await start()
    yield process
    await process.stop()


@pytest.fixture(params=RUNTIMES)
async def box(request: pytest.FixtureRequest, zygote: Zygote, rootfs: str) -> AsyncIterator[Box]:
    folder = tempfile.mkdtemp(prefix="wmt-")
    made = Box(zygote, rootfs, folder, request.param)
    try:
        yield made
        await made.close()
        with open("/proc/self/mountinfo") as mounts:
            assert folder not in mounts.read(), "a mount was left on the host"
        await until(lambda: not made.processes(), 5)
    finally:
        shutil.rmtree(folder)


class Terminal:
    """A client's end of an attached connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def until(self, text: bytes, seconds: float = 10) -> bytes:
        """Read raw output until a text was seen."""
        async with asyncio.timeout(seconds):
            while text not in self._buffer:
                data = await self._loop.sock_recv(self.sock, 65536)
                assert data, f"ended after {self._buffer!r}"
                self._buffer += data
        seen, self._buffer = self._buffer, b""
        return seen

    async def rest(self, seconds: float = 20) -> bytes:
        """Read until the other side closes."""
        parts = [self._buffer]
        async with asyncio.timeout(seconds):
            while data := await self._loop.sock_recv(self.sock, 1 << 20):
                parts.append(data)
        self.sock.close()
        return b"".join(parts)


async def attach(handle: MonitorHandle, attach_id: str = "a", **options: object) -> Terminal:
    ours, theirs = socket.socketpair()
    with theirs:
        await handle.attach(theirs.fileno(), AttachOptions(**options), attach_id)  # type: ignore[arg-type]
    return Terminal(ours)


def demultiplex(data: bytes) -> dict[int, bytes]:
    """Docker's frames → stream → bytes."""
    streams = {1: b"", 2: b""}
    while data:
        stream, length = struct.unpack(">BxxxI", data[:8])
        streams[stream] += data[8 : 8 + length]
        data = data[8 + length :]
    return streams


def log_lines(handle: MonitorHandle) -> list[dict[str, str]]:
    assert handle.request is not None
    return [json.loads(line) for line in Path(handle.request.log.path).read_bytes().splitlines()]


Maker = Callable[..., LaunchRequest]


async def until(ready: Callable[[], bool], seconds: float = 15) -> None:
    """Look until something is so."""
    for _ in range(int(seconds / 0.01)):
        if ready():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become so in time")
