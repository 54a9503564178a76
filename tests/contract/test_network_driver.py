"""What every network driver keeps to. The bridge needs root; its traffic is in tests/system."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple

import pytest

from wherry.kit.errors import InvalidInput
from wherry.linux import namespace, netns, rtnetlink
from wherry.linux.netlink import NetlinkSocket
from wherry.network.bridge import BridgeDriver
from wherry.network.builtin import HostDriver, NoneDriver
from wherry.network.driver import Endpoint, Network, NetworkDriver, Sandbox
from wherry.network.egress.guards import Guarded
from wherry.network.ports import Outbound, PortBinding, Published, PublishedPort
from wherry.network.sockets import BridgeSockets


class NoPorts:
    """A publisher for tests without ports; it would give what it is asked for."""

    async def publish(
        self, endpoint: str, address: str, bindings: tuple[PortBinding, ...]
    ) -> tuple[PublishedPort, ...]:
        return tuple(
            PublishedPort(entry.protocol, entry.container_port, "0.0.0.0", entry.host_port)
            for entry in bindings
        )

    async def withdraw(self, endpoint: str) -> None:
        return

    async def outbound(self, gateways: object) -> Outbound:
        return Outbound(1, 2)

    async def published(self) -> tuple[Published, ...]:
        return ()

    async def guard(self, wanted: Guarded) -> Outbound:
        return Outbound(1, 0, 2)

    async def release(self, endpoint: str) -> None:
        return

    async def guarded(self) -> tuple[tuple[Guarded, ...], Outbound | None]:
        return (), None


class Case(NamedTuple):
    """A driver, a network it takes, one it refuses, and the links a container then has."""

    driver: NetworkDriver
    network: Network
    refused: Network
    links: set[str]


def _bridge() -> Case:
    network = Network("n", "n", bridge="wbr9", subnet="10.88.0.0/24", gateway="10.88.0.1")
    refused = Network("n", "n", bridge="a-name-that-is-too-long", subnet="10.88.0.0/24")
    driver = BridgeDriver("c" * 64, BridgeSockets.open(), NoPorts(), own_netns=False)
    return Case(driver, network, refused, {"lo", "eth0"})


def _unlinked(driver: NetworkDriver, kind: str) -> Case:
    network = Network(kind, kind, driver=kind)
    return Case(driver, network, Network(kind, kind, subnet="10.0.0.0/8"), {"lo"})


CASES: dict[str, Callable[[], Case]] = {
    "bridge": _bridge,
    "host": lambda: _unlinked(HostDriver(), "host"),
    "container": lambda: _unlinked(HostDriver("container"), "container"),
    "none": lambda: _unlinked(NoneDriver(), "none"),
}
Story = Callable[[Case, Sandbox], Coroutine[Any, Any, None]]


class Stage:
    """Runs a story in a namespace that plays the host, with a container's namespace at hand."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.links: set[str] = set()

    def tell(self, story: Story) -> None:
        failures: list[BaseException] = []

        def run() -> None:
            try:
                self._tell(story)
            except BaseException as error:  # noqa: BLE001 - raised again below
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    def _tell(self, story: Story) -> None:
        namespace.unshare(netns.CLONE_NEWNET)
        inside = _open_namespace()
        try:
            asyncio.run(story(CASES[self._kind](), inside))
            with NetlinkSocket.from_descriptor(inside.rtnl_fd) as route:
                self.links = {link.name for link in rtnetlink.links(route)}
        finally:
            os.close(inside.netns_fd)
            os.close(inside.rtnl_fd)


def _open_namespace() -> Sandbox:
    sandboxes: list[Sandbox] = []

    def make() -> None:
        namespace.unshare(netns.CLONE_NEWNET)
        route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).detach()
        descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        sandboxes.append(Sandbox(descriptor, route, os.getpid()))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return sandboxes[0]


@pytest.fixture(params=sorted(CASES))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    yield Stage(request.param)


ONE = Endpoint("1" * 64, "one", 1, "10.88.0.2")


def test_validate_takes_its_own_and_refuses_nonsense(stage: Stage) -> None:
    async def story(case: Case, sandbox: Sandbox) -> None:
        case.driver.validate(case.network)
        with pytest.raises(InvalidInput):
            case.driver.validate(case.refused)

    stage.tell(story)


def test_every_step_may_be_repeated(stage: Stage) -> None:
    async def story(case: Case, sandbox: Sandbox) -> None:
        driver, network = case.driver, case.network
        await driver.create(network)
        await driver.create(network)
        joined = await driver.join(network, ONE, sandbox)
        assert await driver.join(network, ONE, sandbox) == joined
        for _ in range(2):
            await driver.leave(network, ONE)
        for _ in range(2):
            await driver.leave(network, ONE, sandbox)
        for _ in range(2):
            await driver.remove(network)

    stage.tell(story)
    assert stage.links == {"lo"}


def test_leaving_without_having_joined_is_no_error(stage: Stage) -> None:
    async def story(case: Case, sandbox: Sandbox) -> None:
        await case.driver.create(case.network)
        await case.driver.leave(case.network, ONE)
        await case.driver.leave(case.network, ONE, sandbox)
        await case.driver.remove(case.network)

    stage.tell(story)


def test_removing_what_was_never_created_is_no_error(stage: Stage) -> None:
    async def story(case: Case, sandbox: Sandbox) -> None:
        await case.driver.remove(case.network)

    stage.tell(story)


def test_a_join_gives_the_links_it_names(stage: Stage) -> None:
    expected: set[str] = set()

    async def story(case: Case, sandbox: Sandbox) -> None:
        await case.driver.create(case.network)
        joined = await case.driver.join(case.network, ONE, sandbox)
        expected.update(case.links)
        assert {interface.name for interface in joined.interfaces} == case.links - {"lo"}

    stage.tell(story)
    assert stage.links == expected
