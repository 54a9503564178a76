"""What a network driver is, and the values it works on.

The engine keeps networks and endpoints in its ledger and gives them to a driver; a driver keeps
nothing that it could not build again from them. `join` and `leave` may be repeated, also after a
crash in their middle.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec

from wherry.network.egress.guards import Guarded
from wherry.network.names import NamedEndpoint, Resolving
from wherry.network.ports import Outbound, PortBinding, Published, PublishedPort


class Network(msgspec.Struct, frozen=True):
    """A network as it was created. `bridge` is the name of its link; MTU 0 is the kernel's."""

    id: str
    name: str
    driver: str = "bridge"
    bridge: str = ""
    subnet: str = ""
    """IPv4 in CIDR form, `172.17.0.0/16`."""
    gateway: str = ""
    internal: bool = False
    """No way out and none in."""
    inter_container: bool = True
    """Containers of this network may talk to each other (Docker's icc)."""
    masquerade: bool = True
    mtu: int = 0
    host_binding_ip: str = ""
    """Where ports are published that name no address."""
    subnet6: str = ""
    """IPv6 in CIDR form; empty: the network has none."""
    gateway6: str = ""
    parent: str = ""
    """macvlan and ipvlan: the link of the host's below; empty: a dummy of our own."""
    mode: str = ""
    """macvlan: bridge, private, vepa or passthru; ipvlan: l2, l3 or l3s."""


class Endpoint(msgspec.Struct, frozen=True):
    """A container's place in a network, with the address that `ipam` gave it.

    `generation` counts the starts of the container: the link of an earlier start, still held by a
    dying namespace, must never be taken for this one's.
    """

    id: str
    container: str
    """The container's name, for errors."""
    generation: int = 0
    address: str = ""
    mac: str = ""
    """Empty: made from the address."""
    interface: str = "eth0"
    default_route: bool = True
    address6: str = ""
    default_route6: bool = True
    ports: tuple[PortBinding, ...] = ()
    container_id: str = ""
    egress: str = ""
    """Egress rules, as `egress.policy.parse` takes them; empty: none."""


class Interface(msgspec.Struct, frozen=True):
    """One link in the container and its other end on the host."""

    name: str
    host_name: str
    mac: str
    address: str
    prefix: int
    gateway: str
    address6: str = ""
    prefix6: int = 0
    gateway6: str = ""


class Joined(msgspec.Struct, frozen=True):
    """What a join gave. `nameservers` are to be used instead of the host's, where not empty."""

    interfaces: tuple[Interface, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    nameservers: tuple[str, ...] = ()


class Sandbox(NamedTuple):
    """A container's network namespace: the namespace, an rtnetlink socket opened inside, init.

    The descriptors stay the caller's. `rtnl_fd` -1: not at hand, the driver opens one itself.
    """

    netns_fd: int
    rtnl_fd: int
    pid: int


class PortPublisher(Protocol):
    """Who holds published ports: `process_handle.NetProcess`."""

    async def publish(
        self, endpoint: str, address: str, bindings: tuple[PortBinding, ...]
    ) -> tuple[PublishedPort, ...]:
        """Take host ports. Repeating it for an endpoint gives what it has. Raises Conflict."""

    async def withdraw(self, endpoint: str) -> None:
        """Give the endpoint's ports back and end what runs through them."""

    async def outbound(self, gateways: Iterable[str]) -> Outbound:
        """Carry what leaves a namespace without a way out; the ports it must be redirected to."""

    async def published(self) -> tuple[Published, ...]:
        """All that is published now."""

    async def guard(self, wanted: Guarded) -> Outbound:
        """Apply egress rules to what comes from an address by the ports that this gives.

        Raises InvalidInput (bad rules).
        """

    async def release(self, endpoint: str) -> None:
        """The endpoint's address has no egress rules any more."""

    async def guarded(self) -> tuple[tuple[Guarded, ...], Outbound | None]:
        """All addresses with egress rules, and the ports for them."""


class NameServer(Protocol):
    """Who answers at 127.0.0.11 inside of containers: `process_handle.NetProcess`.

    It goes on while the daemon is away; what a container had ends with its init.
    """

    async def serve(self, resolving: Resolving, sandbox: Sandbox) -> None:
        """Answer in this namespace until its init ends. Repeating it changes how.

        Raises Unavailable, and InvalidInput where the container has ended.
        """

    async def names(self, network_id: str, endpoints: Iterable[NamedEndpoint]) -> None:
        """Replace all that is known of one network; nothing: forget it."""

    async def stop(self, container_id: str) -> None:
        """Answer no more. May be repeated."""


class NetworkDriver(Protocol):
    """One kind of network."""

    def validate(self, network: Network) -> None:
        """Refuse a network that cannot work. Raises InvalidInput."""

    async def create(self, network: Network) -> None:
        """Make what containers of this network share. May be repeated. Raises Conflict, OSError."""

    async def remove(self, network: Network) -> None:
        """Undo `create`. May be repeated."""

    async def join(self, network: Network, endpoint: Endpoint, sandbox: Sandbox) -> Joined:
        """Connect a namespace. May be repeated. Raises Conflict (a port is taken), OSError."""

    async def leave(
        self, network: Network, endpoint: Endpoint, sandbox: Sandbox | None = None
    ) -> None:
        """Disconnect. With a sandbox, the container lives on and loses this link only.

        The endpoint's address may be used again as soon as this returns. May be repeated.
        """

    async def publish(self, network: Network, endpoint: Endpoint) -> tuple[PublishedPort, ...]:
        """Publish the endpoint's ports. May be repeated. Raises Conflict (a port is taken)."""

    async def withdraw(self, network: Network, endpoint: Endpoint) -> None:
        """Its ports lead here no longer. May be repeated."""
