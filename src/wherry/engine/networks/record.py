"""What the ledger keeps of a network, and the events about it."""

from wherry.dockerapi.networks import NetworkCreateRequest
from wherry.engine.events import Event, event
from wherry.engine.records import Record
from wherry.kit.ids import new_id
from wherry.network import ipam
from wherry.network.driver import Network
from wherry.network.ipam import IpamState

BUILTIN = ("bridge", "host", "none")


class NetworkRecord(Record, frozen=True):
    """One network; the key is its id."""

    network: Network
    created: int
    ipam: IpamState | None = None
    ipam6: IpamState | None = None
    asked: NetworkCreateRequest = NetworkCreateRequest()
    """The request it was made by, as inspect shows it."""
    configured: tuple[str, ...] = ()
    """Subnets that the client chose; only from them may it choose addresses as well."""

    @property
    def builtin(self) -> bool:
        """Whether every engine has it."""
        return self.network.name in BUILTIN

    @property
    def user_defined(self) -> bool:
        """Whether it has names, aliases and fixed addresses."""
        return not self.builtin

    @property
    def subnets(self) -> tuple[str, ...]:
        """The address ranges it covers."""
        both = (self.network.subnet, self.network.subnet6)
        return tuple(subnet for subnet in both if subnet)


def happened(record: NetworkRecord, action: str, container: str = "") -> Event:
    """A network's event with the attributes that dockerd gives."""
    network = record.network
    known = {"name": network.name, "type": network.driver}
    if container:
        known["container"] = container
    return event("network", action, network.id, known)


def builtin_networks(bridge: str, subnet: str) -> list[Network]:
    """The three that every engine has."""
    networks = [
        Network(new_id(), "host", driver="host"),
        Network(new_id(), "none", driver="null"),
    ]
    if bridge:
        network, gateway = ipam.bridge_address(subnet)
        networks.append(Network(new_id(), "bridge", "bridge", bridge, network, gateway))
    return networks
