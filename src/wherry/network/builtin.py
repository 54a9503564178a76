# ruff: noqa: ARG002 - the protocol names the parameters
"""The drivers that make no links: `none`, `host` and `container`."""

from wherry.kit.errors import InvalidInput
from wherry.linux import rtnetlink
from wherry.network.driver import Endpoint, Joined, Network, Sandbox
from wherry.network.ports import PublishedPort
from wherry.network.sockets import container_route


class HostDriver:
    """The container uses the host's network namespace; the runtime joins it, there is no work.

    `container` is the same thing with another container's namespace.
    """

    def __init__(self, kind: str = "host") -> None:
        self._kind = kind

    def validate(self, network: Network) -> None:
        """Refuse settings that can have no effect. Raises InvalidInput."""
        if network.subnet or network.bridge:
            raise InvalidInput(f"network {network.name}: driver {self._kind} has no addresses")

    async def create(self, network: Network) -> None:
        """Nothing is shared but what is there."""

    async def remove(self, network: Network) -> None:
        """Nothing was made."""

    async def join(self, network: Network, endpoint: Endpoint, sandbox: Sandbox) -> Joined:
        """The runtime did it by joining the namespace. Published ports mean nothing here."""
        return Joined()

    async def leave(
        self, network: Network, endpoint: Endpoint, sandbox: Sandbox | None = None
    ) -> None:
        """Nothing to undo."""

    async def publish(self, network: Network, endpoint: Endpoint) -> tuple[PublishedPort, ...]:
        """Published ports mean nothing here."""
        return ()

    async def withdraw(self, network: Network, endpoint: Endpoint) -> None:
        """Nothing was published."""


class NoneDriver(HostDriver):
    """A namespace with loopback only."""

    def __init__(self) -> None:
        super().__init__("none")

    async def join(self, network: Network, endpoint: Endpoint, sandbox: Sandbox) -> Joined:
        """Loopback up."""
        with container_route(sandbox) as inside:
            inside.request(rtnetlink.up_by_name_message("lo"))
        return Joined()
