"""The network process: found again, replaced when killed, ended when told. Any user may run it."""

import asyncio
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import wherry
from wherry.kit.errors import Conflict, NotPermitted, Unavailable
from wherry.network.ports import PortBinding
from wherry.network.process_handle import NetProcess

from .conftest import process_id, stop_process


@pytest.fixture
async def folder() -> AsyncIterator[str]:
    made = tempfile.mkdtemp(prefix="wherry-net-")
    yield made
    stop_process(made)


class Target:
    """A server on loopback that says hello."""

    def __init__(self, server: asyncio.Server) -> None:
        self.server = server
        self.port: int = server.sockets[0].getsockname()[1]

    async def reached_by(self, port: int, host: str = "127.0.0.1") -> bytes:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 5)
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    yield Target(server)
    server.close()


async def test_a_new_daemon_finds_the_process_and_its_ports(folder: str, target: Target) -> None:
    first = await NetProcess.open(folder)
    (v4, *_) = await first.publish("e1", "127.0.0.1", (PortBinding("tcp", target.port),))
    pid = process_id(folder)
    await first.close()
    assert await target.reached_by(v4.host_port) == b"hello"
    second = await NetProcess.open(folder)
    assert process_id(folder) == pid
    (entry,) = await second.published()
    assert v4 in entry.ports
    again = await second.publish("e1", "127.0.0.1", (PortBinding("tcp", target.port),))
    assert v4 in again
    await second.shutdown()
    await _gone(pid)
    assert os.listdir(folder) == ["lock"] or set(os.listdir(folder)) == {"lock", "log"}


async def test_a_killed_process_is_replaced_and_its_ports_taken_over(
    folder: str, target: Target
) -> None:
    handle = await NetProcess.open(folder)
    ports = await handle.publish("e1", "127.0.0.1", (PortBinding("tcp", target.port),))
    for _ in range(2):
        pid = process_id(folder)
        os.kill(pid, signal.SIGKILL)
        await _gone(pid)
        for _attempt in range(100):
            try:
                assert await target.reached_by(ports[0].host_port) == b"hello"
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
        else:
            pytest.fail("nobody took the port over")
    (entry,) = await handle.published()
    assert set(entry.ports) == set(ports)
    await handle.shutdown()


async def test_a_restarted_daemon_replaces_a_process_that_died_meanwhile(
    folder: str, target: Target
) -> None:
    first = await NetProcess.open(folder)
    (v4, *_) = await first.publish("e1", "127.0.0.1", (PortBinding("tcp", target.port),))
    await first.close()
    pid = process_id(folder)
    os.kill(pid, signal.SIGKILL)
    await _gone(pid)
    second = await NetProcess.open(folder)
    assert process_id(folder) != pid
    assert await second.published() == ()
    bindings = (PortBinding("tcp", target.port, "", v4.host_port),)
    assert v4 in await second.publish("e1", "127.0.0.1", bindings)
    assert await target.reached_by(v4.host_port) == b"hello"
    await second.shutdown()


async def test_a_taken_port_is_a_conflict_and_takes_nothing_else(
    folder: str, target: Target
) -> None:
    handle = await NetProcess.open(folder)
    (v4, *_) = await handle.publish("e1", "127.0.0.1", (PortBinding("tcp", target.port),))
    text = f"Bind for 0.0.0.0:{v4.host_port} failed: port is already allocated"
    wanted = (PortBinding("tcp", 80), PortBinding("tcp", 81, "", v4.host_port))
    with pytest.raises(Conflict) as caught:
        await handle.publish("e2", "127.0.0.1", wanted)
    assert str(caught.value) == text
    assert [entry.endpoint for entry in await handle.published()] == ["e1"]
    await handle.withdraw("e1")
    await handle.withdraw("e1")
    await handle.publish("e2", "127.0.0.1", wanted)
    await handle.shutdown()


@pytest.mark.parametrize(
    ("binding", "error"),
    [
        (PortBinding("sctp", 80), "sctp ports is not supported"),
        (PortBinding("tcp", 0), "invalid port"),
        (PortBinding("tcp", 80, "203.0.113.9", 8080), "not one of this host's"),
        (PortBinding("tcp", 80, "no-address", 8080), "no-address"),
    ],
)
async def test_what_cannot_be_published_is_refused(
    folder: str, binding: PortBinding, error: str
) -> None:
    handle = await NetProcess.open(folder)
    with pytest.raises(Exception, match=error):
        await handle.publish("e", "127.0.0.1", (binding,))
    assert await handle.published() == ()
    await handle.shutdown()


