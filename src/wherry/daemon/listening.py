"""`-H`: what the daemon listens on."""

import socket
import ssl
from collections.abc import Sequence
from functools import cached_property

from wherry.api.server import InheritedListener, Listener, TcpListener, UnixListener
from wherry.daemon.activation import Passed, chosen, inherited_sockets
from wherry.daemon.tls import TlsFlags, context
from wherry.kit.errors import InvalidInput

PORT = 2375
TLS_PORT = 2376


class Listening:
    """Reads hosts; certificates and passed sockets are looked at when the first host needs them.

    `insecure` allows TCP to which everyone gets in who reaches it.
    """

    def __init__(self, tls: TlsFlags, *, insecure: bool = False, group: str = "docker") -> None:
        self._flags = tls
        self._insecure = insecure
        self._group = group

    def listeners(self, hosts: Sequence[str]) -> list[Listener]:
        """One or more listeners for each. Raises InvalidInput."""
        return [one for host in hosts for one in self._of(host)]

    def _of(self, host: str) -> list[Listener]:
        scheme, _, rest = host.partition("://")
        if scheme == "unix" and rest:
            return [UnixListener(rest, self._group)]
        if scheme == "fd":
            return self._inherited(host, rest)
        if scheme == "tcp":
            return [self._tcp(host, rest)]
        raise InvalidInput(f"-H {host}: want unix:///path, tcp://address:port or fd://")

    def _tcp(self, host: str, rest: str) -> Listener:
        self._check_open(host)
        address, port = _split(rest)
        if not port:
            port = str(TLS_PORT if self._context else PORT)
        if not port.isdigit() or int(port) > 65535 or "/" in address:
            raise InvalidInput(f"-H {host}: want tcp://address:port")
        return TcpListener(address.strip("[]") or "127.0.0.1", int(port), self._context)

    def _inherited(self, host: str, which: str) -> list[Listener]:
        found = chosen(self._passed, which)
        if not found:
            raise InvalidInput(
                f"-H {host}: no such socket was passed in (LISTEN_FDS, LISTEN_FDNAMES)"
            )
        return [self._adopted(host, one.sock) for one in found]

    def _adopted(self, host: str, sock: socket.socket) -> Listener:
        if sock.family == socket.AF_UNIX:
            return InheritedListener(sock)
        self._check_open(host)
        return InheritedListener(sock, self._context)

    @cached_property
    def _context(self) -> ssl.SSLContext | None:
        return context(self._flags)

    @cached_property
    def _passed(self) -> list[Passed]:
        return inherited_sockets()

    def _check_open(self, host: str) -> None:
        """Refuse what lets everyone in, unless it is meant."""
        if self._flags.verify or self._insecure:
            return
        what = "no TLS" if not self._flags.on else "TLS, but does not ask for client certificates"
        raise InvalidInput(
            f"-H {host} has {what}: everyone who reaches the port owns this engine, and on "
            "loopback that is every user of this machine; give --tlsverify (`wherry tls init` "
            "makes the certificates), or say --insecure-tcp if you mean it"
        )


def _split(rest: str) -> tuple[str, str]:
    """Address and port, which may be missing: `a:1`, `[::1]:1`, `[::1]`, `a`."""
    if rest.startswith("[") and rest.endswith("]"):
        return rest, ""
    address, colon, port = rest.rpartition(":")
    return (address, port) if colon else (rest, "")
