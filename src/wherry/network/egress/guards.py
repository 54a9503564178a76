"""Whose rules apply to which address, which names our answers gave, and what is told of denials."""

import socket
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from wherry.network.dns.message import Record
from wherry.network.egress import policy as policies
from wherry.network.egress.policy import Policy

GRACE = 60.0
"""Seconds that an answer counts at least: clients keep addresses for longer than they should."""
LONGEST = 86400.0
_ADDRESSES = 4096
"""Addresses remembered for one container."""
WINDOW, TOLD = 30.0, 10
"""In so many seconds, so many denials of one container are told, each destination once."""

Tell = Callable[[dict[str, object]], None]


class Guarded(NamedTuple):
    """One address with rules."""

    endpoint: str
    container_id: str
    address: str
    text: str
    """The rules, as `policy.parse` takes them."""


class Seen:
    """The names that our DNS answers gave for addresses, to one container."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, float]] = {}

    def learn(self, name: str, records: Iterable[Record], now: float) -> None:
        """Remember an answer for as long as it may be used."""
        for record in records:
            family = socket.AF_INET if len(record.data) == 4 else socket.AF_INET6
            address = socket.inet_ntop(family, record.data)
            ends = now + min(LONGEST, max(GRACE, record.ttl))
            known = self._names.pop(address, {})
            self._names[address] = {**known, name: max(ends, known.get(name, 0.0))}
        while len(self._names) > _ADDRESSES:
            del self._names[next(iter(self._names))]

    def names(self, address: str, now: float) -> list[str]:
        """The names that an address has now."""
        return [name for name, ends in self._names.get(address, {}).items() if ends > now]

    def tick(self, now: float) -> None:
        """Forget what is over."""
        for address, known in list(self._names.items()):
            left = {name: ends for name, ends in known.items() if ends > now}
            if left:
                self._names[address] = left
            else:
                del self._names[address]


class Denials:
    """What is told of a container's denials: not more than anybody reads."""

    def __init__(self) -> None:
        self._began = 0.0
        self._told: set[tuple[str, str, int]] = set()
        self._silent = 0

    def wanted(self, what: tuple[str, str, int], now: float) -> int:
        """How many were not told before this one; -1: neither is this."""
        if now - self._began > WINDOW:
            self._began = now
            self._told.clear()
        if what in self._told or len(self._told) >= TOLD:
            self._silent += 1
            return -1
        self._told.add(what)
        silent, self._silent = self._silent, 0
        return silent


class _Container:
    __slots__ = ("denials", "policy", "seen")

    def __init__(self, policy: Policy) -> None:
        self.policy, self.seen, self.denials = policy, Seen(), Denials()


class Guards:
    """All containers with rules. A container that has none may do what it likes."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.endpoints: dict[str, Guarded] = {}
        self._containers: dict[str, _Container] = {}
        self._sources: dict[str, str] = {}

    def guard(self, wanted: Guarded) -> None:
        """Apply rules to an address. May be repeated. Raises InvalidInput."""
        policy = policies.parse(wanted.text)
        self.release(wanted.endpoint, forget=False)
        container = self._containers.setdefault(wanted.container_id, _Container(policy))
        container.policy = policy
        self.endpoints[wanted.endpoint] = wanted
        self._sources[wanted.address] = wanted.container_id

    def release(self, endpoint: str, *, forget: bool = True) -> None:
        """The address has no rules any more. May be repeated."""
        gone = self.endpoints.pop(endpoint, None)
        if gone is None:
            return
        if self._sources.get(gone.address) == gone.container_id:
            del self._sources[gone.address]
        left = any(one.container_id == gone.container_id for one in self.endpoints.values())
        if forget and not left:
            self._containers.pop(gone.container_id, None)

    def guards(self, source: str) -> bool:
        """Whether an address has rules."""
        return source in self._sources

    def may_connect(self, source: str, address: str, port: int, protocol: str) -> bool:
        """Whether what comes from a source may go on; a denial is told."""
        id = self._sources.get(source, "")
        container = self._containers.get(id)
        if container is None:
            return True
        now = time.monotonic()
        names = container.seen.names(address, now)
        if policies.may_connect(container.policy, address, port, names):
            return True
        self._denied(id, container, (names[0] if names else "", address, port), protocol)
        return False

    def may_ask(self, container_id: str, name: str) -> bool:
        """Whether a name may be asked of the outside for a container; a denial is told."""
        container = self._containers.get(container_id)
        if container is None or policies.may_ask(container.policy, name):
            return True
        self._denied(container_id, container, (name, "", policies.DNS), "dns")
        return False

    def learn(self, container_id: str) -> Callable[[str, Iterable[Record]], None] | None:
        """Where a container's answers have to be told; None: nobody wants them."""
        container = self._containers.get(container_id)
        if container is None:
            return None
        seen = container.seen
        return lambda name, records: seen.learn(name, records, time.monotonic())

    def _denied(
        self, id: str, container: _Container, what: tuple[str, str, int], protocol: str
    ) -> None:
        silent = container.denials.wanted(what, time.monotonic())
        if silent < 0:
            return
        name, address, port = what
        event = {"event": "egress-denied", "container": id, "protocol": protocol}
        self._tell({**event, "name": name, "address": address, "port": port, "silent": silent})

    def tick(self, now: float) -> None:
        """Forget old answers."""
        for container in self._containers.values():
            container.seen.tick(now)