async def test_udp_is_relayed_for_several_clients(folder: str) -> None:
    handle = await NetProcess.open(folder)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        port = server.getsockname()[1]
        (v4, *_) = await handle.publish("e", "127.0.0.1", (PortBinding("udp", port),))
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]

        def talk() -> list[bytes]:
            for number, client in enumerate(clients):
                client.settimeout(5)
                client.connect(("127.0.0.1", v4.host_port))
                client.send(b"%d" % number)
            for _ in clients:
                data, address = server.recvfrom(100)
                server.sendto(b"to " + data, address)
            return [client.recv(100) for client in clients]

        assert await asyncio.to_thread(talk) == [b"to 0", b"to 1", b"to 2"]
        for client in clients:
            client.close()
    await handle.shutdown()


async def test_running_out_of_descriptors_ends_nothing(folder: str, target: Target) -> None:
    handle = await NetProcess.open(folder)
    wanted = (PortBinding("tcp", target.port), PortBinding("udp", target.port))
    ports = await handle.publish("e", "127.0.0.1", wanted)
    tcp, udp = ports[0].host_port, ports[-1].host_port
    pid = process_id(folder)
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    in_use = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use + 5, limits[1]))
    clients = [socket.socket() for _ in range(30)]
    senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(30)]
    for client, sender in zip(clients, senders, strict=True):
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", tcp))
        sender.sendto(b"x", ("127.0.0.1", udp))
    await asyncio.sleep(0.2)
    for sock in (*clients, *senders):
        sock.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert await target.reached_by(tcp) == b"hello"
    assert process_id(folder) == pid
    await handle.shutdown()


def test_the_process_imports_the_standard_library_only() -> None:
    source = str(Path(wherry.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {source!r}); import wherry.network.process; "
        "print(*sorted(sys.modules))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    modules = set(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    )
    assert "wherry.network.relay" in modules
    assert not modules & {"msgspec", "asyncio", "logging", "ssl", "subprocess", "ipaddress"}


async def test_a_second_process_for_one_engine_is_refused(folder: str) -> None:
    handle = await NetProcess.open(folder)
    pid = process_id(folder)
    shutil.copy(f"{folder}/wherry-net.json", f"{folder}/kept")
    os.unlink(f"{folder}/wherry-net.json")  # as if it had never said who it is
    with pytest.raises(Unavailable, match="another network process works in"):
        await NetProcess.open(folder)
    os.rename(f"{folder}/kept", f"{folder}/wherry-net.json")
    await handle.shutdown()
    await _gone(pid)


async def test_nonsense_on_the_socket_harms_nobody(folder: str) -> None:
    handle = await NetProcess.open(folder)
    for line in (b"\n", b"{\n", b"[]\n", b'{"do":"fly"}\n', b'{"do":"publish"}\n', b"x" * 100):
        reader, writer = await asyncio.open_unix_connection(f"{folder}/s")
        writer.write(line)
        writer.write_eof()
        assert b"ok" not in await reader.read()
        writer.close()
    assert await handle.published() == ()
    await handle.shutdown()


async def test_outbound_needs_a_namespace_of_its_own(folder: str) -> None:
    handle = await NetProcess.open(folder)
    with pytest.raises(Conflict, match="namespace of its own"):
        await handle.outbound(["172.17.0.1"])
    await handle.shutdown()


async def test_a_privileged_port_says_what_allows_it(folder: str) -> None:
    if os.geteuid() == 0:
        pytest.skip("needs a plain user")
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        if int(file.read()) <= 81:
            pytest.skip("this host allows low ports to everybody")
    handle = await NetProcess.open(folder)
    with pytest.raises(NotPermitted, match="ip_unprivileged_port_start=81"):
        await handle.publish("e", "127.0.0.1", (PortBinding("tcp", 80, "", 81),))
    await handle.shutdown()


async def test_an_unusable_folder_is_a_clear_error(folder: str) -> None:
    with pytest.raises(Unavailable, match="AF_UNIX path too long"):
        await NetProcess.open(f"{folder}/{'x' * 120}")


async def _gone(pid: int) -> None:
    for _ in range(200):
        if not os.path.exists(f"/proc/{pid}") or _is_zombie(pid):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"process {pid} is still there")


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
