"""Told by a plain user who is root of a user namespace: `unshare --user --map-root-user python …`.

Makes a namespace for the bridges and one for a container, joins them, and prints as JSON what
could be reached. Run by test_plain.py.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent.parent / "src"))
sys.path.insert(0, str(Path(__file__).parent))

from conftest import Server, ask, in_thread, stop_process
from wherry.kit.errors import Unavailable
from wherry.linux import namespace, netns, rtnetlink
from wherry.linux.netlink import NetlinkSocket
from wherry.network.bridge import BridgeDriver
from wherry.network.driver import Endpoint, Network, Sandbox
from wherry.network.names import NamedEndpoint, Resolving
from wherry.network.outbound import host_address
from wherry.network.ports import PortBinding
from wherry.network.process_handle import NetProcess
from wherry.network.sockets import BridgeSockets
from wherry.testing.dns import Answer, lookup

NET = Network("n", "bridge", bridge="wherry0", subnet="172.17.0.0/16", gateway="172.17.0.1")
INSIDE = Network(
    "i", "inside", bridge="wbr1", subnet="172.18.0.0/16", gateway="172.18.0.1", internal=True
)
QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07invalid\x00\x00\x01\x00\x01"


def new_namespace() -> int:
    """A network namespace of our user namespace."""

    def make() -> int:
        namespace.unshare(netns.CLONE_NEWNET)
        with NetlinkSocket.open() as route:
            route.request(rtnetlink.up_by_name_message("lo"))
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return in_thread(make)


class Host:
    """Servers in the real host namespace, on loopback and on every address."""

    def __init__(self) -> None:
        self.open = socket.create_server(("0.0.0.0", 0))
        self.local = socket.create_server(("127.0.0.1", 0))
        for server in (self.open, self.local):
            threading.Thread(target=self._serve, args=(server,), daemon=True).start()

    def _serve(self, server: socket.socket) -> None:
        while True:
            client, _ = server.accept()
            client.sendall(b"host")
            client.close()


def dns(where: int, server: str) -> str:
    """Whether a query to any server is answered, with our id."""
    kind = socket.SOCK_DGRAM
    with netns.inside(where, lambda: socket.socket(socket.AF_INET, kind)) as sock:
        sock.settimeout(8)
        sock.connect((server, 53))
        sock.send(QUERY)
        try:
            return "answered" if sock.recv(512)[:2] == QUERY[:2] else "nonsense"
        except OSError as error:
            return type(error).__name__


def upload(where: int, address: str) -> int:
    """How many bytes of 64 MiB arrive."""
    server = socket.create_server((address, 0))
    counted: list[int] = []

    def count() -> None:
        client, _ = server.accept()
        counted.append(0)
        while data := client.recv(1 << 20):
            counted[0] += len(data)
        client.sendall(b"done")
        client.close()

    thread = threading.Thread(target=count)
    thread.start()
    with netns.inside(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as sock:
        sock.connect(server.getsockname())
        for _ in range(64):
            sock.sendall(bytes(1 << 20))
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(10) == b"done"
    thread.join()
    return counted[0]


async def main() -> dict[str, object]:
    """The story."""
    folder = tempfile.mkdtemp(prefix="wherry-net-")
    engine, box, inner = new_namespace(), new_namespace(), new_namespace()
    try:
        ports = await NetProcess.open(folder, engine)
        driver = BridgeDriver("e" * 64, BridgeSockets.open(engine), ports, own_netns=True)
        await driver.restore([NET, INSIDE])
        web = Endpoint("a" * 64, "web", 1, "172.17.0.2", ports=(PortBinding("tcp", 80),))
        udp = Endpoint("c" * 64, "udp", 1, "172.18.0.2", ports=(PortBinding("udp", 53),))
        joined = await driver.join(NET, web, Sandbox(box, -1, os.getpid()))
        inside = await driver.join(INSIDE, udp, Sandbox(inner, -1, os.getpid()))
        again = await driver.join(NET, web, Sandbox(box, -1, os.getpid()))
        published = joined.ports[0].host_port, inside.ports[0].host_port
        results = await names(box, ports)
        results |= await asyncio.to_thread(look, box, inner, *published)
        results["joined again"] = again == joined
        results |= await guarded(driver)
        await kill(folder, ports)
        results["outbound after a crash"] = await asyncio.to_thread(
            ask, box, host_address(), Host().open.getsockname()[1]
        )
        with Server(box, 80):
            results["published after a crash"] = await asyncio.to_thread(
                ask, -1, "127.0.0.1", published[0]
            )
        await driver.leave(NET, web)
        results["published after leaving"] = await asyncio.to_thread(
            ask, -1, "127.0.0.1", published[0]
        )
        await ports.shutdown()
        return results
    finally:
        stop_process(folder)


async def guarded(driver: BridgeDriver) -> dict[str, object]:
    """What a container with egress rules reaches."""
    box, address = new_namespace(), host_address()
    with Server(-1, 0) as good, Server(-1, 0) as bad, Server(-1, 0, socket.SOCK_DGRAM) as udp:
        rules = f"allow={address}:{good.port} default=deny"
        endpoint = Endpoint("9" * 64, "g", 1, "172.17.0.9", container_id="9" * 64, egress=rules)
        await driver.join(NET, endpoint, Sandbox(box, -1, os.getpid()))
        found = {
            "allowed": await asyncio.to_thread(ask, box, address, good.port),
            "denied": await asyncio.to_thread(ask, box, address, bad.port),
            "denied udp": await asyncio.to_thread(
                ask, box, address, udp.port, kind=socket.SOCK_DGRAM
            ),
            "denied dns": await asyncio.to_thread(dns, box, "8.8.8.8"),
        }
    await driver.leave(NET, endpoint)
    return {**found, "allowed": found["allowed"] == address}


async def names(box: int, ports: NetProcess) -> dict[str, object]:
    """What 127.0.0.11 says in the first container."""
    init = netns.inside(box, lambda: subprocess.Popen(["sleep", "1000"]))
    try:
        await ports.names.names("n", [NamedEndpoint("e", "f" * 64, ("web",), ("172.17.0.2",))])
        resolving = Resolving("f" * 64, (("n", "front"),))
        await ports.names.serve(resolving, Sandbox(box, -1, init.pid))
        answer = await asyncio.to_thread(lookup, box, "web.front")
        return {"a name": answer.data if isinstance(answer, Answer) else answer}
    finally:
        init.kill()
        init.wait()


async def kill(folder: str, ports: NetProcess) -> None:
    """Kill the network process and wait for its successor."""
    with open(f"{folder}/wherry-net.json") as file:
        pid = json.load(file)["pid"]
    os.kill(pid, 9)
    for _ in range(100):
        await asyncio.sleep(0.02)
        with contextlib.suppress(Unavailable, FileNotFoundError):
            await ports.published()
            with open(f"{folder}/wherry-net.json") as file:
                if json.load(file)["pid"] != pid:
                    return
    raise SystemExit("no successor came")


def look(box: int, inner: int, tcp: int, udp: int) -> dict[str, object]:
    """Everything that is asked while both containers live."""
    host, address = Host(), host_address()
    everywhere, local = host.open.getsockname()[1], host.local.getsockname()[1]
    results: dict[str, object] = {
        "the host's address": ask(box, address, everywhere),
        "gateway": ask(box, NET.gateway, everywhere),
        "the host's loopback by the gateway": ask(box, NET.gateway, local),
        "a closed port": ask(box, address, 1),
        "dns": dns(box, "8.8.8.8"),
        "dns at the gateway": dns(box, NET.gateway),
        "internal network": ask(inner, address, everywhere, patience=1),
        "upload": upload(box, address),
    }
    with Server(-1, 0, socket.SOCK_DGRAM) as out:
        datagrams = {"kind": socket.SOCK_DGRAM, "patience": 5.0}
        results["udp"] = ask(box, address, out.port, **datagrams) == address
        results["udp by the gateway"] = ask(box, NET.gateway, out.port, **datagrams) == address
        results["udp from an internal network"] = ask(
            inner, address, out.port, kind=socket.SOCK_DGRAM, patience=1
        )
    results["udp to a closed port"] = ask(box, address, out.port, **datagrams)
    with Server(box, 80), Server(inner, 53, socket.SOCK_DGRAM):
        results["published"] = ask(-1, "127.0.0.1", tcp)
        results["published udp"] = ask(-1, "127.0.0.1", udp, kind=socket.SOCK_DGRAM)
        results["published, from the container"] = ask(box, address, tcp)
    results["loopback by a raw route"] = raw_loopback(box, local)
    return results


def raw_loopback(box: int, port: int) -> str:
    """A container that routes 127.0.0.0/8 to its gateway must not reach the host's loopback."""

    def route_localnet() -> None:
        with open("/proc/sys/net/ipv4/conf/all/route_localnet", "w") as file:
            file.write("1")
        with NetlinkSocket.open() as route:
            lo = rtnetlink.link(route, "lo")
            assert lo is not None
            route.request(
                rtnetlink.address_message(lo.ifindex, "127.0.0.1", 8, remove=True),
                rtnetlink.route_message("127.0.0.2", 32, gateway=NET.gateway),
            )

    netns.inside(box, route_localnet)
    return ask(box, "127.0.0.2", port, patience=1)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
