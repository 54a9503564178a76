"""`./dev demo`: the main job, with nothing but a static busybox.

An engine is opened in this process over a temporary root; an image is made by `import`; a container
of it runs, is looked at, and ends. As root and as a plain user; nothing is left behind.
"""

import asyncio
import io
import os
import shutil
import socket
import sys
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator

from wherry.daemon import keeper
from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.execs import ExecCreateRequest, ExecStartRequest
from wherry.dockerapi.filters import Filters
from wherry.dockerapi.host_config import HostConfig
from wherry.dockerapi.streams import Decoder
from wherry.engine import opening
from wherry.engine.containers import create, lifecycle, listing, logs, removal, waiting
from wherry.engine.engine import Engine
from wherry.engine.execs import use as execs
from wherry.engine.images import import_, remove
from wherry.engine.images import listing as images
from wherry.engine.settings import EngineSettings
from wherry.kit.errors import WherryError
from wherry.kit.units import human_size

APPLETS = "sh echo cat id ps ls sleep hostname uname head wc seq true".split()
SCRIPT = (
    'echo "hello from $(hostname), PID $$, user $(id -un)"; '
    'echo "processes I can see: $(ls -d /proc/[0-9]* | wc -l)"; '
    "echo this goes to stderr >&2; sleep 1; exit 7"
)


class SocketPair:
    """The part of a client's connection that an exec writes its output into."""

    def __init__(self) -> None:
        self.ours, self._theirs = socket.socketpair()
        self.taken = False

    async def take(self, multiplexed: bool = False) -> tuple[socket.socket, bytes]:
        """See engine.containers.attach.Hijacked."""
        del multiplexed
        self.taken = True
        return self._theirs, b""


def main() -> int:
    """The exit code: 0 when everything was as it should be."""
    busybox = shutil.which("busybox", path="/bin:/usr/bin:/usr/local/bin")
    if busybox is None:
        sys.stderr.write(
            "the demo needs a static busybox (Debian: apt-get install busybox-static)\n"
        )
        return 1
    folder = tempfile.mkdtemp(prefix="wherry-demo-")
    settings = EngineSettings(root=f"{folder}/root", exec_root=f"{folder}/exec", bridge="")
    try:
        place = keeper.enter(settings.exec_root)
        asyncio.run(_demo(settings._replace(engine_netns=place.netns), place, busybox))
    except WherryError as error:
        sys.stderr.write(f"the demo failed: {error}\n")
        return 1
    finally:
        keeper.stop(settings.exec_root)
        shutil.rmtree(folder)
    left = "nothing" if not os.path.exists(folder) else folder
    _say(f"left behind: {left}")
    return 0


async def _demo(settings: EngineSettings, place: keeper.Place, busybox: str) -> None:
    who = {"real": "root", "single": "a plain user with one id", "mapped": "a plain user"}
    began = time.monotonic()
    engine = await opening.open_engine(settings, place.ids)
    try:
        _say(f"an engine in this process, as {who[place.ids]}: no daemon, no docker, no network")
        await _make_image(engine, busybox)
        await _run(engine)
        await _clean(engine)
    finally:
        await opening.close(engine)
    _say(f"all of it took {time.monotonic() - began:.1f} s")


async def _make_image(engine: Engine, busybox: str) -> None:
    _command(f"wherry import {os.path.basename(busybox)}.tar demo:latest")
    what = import_.wanted("demo", "latest", "demo", ['CMD ["sh"]'], "", engine.settings.platform)
    await import_.import_image(engine, _pieces(_root_file_system(busybox)), what)
    _command("wherry images")
    for image in await images.list_images(engine, Filters()):
        tags = ", ".join(image.repo_tags or ())
        _output(f"{tags}  {image.id[7:19]}  {human_size(image.size)}")


def _root_file_system(busybox: str) -> bytes:
    """A tar with busybox, its names, and an /etc/passwd."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        with open(busybox, "rb") as file:
            _add(tar, "bin/busybox", file.read(), 0o755)
        _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", 0o644)
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    tar.addfile(member, io.BytesIO(data))


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 18):
        yield data[start : start + (1 << 18)]


async def _run(engine: Engine) -> None:
    _command("wherry run -d --name hello --network none demo sh -c '…'")
    request = ContainerCreateRequest(
        image="demo",
        cmd=["sh", "-c", SCRIPT],
        host_config=HostConfig(network_mode="none"),
    )
    made = await create.create(engine, "hello", request, None)
    began = time.monotonic()
    await lifecycle.start(engine, made.id)
    _output(f"{made.id[:12]}  started in {(time.monotonic() - began) * 1000:.0f} ms")
    _command("wherry ps")
    for row in await listing.list_containers(engine, True, 0, False, Filters()):
        _output(f"{row.id[:12]}  {row.image}  {row.status}  {row.names[0].lstrip('/')}")
    await _exec(engine, made.id)
    _command("wherry wait hello")
    async for answer in await waiting.wait(engine, made.id, "not-running"):
        _output(str(answer.status_code))
    _command("wherry logs hello")
    await _logs(engine, made.id)


async def _exec(engine: Engine, container: str) -> None:
    _command("wherry exec hello ps")
    request = ExecCreateRequest(cmd=["ps"], attach_stdout=True, attach_stderr=True)
    made = await execs.create(engine, container, request)
    connection = SocketPair()
    await execs.start(engine, made, ExecStartRequest(), connection)
    reader, writer = await asyncio.open_connection(sock=connection.ours)
    decoder = Decoder()
    while data := await reader.read(1 << 16):
        for _, payload in decoder.feed(data):
            _output(payload.decode().rstrip())
    writer.close()


async def _logs(engine: Engine, container: str) -> None:
    decoder = Decoder()
    async for piece in await logs.logs(engine, container, logs.LogsOptions(True, True)):
        for stream, payload in decoder.feed(piece):
            _output(f"{'stderr' if stream == 2 else 'stdout'}: {payload.decode().rstrip()}")


async def _clean(engine: Engine) -> None:
    _command("wherry rm hello && wherry rmi demo")
    await removal.remove(engine, "hello")
    for gone in await remove.remove(engine, "demo", force=False):
        _output(f"Untagged: {gone.untagged}" if gone.untagged else f"Deleted: {gone.deleted[:19]}")


def _say(text: str) -> None:
    sys.stdout.write(f"» {text}\n")


def _command(text: str) -> None:
    sys.stdout.write(f"$ {text}\n")


def _output(text: str) -> None:
    for line in text.splitlines():
        sys.stdout.write(f"    {line}\n")


if __name__ == "__main__":
    sys.exit(main())
