"""The bridge driver as root: who reaches whom, with real packets between namespaces."""

import socket

import pytest

from wherry.kit.errors import Conflict
from wherry.linux import nftables, rtnetlink
from wherry.linux.netlink import NETFILTER, NetlinkSocket
from wherry.network.bridge import BridgeDriver
from wherry.network.driver import Endpoint, Network
from wherry.network.ports import PortBinding
from wherry.network.process_handle import NetProcess
from wherry.network.sockets import BridgeSockets

from .conftest import HOST, WORLD, Playground, Server, ask

pytestmark = pytest.mark.root

ENGINE = "0123456789abcdef"
NET = Network("n1", "bridge", bridge="wherry0", subnet="172.17.0.0/16", gateway="172.17.0.1")
OTHER = Network("n2", "other", bridge="wbr2", subnet="172.18.0.0/16", gateway="172.18.0.1")
ONE = Endpoint("a" * 64, "one", 1, "172.17.0.2")
TWO = Endpoint("b" * 64, "two", 1, "172.17.0.3")
THREE = Endpoint("c" * 64, "three", 1, "172.18.0.2")
SILENCE = 0.5


async def open_driver(playground: Playground) -> tuple[BridgeDriver, NetProcess]:
    ports = await NetProcess.open(playground.folder)
    return BridgeDriver(ENGINE, BridgeSockets.open(), ports, own_netns=False), ports


def test_a_container_gets_its_link_address_route_and_mac(playground: Playground) -> None:
    box = playground.sandbox()

    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        joined = await driver.join(NET, ONE, box)
        (interface,) = joined.interfaces
        assert (interface.name, interface.mac) == ("eth0", "02:42:ac:11:00:02")
        assert (interface.address, interface.prefix) == ("172.17.0.2", 16)
        assert interface.gateway == "172.17.0.1"
        assert await driver.join(NET, ONE, box) == joined
        await ports.shutdown()

    playground.run(story)
    with playground.route(box.netns_fd) as route:
        links = {link.name: link for link in rtnetlink.links(route)}
        assert set(links) == {"lo", "eth0"}
        assert links["lo"].up
        assert links["eth0"].up
        routes = [(r.destination, r.prefix, r.gateway) for r in rtnetlink.routes(route)]
        assert sorted(routes) == [("", 0, "172.17.0.1"), ("172.17.0.0", 16, "")]
        mine = [a for a in rtnetlink.addresses(route) if a.ifindex == links["eth0"].ifindex]
        assert [(a.address, a.prefix) for a in mine] == [("172.17.0.2", 16)]


def test_the_world_sees_the_host_and_neighbours_see_each_other(playground: Playground) -> None:
    one, two = playground.sandbox(), playground.sandbox()

    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        await driver.join(NET, ONE, one)
        await driver.join(NET, TWO, two)
        await ports.shutdown()

    playground.run(story)
    with Server(playground.world, 99) as world, Server(one.netns_fd, 80) as inside:
        assert ask(one.netns_fd, WORLD, world.port) == HOST
        assert ask(two.netns_fd, "172.17.0.2", inside.port) == "172.17.0.3"
        assert ask(playground.host, "172.17.0.2", inside.port) == "172.17.0.1"


def test_published_ports_reach_the_container_from_everywhere(playground: Playground) -> None:
    one, two = playground.sandbox(), playground.sandbox()
    bindings = (PortBinding("tcp", 80, "", 8080), PortBinding("udp", 53, "", 5353))
    web = Endpoint("a" * 64, "one", 1, "172.17.0.2", ports=bindings)

    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        joined = await driver.join(NET, web, one)
        assert {(p.protocol, p.host_ip, p.host_port) for p in joined.ports} == {
            ("tcp", "0.0.0.0", 8080),
            ("tcp", "::", 8080),
            ("udp", "0.0.0.0", 5353),
            ("udp", "::", 5353),
        }
        await driver.join(NET, TWO, two)
        await ports.close()

    playground.run(story)
    udp = socket.SOCK_DGRAM
    with Server(one.netns_fd, 80), Server(one.netns_fd, 53, udp):
        assert ask(playground.world, HOST, 8080) == WORLD  # the kernel's translation: true source
        assert ask(playground.host, HOST, 8080) == HOST
        assert ask(playground.host, "127.0.0.1", 8080) == "172.17.0.1"  # the listener's relay
        assert ask(playground.host, "::1", 8080) == "172.17.0.1"
        assert ask(two.netns_fd, HOST, 8080) == "172.17.0.1"
        assert ask(one.netns_fd, HOST, 8080) == "172.17.0.1"
        assert ask(playground.world, HOST, 5353, kind=udp) == WORLD
        assert ask(playground.host, "127.0.0.1", 5353, kind=udp) == "172.17.0.1"


def test_after_leaving_nothing_answers(playground: Playground) -> None:
    one = playground.sandbox()
    web = Endpoint(
        "a" * 64, "one", 1, "172.17.0.2",
        ports=(PortBinding("tcp", 80, "", 8080), PortBinding("udp", 53, "", 5353)),
    )  # fmt: skip

    async def join() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        await driver.join(NET, web, one)
        await ports.close()

    async def leave() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        await driver.leave(NET, web)
        await driver.leave(NET, web)
        assert await ports.published() == ()
        await ports.close()

    playground.run(join)
    with Server(one.netns_fd, 80):
        assert ask(playground.world, HOST, 8080) == WORLD
        playground.run(leave)
        assert ask(playground.world, HOST, 8080) == "ConnectionRefusedError"
        # the namespace is still held, and must not answer for its old address
        assert ask(playground.host, "172.17.0.2", 80, patience=SILENCE) == "TimeoutError"


