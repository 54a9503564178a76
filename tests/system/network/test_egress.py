"""Egress rules as root: what a guarded container reaches, with real packets between namespaces."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from wherry.kit.errors import InvalidInput
from wherry.linux import netns, rtnetlink
from wherry.network.bridge import BridgeDriver
from wherry.network.driver import Endpoint, Network, Sandbox
from wherry.network.names import Resolving
from wherry.network.ports import PortBinding
from wherry.network.process_handle import NetProcess
from wherry.network.sockets import BridgeSockets
from wherry.testing.dns import Answer, NameServer, lookup, reply

from .conftest import HOST, WORLD, Playground, Server, ask, process_id

pytestmark = pytest.mark.root

ENGINE = "0123456789abcdef"
NET = Network("n1", "front", bridge="wbr1", subnet="172.17.0.0/16", gateway="172.17.0.1")
OTHER = Network("n2", "back", bridge="wbr2", subnet="172.18.0.0/16", gateway="172.18.0.1")
RULES = f"allow=good.example:99,*.good.example,{WORLD}:7 default=deny"
GUARDED = Endpoint(
    "a" * 64,
    "one",
    1,
    "172.17.0.2",
    ports=(PortBinding("tcp", 80, "", 8080),),
    container_id="c" * 64,
    egress=RULES,
)
FREE = Endpoint("b" * 64, "two", 1, "172.17.0.3")
FAR = Endpoint("d" * 64, "far", 1, "172.18.0.2")
RESET, PROHIBITED = "ConnectionResetError", "OSError"
UDP = socket.SOCK_DGRAM


class Stage:
    """A guarded and a free container on one network, another one elsewhere, and the world."""

    def __init__(self, playground: Playground) -> None:
        self.playground = playground
        self.guarded, self.free, self.far = (playground.sandbox() for _ in range(3))
        self.init = netns.inside(self.one, lambda: subprocess.Popen(["sleep", "1000"]))
        self.told: list[dict[str, Any]] = []

    @property
    def one(self) -> int:
        return self.guarded.netns_fd

    def tell(self, story: Callable[[BridgeDriver, NetProcess], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            ports = await NetProcess.open(self.playground.folder)
            ports.guards.denied.append(self.told.append)
            driver = BridgeDriver(ENGINE, BridgeSockets.open(), ports, own_netns=False)
            await driver.restore([NET, OTHER])
            await driver.join(NET, GUARDED, self.guarded)
            await driver.join(NET, FREE, self.free)
            await driver.join(OTHER, FAR, self.far)
            resolving = Resolving("c" * 64, (), nameservers=(WORLD,))
            await ports.names.serve(resolving, Sandbox(self.one, -1, self.init.pid))
            await story(driver, ports)
            await ports.shutdown()

        self.playground.run(run)

    def resolve(self, name: str) -> Answer | str:
        return lookup(self.one, name)

    def ask(self, address: str, port: int, kind: int = socket.SOCK_STREAM) -> str:
        return ask(self.one, address, port, kind=kind)

    def denials(self) -> list[tuple[str, str, str, int]]:
        return [
            (each["protocol"], each["name"], each["address"], each["port"]) for each in self.told
        ]

    def close(self) -> None:
        self.init.kill()
        self.init.wait()


@pytest.fixture
def stage(playground: Playground) -> Iterator[Stage]:
    made = Stage(playground)
    with NameServer(playground.world, WORLD, lambda query, _: reply(query, WORLD)):
        yield made
    made.close()


def test_names_open_what_their_answers_say(stage: Stage) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append(stage.ask(WORLD, 99))
        seen.append(stage.resolve("good.example"))
        seen.append(stage.ask(WORLD, 99))
        seen.append(stage.ask(WORLD, 98))
        seen.append(stage.resolve("bad.example"))
        seen.append(stage.resolve("sub.good.example"))
        seen.append(stage.ask(WORLD, 98))
        seen.append(stage.ask(WORLD, 53))

    async def story(driver: BridgeDriver, ports: NetProcess) -> None:
        await asyncio.to_thread(look)

    world = stage.playground.world
    with Server(world, 99), Server(world, 98):
        stage.tell(story)
    found = Answer(0, (WORLD,))
    expected = [RESET, found, HOST, RESET, Answer(3, ()), found, HOST, RESET]
    assert seen == expected
    assert stage.denials() == [
        ("tcp", "", WORLD, 99),
        ("tcp", "good.example", WORLD, 98),
        ("dns", "bad.example", "", 53),
        ("tcp", "good.example", WORLD, 53),
    ]


def test_datagrams_follow_the_same_rules(stage: Stage) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append(stage.ask(WORLD, 7, UDP))
        seen.append(stage.ask(WORLD, 8, UDP))
        seen.append(stage.ask(WORLD, 53, UDP))
        seen.append(stage.resolve("sub.good.example"))
        seen.append(stage.ask(WORLD, 8, UDP))
        seen.append(stage.ask(WORLD, 9, UDP))
        seen.extend(one_socket())

    def one_socket() -> list[tuple[str, int]]:
        """Several destinations and one that is denied, from one port."""
        with netns.inside(stage.one, lambda: socket.socket(socket.AF_INET, UDP)) as sock:
            sock.settimeout(5)
            for port in (7, 8, 7):
                sock.sendto(b"x", (WORLD, port))
            return sorted(sock.recvfrom(100)[1] for _ in range(3))

    async def story(driver: BridgeDriver, ports: NetProcess) -> None:
        await asyncio.to_thread(look)

    world = stage.playground.world
    with Server(world, 7, UDP), Server(world, 8, UDP):
        stage.tell(story)
    assert seen[:3] == [HOST, PROHIBITED, PROHIBITED]
    assert seen[4:6] == [HOST, "ConnectionRefusedError"]
    assert seen[6:] == [(WORLD, 7), (WORLD, 7), (WORLD, 8)]
    assert stage.denials()[:2] == [("udp", "", WORLD, 8), ("udp", "", WORLD, 53)]


def test_only_the_guarded_one_is_held_and_its_network_stays_open(stage: Stage) -> None:
    seen: dict[str, str] = {}

    def look() -> None:
        at = stage.playground
        seen["guarded"] = stage.ask(WORLD, 99)
        seen["free"] = ask(stage.free.netns_fd, WORLD, 99)
        seen["neighbour"] = stage.ask("172.17.0.3", 80)
        seen["by a neighbour"] = ask(stage.free.netns_fd, "172.17.0.2", 80)
        seen["another network"] = ask(stage.one, "172.18.0.2", 80, patience=0.5)
        seen["published"] = ask(at.world, HOST, 8080)
        seen["the host"] = stage.ask("172.17.0.1", 97)
        seen["ping"] = ping(stage.one, WORLD)

    async def story(driver: BridgeDriver, ports: NetProcess) -> None:
        await asyncio.to_thread(look)

    at = stage.playground
    with (
        Server(at.world, 99),
        Server(at.host, 97),
        Server(stage.free.netns_fd, 80),
        Server(stage.one, 80),
        Server(stage.far.netns_fd, 80),
    ):
        stage.tell(story)
    assert seen == {
        "guarded": RESET,
        "free": HOST,
        "neighbour": "172.17.0.2",
        "by a neighbour": "172.17.0.3",
        "another network": PROHIBITED,
        "published": WORLD,
        "the host": RESET,
        "ping": "prohibited",
    }


def ping(where: int, address: str) -> str:
    """What an echo request brings back."""
    kind, protocol = socket.SOCK_RAW, socket.IPPROTO_ICMP
    with netns.inside(where, lambda: socket.socket(socket.AF_INET, kind, protocol)) as sock:
        sock.settimeout(5)
        head = struct.pack(">BBHHH", 8, 0, 0xF7FE, 1, 0)
        sock.sendto(head, (address, 0))
        answer = sock.recv(200)[20:]
        return {(3, 13): "prohibited", (0, 0): "answered"}[answer[0], answer[1]]


def test_rules_outlive_the_network_process_and_the_daemon(stage: Stage) -> None:
    seen: list[object] = []

    async def story(driver: BridgeDriver, ports: NetProcess) -> None:
        pid = process_id(stage.playground.folder)
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        seen.append(await asyncio.to_thread(stage.ask, WORLD, 99))
        await successor(pid)
        seen.append(await asyncio.to_thread(stage.ask, WORLD, 99))
        seen.append(await asyncio.to_thread(stage.resolve, "good.example"))
        seen.append(await asyncio.to_thread(stage.ask, WORLD, 99))
        await ports.close()
        ports = await NetProcess.open(stage.playground.folder)
        driver = BridgeDriver(ENGINE, BridgeSockets.open(), ports, own_netns=False)
        await driver.restore([NET, OTHER])
        seen.append(await asyncio.to_thread(stage.ask, WORLD, 99))
        seen.append(await asyncio.to_thread(stage.ask, WORLD, 98))
        await driver.leave(NET, GUARDED, stage.guarded)
        assert await ports.guarded() == ((), None)
        again = Endpoint("e" * 64, "again", 2, "172.17.0.2", container_id="e" * 64)
        await driver.join(NET, again, stage.guarded)
        seen.append(await asyncio.to_thread(stage.ask, WORLD, 98))
        await ports.shutdown()

    async def successor(pid: int) -> None:
        for _ in range(200):
            await asyncio.sleep(0.02)
            with contextlib.suppress(FileNotFoundError):
                if process_id(stage.playground.folder) != pid:
                    return
        pytest.fail("no successor came")

    world = stage.playground.world
    with Server(world, 99), Server(world, 98):
        stage.tell(story)
    assert seen[0] in ("ConnectionRefusedError", RESET)
    assert seen[1:] == [RESET, Answer(0, (WORLD,)), HOST, HOST, RESET, HOST]


def test_strangers_get_nothing_through_the_forwarder(stage: Stage) -> None:
    async def story(driver: BridgeDriver, ports: NetProcess) -> None:
        _, opened = await ports.guarded()
        assert opened is not None
        for where in (stage.playground.world, stage.playground.host):
            assert await asyncio.to_thread(ask, where, HOST, opened.tcp) in (RESET, "closed")

    stage.tell(story)


def test_bad_rules_are_refused_and_leave_nothing(stage: Stage) -> None:
    async def story(driver: BridgeDriver, ports: NetProcess) -> None:
        bad = Endpoint("f" * 64, "bad", 1, "172.17.0.9", container_id="f" * 64, egress="allow=*")
        with pytest.raises(InvalidInput, match="invalid egress"):
            await driver.join(NET, bad, stage.far)
        guarded, _ = await ports.guarded()
        assert [entry.address for entry in guarded] == ["172.17.0.2"]

    stage.tell(story)


def forged(where: int, source: str, port: int) -> None:
    """A datagram to the world under somebody else's address."""
    kind, protocol = socket.SOCK_RAW, socket.IPPROTO_RAW
    with netns.inside(where, lambda: socket.socket(socket.AF_INET, kind, protocol)) as sock:
        ends = socket.inet_aton(source) + socket.inet_aton(WORLD)
        head = struct.pack(">BBHHHBBH", 0x45, 0, 29, 1, 0, 64, socket.IPPROTO_UDP, 0) + ends
        sock.sendto(head + struct.pack(">4H", 999, port, 9, 0) + b"x", (WORLD, 0))


