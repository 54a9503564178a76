"""127.0.0.11 inside of containers: names, forwarding, and what becomes of it when somebody dies."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from wherry.linux import netns
from wherry.network.driver import Sandbox
from wherry.network.names import NamedEndpoint, Resolving
from wherry.network.process_handle import NetProcess
from wherry.testing.dns import AAAA, PTR, Answer, NameServer, lookup, lookup_tcp, question, reply

from .conftest import WORLD, Playground, process_id

pytestmark = pytest.mark.root

WEB = NamedEndpoint("e1", "c" * 64, ("web", "www", "c" * 12), ("10.1.0.2",))
DB = NamedEndpoint("e2", "d" * 64, ("db",), ("10.1.0.3", "fd00::3"))
POOL = [NamedEndpoint(f"p{n}", f"{n:064}", ("pool",), (f"10.1.1.{n}",)) for n in range(1, 41)]
NETWORKS = (("n1", "front"),)
NOT_FOUND = 3


class Container(NamedTuple):
    """A process in a namespace of its own."""

    where: int
    sandbox: Sandbox
    process: subprocess.Popen[bytes]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def container(playground: Playground) -> Iterator[Container]:
    made = start(playground)
    yield made
    made.end()


def start(playground: Playground) -> Container:
    where = playground.namespace()
    process = netns.inside(where, lambda: subprocess.Popen(["sleep", "1000"]))
    return Container(where, Sandbox(where, -1, process.pid), process)


async def serving(playground: Playground, container: Container, **how: object) -> NetProcess:
    handle = await NetProcess.open(playground.folder)
    await handle.names.names("n1", [WEB, DB, *POOL])
    resolving = Resolving("x" * 64, NETWORKS)._replace(**how)  # type: ignore[arg-type]
    await handle.names.serve(resolving, container.sandbox)
    return handle


def test_names_of_a_network_are_answered(playground: Playground, container: Container) -> None:
    async def story() -> None:
        handle = await serving(playground, container, links=(("store", "db"), ("Gone", "nobody")))
        await asyncio.to_thread(look)
        await handle.shutdown()

    def look() -> None:
        at = container.where
        assert lookup(at, "web") == Answer(0, ("10.1.0.2",))
        assert lookup(at, "WWW") == Answer(0, ("10.1.0.2",))
        assert lookup(at, "c" * 12) == Answer(0, ("10.1.0.2",))
        assert lookup(at, "web.front") == Answer(0, ("10.1.0.2",))
        assert lookup(at, "web", AAAA) == Answer(0, ())
        assert lookup(at, "db", AAAA) == Answer(0, ("fd00::3",))
        assert lookup(at, "store") == Answer(0, ("10.1.0.3",))
        assert lookup(at, "2.0.1.10.in-addr.arpa", PTR) == Answer(0, ("web.front",))
        assert lookup(at, "web.back") == Answer(2, ())
        many = lookup(at, "pool")
        assert isinstance(many, Answer) and many.truncated and many.code == 0
        first, second = lookup_tcp(at, "pool", "web")
        assert len(first.data) == 40 and second == Answer(0, ("10.1.0.2",))

    playground.run(story)


def test_the_c_library_finds_them(playground: Playground, container: Container) -> None:
    code = "import socket; print(socket.gethostbyaddr('10.1.0.2')[0], socket.gethostbyname('web'))"

    async def story() -> bytes:
        handle = await serving(playground, container)
        said = await asyncio.to_thread(in_container)
        await handle.shutdown()
        return said

    def in_container() -> bytes:
        """With a resolv.conf as a container has it."""
        path = os.path.join(playground.folder, "resolv.conf")
        with open(path, "w") as file:
            file.write("nameserver 127.0.0.11\noptions ndots:0\n")
        inner = f'mount --bind {path} /etc/resolv.conf && exec {sys.executable} -c "$0"'
        command = ["unshare", "-m", "sh", "-c", inner, code]
        return netns.inside(container.where, lambda: subprocess.check_output(command, timeout=60))

    assert playground.run(story) == b"web.front 10.1.0.2\n"


def test_other_names_are_asked_elsewhere(playground: Playground, container: Container) -> None:
    silent = NameServer(playground.world, "10.9.0.2", lambda *_: None)
    seen: list[Answer | str] = []

    def behave(query: bytes, stream: bool) -> bytes:
        if b"\x03big" in query:
            return reply(query, "192.0.2.2") if stream else reply(query, truncated=True)
        if b"\x07missing" in query:
            return reply(query, code=NOT_FOUND)
        return reply(query, "192.0.2.1")

    async def story() -> None:
        handle = await serving(playground, container, nameservers=(WORLD, "127.0.0.53"))
        await asyncio.to_thread(look)
        await handle.shutdown()

    def look() -> None:
        at = container.where
        seen.append(lookup(at, "example.org"))
        seen.append(lookup(at, "missing.example.org"))
        seen.append(lookup(at, "big.example.org"))
        seen.extend(lookup_tcp(at, "big.example.org"))
        seen.append(lookup(at, "web", 15))

    with silent, NameServer(playground.host, "127.0.0.53", behave):
        playground.run(story)
    assert seen == [
        Answer(0, ("192.0.2.1",)),
        Answer(NOT_FOUND, ()),
        Answer(0, (), truncated=True),
        Answer(0, ("192.0.2.2",)),
        Answer(0, ()),
    ]
    assert silent.asked


def test_nobody_to_ask_is_a_failure_at_once(playground: Playground, container: Container) -> None:
    async def story() -> Answer | str:
        handle = await serving(playground, container, nameservers=("192.0.2.1", "no-address"))
        seen = await asyncio.to_thread(lookup, container.where, "example.org")
        await handle.shutdown()
        return seen

    assert playground.run(story) == Answer(2, ())


def test_hundreds_of_questions_at_once(playground: Playground, container: Container) -> None:
    async def story() -> int:
        handle = await serving(playground, container, nameservers=(WORLD,))
        got = await asyncio.to_thread(flood)
        await handle.shutdown()
        return got

    def flood() -> int:
        with _socket(container.where, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.11", 53))
            for number in range(200):
                sock.send(question(f"n{number}.example.org", identity=number))
            return len({sock.recv(500)[:2] for _ in range(200)})

    with NameServer(playground.world, WORLD, lambda query, _: reply(query, "192.0.2.1")):
        assert playground.run(story) == 200


def test_a_server_of_the_containers_own_has_port_53(
    playground: Playground, container: Container
) -> None:
    async def story() -> list[Answer | str]:
        handle = await serving(playground, container)
        seen = await asyncio.to_thread(look)
        await handle.shutdown()
        return seen

    def look() -> list[Answer | str]:
        with NameServer(container.where, "0.0.0.0", lambda query, _: reply(query, "192.0.2.9")):
            at = container.where
            return [lookup(at, "web"), lookup(at, "web", server="127.0.0.1")]

    assert playground.run(story) == [Answer(0, ("10.1.0.2",)), Answer(0, ("192.0.2.9",))]


def test_nonsense_harms_nobody(playground: Playground, container: Container) -> None:
    hostile = [
        b"",
        b"\0" * 11,
        b"\xff" * 512,
        os.urandom(600),
        question("a")[:12] + b"\xc0\x0c\0\x01\0\x01",
        question("a")[:12] + b"\x3fa",
        b"\x12\x34\x01\0\0\x01\xff\xff\xff\xff\xff\xff\0\0\x01\0\x01",
        question("x" * 63 + "." + "y" * 63 + "." + "z" * 63 + "." + "w" * 60),
    ]

    async def story() -> None:
        handle = await serving(playground, container)
        pid = process_id(playground.folder)
        before = len(os.listdir(f"/proc/{pid}/fd"))
        await asyncio.to_thread(attack)
        await asyncio.to_thread(lookup_tcp, container.where, "web")
        assert process_id(playground.folder) == pid
        assert len(os.listdir(f"/proc/{pid}/fd")) <= before + 1
        await handle.shutdown()

    def attack() -> None:
        with _socket(container.where, socket.SOCK_DGRAM) as sock:
            for data in hostile:
                sock.sendto(data, ("127.0.0.11", 53))
        for data in hostile:
            with _socket(container.where, socket.SOCK_STREAM) as sock:
                sock.connect(("127.0.0.11", 53))
                with contextlib.suppress(OSError):
                    sock.sendall(len(data).to_bytes(2, "big") + data + b"\xff\xff")
        assert lookup(container.where, "web") == Answer(0, ("10.1.0.2",))

    playground.run(story)


def test_a_killed_process_is_replaced_with_all_names(
    playground: Playground, container: Container
) -> None:
    async def story() -> Answer | str:
        handle = await serving(playground, container)
        pid = process_id(playground.folder)
        os.kill(pid, signal.SIGKILL)
        for _ in range(200):
            await asyncio.sleep(0.02)
            with contextlib.suppress(FileNotFoundError):
                if process_id(playground.folder) != pid:
                    break
        await handle.published()
        seen = await asyncio.to_thread(lookup, container.where, "web")
        await handle.shutdown()
        return seen

    assert playground.run(story) == Answer(0, ("10.1.0.2",))


def test_it_goes_on_without_a_daemon_and_ends_with_the_container(
    playground: Playground, container: Container
) -> None:
    async def story() -> None:
        handle = await serving(playground, container)
        await handle.close()
        pid = process_id(playground.folder)
        seen = await asyncio.to_thread(lookup, container.where, "web")
        assert seen == Answer(0, ("10.1.0.2",))
        served = sockets(pid)
        container.end()
        for _ in range(200):
            if sockets(pid) == served - 2:
                break
            await asyncio.sleep(0.02)
        assert sockets(pid) == served - 2
        again = await NetProcess.open(playground.folder)
        assert process_id(playground.folder) == pid
        await again.shutdown()

    def sockets(pid: int) -> int:
        folder = f"/proc/{pid}/fd"
        links = []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed just now
                links.append(os.readlink(f"{folder}/{name}"))
        return sum(link.startswith("socket:") for link in links)

    playground.run(story)


def test_a_new_daemon_knows_what_is_served(playground: Playground, container: Container) -> None:
    async def story() -> Answer | str:
        await (await serving(playground, container)).close()
        handle = await NetProcess.open(playground.folder)
        os.kill(process_id(playground.folder), signal.SIGKILL)
        for _ in range(200):
            await asyncio.sleep(0.02)
            seen = await asyncio.to_thread(lookup, container.where, "web")
            if isinstance(seen, Answer):
                break
        await handle.shutdown()
        return seen

    assert playground.run(story) == Answer(0, ("10.1.0.2",))


def test_stopping_and_changing(playground: Playground, container: Container) -> None:
    async def story() -> list[Answer | str]:
        handle = await serving(playground, container)
        await handle.names.names("n1", [WEB._replace(names=("other",))])
        seen = [await asyncio.to_thread(lookup, container.where, name) for name in ("web", "other")]
        await handle.names.serve(Resolving("x" * 64, ()), container.sandbox)
        seen.append(await asyncio.to_thread(lookup, container.where, "other"))
        for _ in range(2):
            await handle.names.stop("x" * 64)
        seen.append(await asyncio.to_thread(lookup, container.where, "other"))
        await handle.shutdown()
        return seen

    failed = Answer(2, ())
    expected = [failed, Answer(0, ("10.1.0.2",)), failed, "ConnectionRefusedError"]
    assert playground.run(story) == expected


def _socket(where: int, kind: int) -> socket.socket:
    return netns.inside(where, lambda: socket.socket(socket.AF_INET, kind))
