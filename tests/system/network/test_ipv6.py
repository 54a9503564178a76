"""IPv6 of bridges where the host has it off by default, and where others drop what is forwarded."""

import socket
import subprocess

import pytest

from wherry.linux import netns
from wherry.linux.nftables import IPV4, IPV6
from wherry.network import foreign
from wherry.network.bridge import BridgeDriver
from wherry.network.driver import Endpoint, Network, Sandbox
from wherry.network.ports import PortBinding
from wherry.network.process_handle import NetProcess
from wherry.network.sockets import BridgeSockets

from .conftest import Playground, Server, ask, in_thread

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6"),
]

HOST6, WORLD6, WEB6 = "fd09::1", "fd09::2", "fd66::2"
NET = Network(
    "n1", "six", bridge="wherry6", subnet="10.66.0.0/16", gateway="10.66.0.1",
    subnet6="fd66::/64", gateway6="fd66::1",
)  # fmt: skip
WEB = Endpoint(
    "a" * 64, "web", 1, "10.66.0.2", address6=WEB6, ports=(PortBinding("tcp", 80, "", 8080),)
)
ENGINE = "e" * 64


class Server6(Server):
    family = socket.AF_INET6


def start(playground: Playground, box: Sandbox) -> None:
    async def story() -> None:
        ports = await NetProcess.open(playground.folder)
        driver = BridgeDriver(ENGINE, BridgeSockets.open(), ports, own_netns=False)
        await driver.restore([NET])
        await driver.join(NET, WEB, box)
        await ports.close()

    playground.run(story)


def stop(playground: Playground) -> None:
    async def story() -> None:
        ports = await NetProcess.open(playground.folder)
        driver = BridgeDriver(ENGINE, BridgeSockets.open(), ports, own_netns=False)
        await driver.restore([NET])
        await driver.leave(NET, WEB)
        await driver.remove(NET)
        await driver.remove_table()
        await ports.shutdown()

    playground.run(story)


def on(where: int, *command: str) -> str:
    def work() -> str:
        netns.enter(where)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return in_thread(work)


def worlds_address(playground: Playground) -> None:
    playground.address(playground.host, "up0", HOST6)
    playground.address(playground.world, "eth0", WORLD6)


@pytest.mark.parametrize("which", ["default", "all"])
def test_a_host_that_has_ipv6_off_by_default(playground: Playground, which: str) -> None:
    path = f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6"
    on(playground.host, "sh", "-c", f"echo 1 > {path}")
    box = playground.sandbox()
    on(box.netns_fd, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
    start(playground, box)
    with Server6(box.netns_fd, 80):
        assert ask(playground.host, WEB6, 80) == "fd66::1"
    assert on(playground.host, "cat", path) == "1\n"
    stop(playground)


DROPPING: dict[str, list[tuple[str, ...]]] = {
    "ip6tables": [("ip6tables", "-P", "FORWARD", "DROP")],
    "docker-user": [
        ("ip6tables", "-N", "DOCKER-USER"),
        ("ip6tables", "-I", "FORWARD", "-j", "DOCKER-USER"),
        ("ip6tables", "-P", "FORWARD", "DROP"),
    ],
    "nft": [
        ("nft", "add table ip6 guard"),
        ("nft", "add chain ip6 guard f { type filter hook forward priority 5; policy drop; }"),
    ],
}


@pytest.mark.parametrize("kind", sorted(DROPPING))
def test_a_chain_that_drops_ipv6_is_opened_and_left_as_it_was(
    playground: Playground, kind: str
) -> None:
    worlds_address(playground)
    for command in DROPPING[kind]:
        on(playground.host, *command)
    before = on(playground.host, "nft", "-s", "list", "ruleset")
    box = playground.sandbox()
    start(playground, box)
    with Server6(playground.world, 99), Server6(box.netns_fd, 80):
        assert ask(box.netns_fd, WORLD6, 99) == HOST6
        assert ask(playground.world, HOST6, 8080) == WORLD6
    stop(playground)
    assert on(playground.host, "nft", "-s", "list", "ruleset") == before


def test_a_network_without_ipv6_opens_nothing_there() -> None:
    six = foreign.Blocker(IPV6, "filter", "FORWARD", "ip6tables")
    four = six._replace(family=IPV4)
    assert [foreign.applies(each, ipv6=False) for each in (four, six)] == [True, False]
    assert foreign.applies(six, ipv6=True)
