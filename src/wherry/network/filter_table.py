"""The firewall table as it stands in the kernel: what was applied, and changes to it."""

from collections.abc import Iterable

from wherry.linux import nftables
from wherry.linux.netlink import NETFILTER, NetlinkSocket
from wherry.network import firewall
from wherry.network.firewall import Bridge, Ruleset, Translation
from wherry.network.ports import Outbound


class FilterTable:
    """One engine's table in one network namespace, through a netfilter socket opened there.

    A refused transaction leaves table and memory as they were.
    """

    def __init__(self, engine_id: str, sock: NetlinkSocket, family: int = nftables.IPV4) -> None:
        self._name = firewall.table_name(engine_id)
        self._socket = sock
        self._nothing = Ruleset(family=family)
        self._applied: Ruleset | None = None

    @classmethod
    def open(cls, engine_id: str) -> "FilterTable":
        """A table in the calling thread's network namespace."""
        return cls(engine_id, NetlinkSocket.open(NETFILTER))

    @property
    def rules(self) -> Ruleset:
        """What is in place, as far as this object put it there."""
        return self._applied or self._nothing

    def apply(self, wanted: Ruleset) -> None:
        """Make the table so. Raises OSError naming the refused part."""
        messages = firewall.plan(self._name, self._applied, wanted)
        if messages:
            nftables.commit(self._socket, messages)
        self._applied = wanted

    def start(self, wanted: Ruleset) -> None:
        """Replace whatever an earlier daemon left by all of this."""
        self._applied = None
        self.apply(wanted)

    def redirect(self, outbound: Outbound) -> None:
        """Send what leaves the bridges to these listeners."""
        self.apply(self.rules._replace(outbound=outbound))

    def add_bridge(self, bridge: Bridge) -> None:
        """Add or change one bridge's rules."""
        if bridge in self.rules.bridges:
            return
        others = (entry for entry in self.rules.bridges if entry.name != bridge.name)
        self.apply(self.rules._replace(bridges=(*others, bridge)))

    def remove_bridge(self, name: str) -> None:
        """Remove one bridge's rules."""
        left = tuple(entry for entry in self.rules.bridges if entry.name != name)
        self.apply(self.rules._replace(bridges=left))

    def translate(self, translations: Iterable[Translation]) -> None:
        """Add published ports."""
        wanted = self.rules.translations | set(translations)
        self.apply(self.rules._replace(translations=wanted))

    def forget(self, address: str) -> frozenset[Translation]:
        """Remove what leads to one container's address; what that was."""
        gone = frozenset(e for e in self.rules.translations if e.address == address)
        self.apply(self.rules._replace(translations=self.rules.translations - gone))
        return gone

    def guard(self, address: str, ports: Outbound) -> None:
        """Send what this container begins to the forwarder that knows its egress rules."""
        guards = self.rules.guards | {address}
        self.apply(self.rules._replace(guards=guards, guard_ports=ports))

    def refuse(self, address: str) -> None:
        """IPv6: what this container begins does not leave its network."""
        self.apply(self.rules._replace(guards=self.rules.guards | {address}))

    def release(self, address: str) -> None:
        """The address has no egress rules any more."""
        if address in self.rules.guards:
            self.apply(self.rules._replace(guards=self.rules.guards - {address}))

    def remove(self) -> None:
        """Remove the table."""
        nftables.commit(self._socket, firewall.removal(self._name, self._nothing.family))
        self._applied = None
