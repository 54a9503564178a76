"""Living beside packet filters that drop what is forwarded: iptables, plain nft, and dockerd."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pytest

from wherry.linux import netns
from wherry.linux.netlink import NETFILTER, NetlinkSocket
from wherry.network import foreign
from wherry.network.bridge import BridgeDriver
from wherry.network.driver import Endpoint, Network
from wherry.network.foreign import Blocker
from wherry.network.ports import PortBinding
from wherry.network.process_handle import NetProcess
from wherry.network.sockets import BridgeSockets

from .conftest import HOST, WORLD, Playground, Server, ask, in_thread

pytestmark = pytest.mark.root

NET = Network("n1", "bridge", bridge="wherry0", subnet="10.66.0.0/16", gateway="10.66.0.1")
WEB = Endpoint("a" * 64, "web", 1, "10.66.0.2", ports=(PortBinding("tcp", 80, "", 8080),))
DROPPING = {
    "iptables": [["iptables", "-P", "FORWARD", "DROP"]],
    "docker-user": [
        ["iptables", "-N", "DOCKER-USER"],
        ["iptables", "-A", "DOCKER-USER", "-j", "RETURN"],
        ["iptables", "-I", "FORWARD", "-j", "DOCKER-USER"],
        ["iptables", "-P", "FORWARD", "DROP"],
    ],
    "nft": [
        ["nft", "add table inet guard"],
        [
            "nft",
            "add chain inet guard passing { type filter hook forward priority 5; policy drop; }",
        ],
        ["nft", "add rule inet guard passing tcp dport 1 accept"],
    ],
}
LEGACY = [["iptables-legacy", "-P", "FORWARD", "DROP"]]


def on(where: int, *command: str) -> str:
    """A program run in a namespace; its output."""

    def work() -> str:
        netns.enter(where)
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout

    return in_thread(work)


def rules(where: int) -> str:
    """All rules of others, without ours and without counters."""
    listed = on(where, "nft", "list", "ruleset") + on(where, "iptables", "-S")
    lines = [line for line in listed.splitlines() if "counter" not in line]
    return "\n".join(lines)


@pytest.mark.parametrize("kind", sorted(DROPPING))
def test_a_dropping_chain_is_opened_for_us_and_left_as_it_was(
    playground: Playground, kind: str
) -> None:
    for command in DROPPING[kind]:
        if shutil.which(command[0]) is None:
            pytest.skip(f"needs {command[0]}")
        on(playground.host, *command)
    box = playground.sandbox()
    before = rules(playground.host)

    async def start() -> None:
        ports = await NetProcess.open(playground.folder)
        driver = BridgeDriver("e" * 64, BridgeSockets.open(), ports, own_netns=False)
        await driver.restore([NET])
        await driver.create(NET)
        await driver.join(NET, WEB, box)
        await ports.close()

    async def stop() -> None:
        ports = await NetProcess.open(playground.folder)
        driver = BridgeDriver("e" * 64, BridgeSockets.open(), ports, own_netns=False)
        await driver.restore([NET])
        await driver.leave(NET, WEB)
        await driver.remove(NET)
        await driver.remove_table()
        await ports.shutdown()

    playground.run(start)
    with Server(playground.world, 99), Server(box.netns_fd, 80):
        assert ask(box.netns_fd, WORLD, 99) == HOST
        assert ask(playground.world, HOST, 8080) == WORLD
    assert rules(playground.host).count("wherry:eeeeeeeeeeee:wherry0") >= 2
    playground.run(stop)
    assert rules(playground.host) == before


def test_the_old_kernel_interface_is_seen_too(playground: Playground) -> None:
    if shutil.which("iptables-legacy") is None:
        pytest.skip("needs iptables-legacy")
    try:
        on(playground.host, *LEGACY[0])
    except subprocess.CalledProcessError:
        pytest.skip("this kernel has no legacy iptables")

    def look() -> list[Blocker]:
        netns.enter(playground.host)
        with NetlinkSocket.open(NETFILTER) as sock:
            found = foreign.find(sock)
            foreign.permit(sock, found, "wherry0", "t")
            foreign.permit(sock, found, "wherry0", "t")
            assert on(playground.host, "iptables-legacy", "-S").count("t:wherry0") == 2
            foreign.forbid(sock, found, "wherry0", "t")
            return found

    (blocker,) = in_thread(look)
    assert blocker.program.endswith("iptables-legacy")
    assert "t:wherry0" not in on(playground.host, "iptables-legacy", "-S")


def test_a_chain_that_accepts_is_no_blocker(playground: Playground) -> None:
    on(playground.host, "iptables", "-A", "FORWARD", "-s", "203.0.113.9", "-j", "DROP")
    sock = netns.inside(playground.host, lambda: NetlinkSocket.open(NETFILTER))
    with sock:
        assert foreign.find(sock) == []


def test_a_firewall_that_comes_later_is_seen_at_the_next_join(playground: Playground) -> None:
    box = playground.sandbox()

    async def story() -> None:
        ports = await NetProcess.open(playground.folder)
        driver = BridgeDriver("e" * 64, BridgeSockets.open(), ports, own_netns=False)
        await driver.restore([NET])
        await asyncio.to_thread(subprocess.run, DROPPING["iptables"][0], check=True)
        await driver.join(NET, WEB, box)
        await driver.join(NET, WEB, box)
        await ports.close()

    playground.run(story)
    assert on(playground.host, "iptables", "-S").count("wherry:eeeeeeeeeeee:wherry0") == 2
    with Server(playground.world, 99):
        assert ask(box.netns_fd, WORLD, 99) == HOST


def test_an_accept_never_reaches_into_dockerds_networks() -> None:
    rules_ = foreign.program_rules("DOCKER-USER", "wherry0", "m")
    targets = [(rule[rule.index("-o") + 1] if "-o" in rule else "", rule[-1]) for rule in rules_]
    assert targets[:2] == [("docker+", "RETURN"), ("br-+", "RETURN")]


@pytest.fixture
def dockerd(playground: Playground) -> Iterator[Playground]:
    """A real dockerd with its own bridge and iptables, on the playground's host."""
    if shutil.which("dockerd") is None:
        pytest.skip("needs dockerd")
    folder = tempfile.mkdtemp(prefix="wherry-dockerd-")
    command = (
        "dockerd", "-H", f"unix://{folder}/s", "--data-root", f"{folder}/data",
        "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid", "--storage-driver", "vfs",
    )  # fmt: skip

    def start() -> subprocess.Popen[bytes]:
        netns.enter(playground.host)
        with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
            file.write("0")  # only a dockerd that has to switch it on sets the policy
        with open(f"{folder}/log", "wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    process = in_thread(start)
    try:
        _wait_for(f"{folder}/s", process)
        yield playground
    finally:
        process.terminate()
        process.wait(30)
        subprocess.run(["umount", "-R", f"{folder}/data"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(path: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(path)
                sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                if b"200 OK" in sock.recv(100):
                    return
            except OSError:
                pass
        if process.poll() is not None:
            pytest.skip("dockerd does not start here")
        time.sleep(0.1)
    pytest.fail("dockerd did not come up")


def test_beside_dockerd(dockerd: Playground) -> None:
    """dockerd sets FORWARD to drop: ours must work, and its own bridge must stay its own."""
    assert "-P FORWARD DROP" in on(dockerd.host, "iptables", "-S")
    box = dockerd.sandbox()

    async def start() -> None:
        ports = await NetProcess.open(dockerd.folder)
        driver = BridgeDriver("e" * 64, BridgeSockets.open(), ports, own_netns=False)
        await driver.restore([NET])
        await driver.join(NET, WEB, box)
        await ports.close()

    dockerd.run(start)
    with Server(dockerd.world, 99), Server(box.netns_fd, 80):
        assert ask(box.netns_fd, WORLD, 99) == HOST
        assert ask(dockerd.world, HOST, 8080) == WORLD
    listed = on(dockerd.host, "iptables", "-S", "DOCKER-USER")
    assert listed.count("wherry:eeeeeeeeeeee:wherry0") == 4