def test_nobody_leaves_under_a_neighbours_address(stage: Stage) -> None:
    arrived: list[str] = []

    async def story(driver: BridgeDriver, ports: NetProcess) -> None:
        kind, protocol = socket.SOCK_RAW, socket.IPPROTO_UDP
        where = stage.playground.world
        with netns.inside(where, lambda: socket.socket(socket.AF_INET, kind, protocol)) as sock:
            sock.settimeout(5)
            await asyncio.to_thread(look_raw, sock)

    def look_raw(sock: socket.socket) -> None:
        """What comes first is the free one's, sent after the guarded one's."""
        forged(stage.one, "172.17.0.3", 500)
        forged(stage.free.netns_fd, "172.17.0.4", 501)
        while not arrived:
            port = struct.unpack_from(">H", sock.recv(200), 22)[0]
            if port in (500, 501):
                arrived.append(str(port))

    stage.tell(story)
    assert arrived == ["501"]


def test_ipv6_stays_inside(playground: Playground) -> None:
    net = Network(
        "n6",
        "six",
        bridge="wbr6",
        subnet="172.19.0.0/16",
        gateway="172.19.0.1",
        subnet6="fd19::/64",
        gateway6="fd19::1",
    )
    one, two = playground.sandbox(), playground.sandbox()
    held = Endpoint(
        "1" * 64,
        "held",
        1,
        "172.19.0.2",
        address6="fd19::2",
        container_id="1" * 64,
        egress="default=deny",
    )
    free = Endpoint("2" * 64, "free", 1, "172.19.0.3", address6="fd19::3")
    seen: list[str] = []

    def beyond() -> None:
        """IPv6 between host and world, and a way back."""
        for where, link, address in (
            (playground.host, "up0", "fd99::1"),
            (playground.world, "eth0", "fd99::2"),
        ):
            with playground.route(where) as route:
                found = rtnetlink.link(route, link)
                assert found is not None
                route.request(rtnetlink.address_message(found.ifindex, address, 64))
        with playground.route(playground.world) as route:
            route.request(rtnetlink.route_message("fd19::", 64, gateway="fd99::1"))

    async def story() -> None:
        ports = await NetProcess.open(playground.folder)
        driver = BridgeDriver(ENGINE, BridgeSockets.open(), ports, own_netns=False)
        with open("/proc/sys/net/ipv6/conf/all/forwarding", "w") as file:
            file.write("1")
        await driver.restore([net])
        await driver.join(net, held, one)
        await driver.join(net, free, two)
        for where in (one, two):
            seen.append(await asyncio.to_thread(ask6, where.netns_fd, "fd99::2", 99))
            seen.append(await asyncio.to_thread(ask6, where.netns_fd, "fd19::1", 97))
        seen.append(await asyncio.to_thread(ask6, one.netns_fd, "fd19::3", 80))
        await ports.shutdown()

    def ask6(where: int, address: str, port: int) -> str:
        return ask(where, address, port, patience=1.0)

    beyond()
    with Server6(playground.world, 99), Server6(playground.host, 97), Server6(two.netns_fd, 80):
        playground.run(story)
    assert seen == ["TimeoutError", "TimeoutError", "fd99::1", "fd19::3", "fd19::2"]


class Server6(Server):
    """The same for IPv6."""

    family = socket.AF_INET6
