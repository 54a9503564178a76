"""Host ports for a container: bound for real, so that every conflict is seen at once."""

import contextlib
import errno
import socket
from collections.abc import Iterator

from wherry.kit.errors import Conflict, InvalidInput, NotPermitted, Unavailable
from wherry.network.ports import PortBinding, PublishedPort

_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
_UNPRIVILEGED = "net.ipv4.ip_unprivileged_port_start"
_BACKLOG = 4096
_EVERYWHERE = ("0.0.0.0", "::")
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

Bound = tuple[PublishedPort, socket.socket]


class PortTaken(Conflict):
    """The host's port belongs to somebody else."""


class Binder:
    """Binds host sockets; remembers where it was when it looks for any free port."""

    def __init__(self) -> None:
        self._next = 0
        self._ours: set[tuple[str, str, int]] = set()

    def bind(self, binding: PortBinding) -> list[Bound]:
        """Sockets for one binding: one, or two (IPv4 and IPv6) where it names no address.

        Raises PortTaken, NotPermitted, InvalidInput (no address of this host), Unavailable.
        """
        addresses = (binding.host_ip,) if binding.host_ip else _EVERYWHERE
        if binding.host_port and binding.host_port_end <= binding.host_port:
            return self._bind_all(binding, addresses, binding.host_port)
        for port in self._candidates(binding):
            with contextlib.suppress(PortTaken):
                return self._bind_all(binding, addresses, port)
        raise Unavailable(f"Bind for {addresses[0]} failed: all ports are allocated")

    def release(self, port: PublishedPort) -> None:
        """The port is free again."""
        self._ours.discard((port.protocol, port.host_ip, port.host_port))

    def _candidates(self, binding: PortBinding) -> Iterator[int]:
        if binding.host_port:
            yield from range(binding.host_port, binding.host_port_end + 1)
            return
        first, last = local_port_range()
        start = self._next if first <= self._next <= last else first
        for offset in range(last - first + 1):
            port = first + (start - first + offset) % (last - first + 1)
            self._next = port + 1
            yield port

    def _bind_all(self, binding: PortBinding, addresses: tuple[str, ...], port: int) -> list[Bound]:
        bound: list[Bound] = []
        try:
            for address in addresses:
                entry = PublishedPort(binding.protocol, binding.container_port, address, port)
                optional = address == "::" and len(addresses) > 1
                if (sock := self._bind_one(entry, optional)) is not None:
                    bound.append((entry, sock))
        except BaseException:
            for _, sock in bound:
                sock.close()
            raise
        self._ours |= {(entry.protocol, entry.host_ip, entry.host_port) for entry, _ in bound}
        return bound

    def _bind_one(self, entry: PublishedPort, optional: bool) -> socket.socket | None:
        sock: socket.socket | None = None
        try:
            sock = _open(entry)
            sock.bind((entry.host_ip, entry.host_port))
            if entry.protocol == "tcp":
                sock.listen(_BACKLOG)
            return sock
        except OSError as error:
            if sock is not None:
                sock.close()
            if optional and error.errno in _NO_IPV6:
                return None
            raise self._explain(entry, error) from error

    def _explain(self, entry: PublishedPort, error: OSError) -> Exception:
        host = f"[{entry.host_ip}]" if ":" in entry.host_ip else entry.host_ip
        where = f"{host}:{entry.host_port}"
        call = f"listen {entry.protocol}{6 if ':' in entry.host_ip else 4} {where}: bind"
        if error.errno == errno.EADDRINUSE:
            if self._is_ours(entry):
                return PortTaken(f"Bind for {where} failed: port is already allocated")
            return PortTaken(f"{call}: address already in use (by a process of the host)")
        if error.errno in (errno.EACCES, errno.EPERM):
            hint = f"sysctl {_UNPRIVILEGED}={entry.host_port} allows it"
            return NotPermitted(f"{call}: permission denied for a plain user: {hint}")
        if error.errno == errno.EADDRNOTAVAIL:
            return InvalidInput(f"{call}: cannot assign requested address: not one of this host's")
        return Unavailable(f"{call}: {error.strerror}")

    def _is_ours(self, entry: PublishedPort) -> bool:
        for protocol, address, port in self._ours:
            if (protocol, port) == (entry.protocol, entry.host_port) and (
                entry.host_ip in (address, *_EVERYWHERE) or address in _EVERYWHERE
            ):
                return True
        return False


def _open(entry: PublishedPort) -> socket.socket:
    family = socket.AF_INET6 if ":" in entry.host_ip else socket.AF_INET
    kind = socket.SOCK_STREAM if entry.protocol == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if entry.protocol == "tcp":  # a listener may follow closed connections; two UDP sockets may not
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def local_port_range() -> tuple[int, int]:
    """First and last ephemeral port of the host."""
    with open(_RANGE) as file:
        first, last = file.read().split()
    return int(first), int(last)
