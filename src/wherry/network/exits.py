"""The forwarders of one network process: opened when somebody first needs them."""

from collections.abc import Iterable

from wherry.kit.errors import Conflict
from wherry.network.dns_forwarder import DnsForwarder
from wherry.network.egress.guards import Guarded, Guards
from wherry.network.inside import Inside
from wherry.network.loop import Loop
from wherry.network.outbound import Exit, OutboundForwarder
from wherry.network.ports import Outbound
from wherry.network.resolvers import Resolvers
from wherry.network.udp_forwarder import UdpForwarder


class Exits:
    """`separate`: the bridges are in a namespace that has no other way out (plain user)."""

    def __init__(self, loop: Loop, inside: Inside, guards: Guards, *, separate: bool) -> None:
        self._loop, self._inside, self._guards, self._separate = loop, inside, guards, separate
        self._resolvers = Resolvers()
        self._exit = Exit(self._resolvers, guards, guarded_only=not separate)
        self._tcp: OutboundForwarder | None = None
        self._udp: UdpForwarder | None = None
        self._dns: DnsForwarder | None = None

    def open(self, gateways: Iterable[str], ports: Outbound) -> Outbound:
        """For all that leaves the bridges. Raises Conflict where the kernel has a way out."""
        if not self._separate:
            raise Conflict("network process: outbound forwarding needs a namespace of its own")
        if self._dns is None:
            self._dns = DnsForwarder(self._loop, self._inside, self._resolvers, ports.dns)
        self._exit.gateways = frozenset(gateways)
        return self._opened(ports)

    def guard(self, wanted: Guarded, ports: Outbound) -> Outbound:
        """For a container with egress rules. Raises InvalidInput (bad rules)."""
        self._guards.guard(wanted)
        return self._opened(ports)

    def _opened(self, ports: Outbound) -> Outbound:
        if self._tcp is None:
            self._tcp = OutboundForwarder(self._loop, self._inside, self._exit, ports.tcp)
        if self._udp is None:
            self._udp = UdpForwarder(self._loop, self._inside, self._exit, ports.udp)
        return Outbound(self._tcp.port, self._dns.port if self._dns else 0, self._udp.port)

    def guarded(self) -> tuple[list[Guarded], Outbound | None]:
        """All that have rules, and the ports for them."""
        listed = list(self._guards.endpoints.values())
        return listed, self._opened(Outbound(0, 0)) if listed else None