def test_only_published_ports_can_be_reached_by_a_route(playground: Playground) -> None:
    one = playground.sandbox()

    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        await driver.join(NET, ONE, one)
        await ports.shutdown()

    playground.run(story)
    with playground.route(playground.world) as route:
        route.request(rtnetlink.route_message("172.17.0.0", 16, gateway=HOST))
    with Server(one.netns_fd, 80):
        assert ask(playground.world, "172.17.0.2", 80, patience=SILENCE) == "TimeoutError"


@pytest.mark.parametrize("kind", ["networks", "internal", "icc"])
def test_isolation(playground: Playground, kind: str) -> None:
    one, two = playground.sandbox(), playground.sandbox()
    base = Network(**{name: getattr(NET, name) for name in NET.__struct_fields__})
    if kind == "internal":
        base = Network(
            "n1", "x", bridge="wherry0", subnet=NET.subnet, gateway=NET.gateway, internal=True
        )
    if kind == "icc":
        base = Network(
            "n1",
            "x",
            bridge="wherry0",
            subnet=NET.subnet,
            gateway=NET.gateway,
            inter_container=False,
        )

    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([base, OTHER])
        await driver.join(base, ONE, one)
        if kind == "icc":
            await driver.join(base, TWO, two)
        else:
            await driver.join(OTHER, THREE, two)
        await ports.shutdown()

    playground.run(story)
    with Server(one.netns_fd, 80), Server(playground.world, 99):
        target = "172.17.0.2"
        if kind == "icc":
            bridged = _bridge_filtering()
            answer = ask(two.netns_fd, target, 80, patience=SILENCE)
            assert answer == ("TimeoutError" if bridged else "172.17.0.3")
        else:
            assert ask(two.netns_fd, target, 80, patience=SILENCE) == "TimeoutError"
        outside = ask(one.netns_fd, WORLD, 99, patience=SILENCE if kind == "internal" else 5)
        assert outside == ("OSError" if kind == "internal" else HOST)


def _bridge_filtering() -> bool:
    """Whether br_netfilter shows bridged packets to the packet filter."""
    try:
        with open("/proc/sys/net/bridge/bridge-nf-call-iptables") as file:
            return file.read().strip() == "1"
    except FileNotFoundError:
        return False


def test_a_running_container_can_leave(playground: Playground) -> None:
    one = playground.sandbox()

    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        await driver.join(NET, ONE, one)
        await driver.leave(NET, ONE, one)
        await driver.join(NET, ONE, one)
        await driver.leave(NET, ONE, one)
        await ports.shutdown()

    playground.run(story)
    with playground.route(one.netns_fd) as route:
        assert [link.name for link in rtnetlink.links(route)] == ["lo"]


def test_a_start_that_died_half_way_is_repeated(playground: Playground) -> None:
    dead, alive = playground.sandbox(), playground.sandbox()

    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        await driver.join(NET, ONE, dead)
        await driver.join(NET, ONE, alive)  # the same generation, another namespace
        await ports.shutdown()

    playground.run(story)
    with Server(alive.netns_fd, 80):
        assert ask(playground.host, "172.17.0.2", 80) == "172.17.0.1"
    with playground.route(dead.netns_fd) as route:
        assert [link.name for link in rtnetlink.links(route)] == ["lo"]


def test_another_generation_has_a_link_of_its_own(playground: Playground) -> None:
    old, new = playground.sandbox(), playground.sandbox()
    again = Endpoint(ONE.id, ONE.container, 2, ONE.address)

    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET])
        await driver.join(NET, ONE, old)
        await driver.leave(NET, ONE)
        await driver.join(NET, again, new)
        await ports.shutdown()

    playground.run(story)
    with Server(old.netns_fd, 80), Server(new.netns_fd, 81):
        assert ask(playground.host, "172.17.0.2", 81) == "172.17.0.1"
        assert ask(playground.host, "172.17.0.2", 80) == "ConnectionRefusedError"


def test_somebody_elses_link_is_left_alone(playground: Playground) -> None:
    with playground.route(playground.host) as route:
        route.request(rtnetlink.link_message("bridge", "wherry0"))

    async def story() -> None:
        driver, ports = await open_driver(playground)
        with pytest.raises(Conflict, match="link wherry0 of network bridge is in use"):
            await driver.create(NET)
        await driver.remove(NET)  # takes back what was ours of it: nothing
        await ports.shutdown()

    playground.run(story)
    with playground.route(playground.host) as route:
        assert rtnetlink.link(route, "wherry0") is not None


def test_removing_leaves_neither_link_nor_table(playground: Playground) -> None:
    async def story() -> None:
        driver, ports = await open_driver(playground)
        await driver.restore([NET, OTHER])
        for network in (NET, OTHER, OTHER):
            await driver.remove(network)
        await driver.remove_table()
        await ports.shutdown()
        with NetlinkSocket.open() as route, NetlinkSocket.open(NETFILTER) as netfilter:
            assert {link.name for link in rtnetlink.links(route)} == {"lo", "up0"}
            assert nftables.base_chains(netfilter, nftables.FORWARD) == []

    playground.run(story)


def test_two_engines_share_a_host(playground: Playground) -> None:
    one, two = playground.sandbox(), playground.sandbox()

    async def story() -> None:
        driver, ports = await open_driver(playground)
        second = BridgeDriver("f" * 64, BridgeSockets.open(), ports, own_netns=False)
        await driver.restore([NET])
        await second.create(OTHER)
        await driver.join(NET, ONE, one)
        await second.join(OTHER, THREE, two)
        await driver.remove(NET)
        await driver.remove_table()
        await ports.shutdown()

    playground.run(story)
    with Server(playground.world, 99):
        assert ask(two.netns_fd, WORLD, 99) == HOST
