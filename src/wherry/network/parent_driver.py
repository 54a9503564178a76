# ruff: noqa: ARG002 - the protocol names the parameters
"""The drivers macvlan and ipvlan: containers on the link of the host's, beside the host.

No bridge, no address translation and no published ports: the network below knows the containers.
"""

import asyncio

from wherry.kit.errors import InvalidInput, NotPermitted
from wherry.linux import rtnetlink
from wherry.linux.rtnetlink import Link
from wherry.network import bridge_links, ipam, parent_links
from wherry.network.driver import Endpoint, Joined, Network, Sandbox
from wherry.network.parent_links import ParentLinks, dummy_name
from wherry.network.ports import PublishedPort
from wherry.network.sockets import BridgeSockets, container_route


class ParentDriver:
    """Networks of driver `macvlan` or `ipvlan` of one engine.

    `own_netns` (plain user): the links of the host are not ours to use, so only networks without
    a parent can be had.
    """

    def __init__(self, engine_id: str, sockets: BridgeSockets, *, own_netns: bool) -> None:
        self._links = ParentLinks(sockets.route, f"wherry:{engine_id[:12]}")
        self._sockets, self._own_netns = sockets, own_netns
        self._slow = asyncio.Lock()

    def validate(self, network: Network) -> None:
        """Raises InvalidInput, NotPermitted (a plain user and a link of the host's)."""
        parent_links.child_data(network.driver, network.mode)
        ipam.new_state(network.subnet, network.gateway)
        if not network.parent or len(network.parent) > 15:
            raise InvalidInput(f"invalid parent link name {network.parent!r}: 1 to 15 characters")
        if self._own_netns and network.parent != dummy_name(network.id):
            raise NotPermitted(
                f"{network.driver} on link {network.parent} needs root: a plain user's engine has "
                "no link of the host's; without -o parent the network stays inside the engine"
            )

    async def create(self, network: Network) -> None:
        """The parent, if it is ours to make. May be repeated. Raises InvalidInput, OSError."""
        self.validate(network)
        self._links.ensure_parent(network)
        await self._delete(self._links.probe(network))

    async def remove(self, network: Network) -> None:
        """Take a parent of our own away."""
        await self._delete(self._links.remove_parent(network))

    async def _delete(self, link: Link | None) -> None:
        if link is not None:
            async with self._slow:
                await asyncio.to_thread(bridge_links.delete, self._sockets.slow, link)

    async def join(self, network: Network, endpoint: Endpoint, sandbox: Sandbox) -> Joined:
        """A child of the parent, in the container."""
        interface = self._links.connect(network, endpoint, sandbox)
        return Joined((interface,))

    async def leave(
        self, network: Network, endpoint: Endpoint, sandbox: Sandbox | None = None
    ) -> None:
        """The link dies with its namespace; one that lives on loses it here."""
        if sandbox is None:
            return
        with container_route(sandbox) as inside:
            if link := rtnetlink.link(inside, endpoint.interface):
                await asyncio.to_thread(bridge_links.delete, inside, link)

    async def publish(self, network: Network, endpoint: Endpoint) -> tuple[PublishedPort, ...]:
        """The container's own address is in the network below: there is nothing to publish."""
        return ()

    async def withdraw(self, network: Network, endpoint: Endpoint) -> None:
        """Nothing was published."""
