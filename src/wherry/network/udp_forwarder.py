"""Datagrams on their way out of a namespace: a socket outside for each flow.

The packet filter redirects what leaves to one socket; the kernel's connection tracking knows where
it was meant to go, and leads our answers back as if they came from there. Each flow comes to us
from an address and port of its own, also where one socket of a container sends to many places: the
kernel sees to that, or it could not lead the answers back.

What cannot be reached, and what egress rules deny, is told by ICMP.
"""

import contextlib
import errno
import socket
import struct
import time

from wherry.linux import conntrack
from wherry.linux.netlink import NETFILTER, NetlinkSocket
from wherry.network.datagram import IDLE_SECONDS, Ancillary, answer_from, ask_for_local_address
from wherry.network.inside import Inside
from wherry.network.loop import READ, Loop
from wherry.network.outbound import Exit

RECHECK_SECONDS = 5.0
"""After a pause the kernel may have forgotten the flow, and the port lead somewhere else now."""
_FLOWS = 4096
_LARGEST = 1 << 16
_BURST = 64
_SOL_RAW, _ICMP_FILTER = 255, 1
_PORT_UNREACHABLE, _PROHIBITED = 3, 13

Address = tuple[str, int]


class _Flow:
    __slots__ = ("checked", "client", "local", "outside", "target", "used")

    def __init__(self, client: Address, local: Ancillary, target: Address) -> None:
        self.client, self.local, self.target = client, local, target
        self.outside = socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        self.used = self.checked = time.monotonic()


class UdpForwarder:
    """The socket inside, and the flows through it."""

    def __init__(self, loop: Loop, inside: Inside, way_out: Exit, port: int) -> None:
        self._loop, self._exit = loop, way_out
        self._flows: dict[Address, _Flow] = {}
        self._socket = inside.call(lambda: _bound(port))
        self.port: int = self._socket.getsockname()[1]
        self._tracking = inside.call(lambda: NetlinkSocket.open(NETFILTER))
        self._errors = inside.call(_icmp)
        loop.watch(self._socket.fileno(), READ, self._from_containers)
        loop.every_second(self._tick)

    def _from_containers(self, _: int) -> None:
        for _round in range(_BURST):
            try:
                data, ancillary, _flags, client = self._socket.recvmsg(_LARGEST, 128)
            except OSError:  # nothing more for now
                return
            # out of descriptors, a full queue, no route: datagrams may be lost
            with contextlib.suppress(OSError):
                self._forward(client, answer_from(ancillary), data)

    def _forward(self, client: Address, local: Ancillary, data: bytes) -> None:
        now, flow = time.monotonic(), self._flows.get(client)
        if flow is None or now - flow.checked > RECHECK_SECONDS:
            flow = self._checked(client, local, flow)
        if flow is not None:
            flow.used = flow.checked = now
            flow.outside.send(data)

    def _checked(self, client: Address, local: Ancillary, known: _Flow | None) -> _Flow | None:
        """The flow to where this client sends now; None where it must not."""
        ours = (_asked(local), self.port)
        destination = conntrack.original_destination(
            self._tracking, socket.IPPROTO_UDP, ours, client
        )
        target = None
        if destination is not None and destination != ours:
            target = self._exit.target(client[0], destination, "udp")
        if known is not None and known.target == target:
            return known
        if known is not None:
            self._drop(known)
        if target is None:
            self._refuse(client, ours, _PROHIBITED)
            return None
        return self._open(client, local, target)

    def _open(self, client: Address, local: Ancillary, target: Address) -> _Flow:
        if len(self._flows) >= _FLOWS:
            self._drop(min(self._flows.values(), key=lambda each: each.used))
        flow = _Flow(client, local, target)
        try:
            flow.outside.connect(target)
        except OSError:
            flow.outside.close()
            self._refuse(client, (_asked(local), self.port), _PORT_UNREACHABLE)
            raise
        self._flows[client] = flow
        self._loop.watch(flow.outside.fileno(), READ, lambda _: self._answer(flow))
        return flow

    def _answer(self, flow: _Flow) -> None:
        try:
            for _ in range(_BURST):
                data = flow.outside.recv(_LARGEST)
                flow.used = time.monotonic()
                self._socket.sendmsg([data], flow.local, 0, flow.client)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                with contextlib.suppress(OSError):
                    self._refuse(flow.client, (_asked(flow.local), self.port), _PORT_UNREACHABLE)

    def _refuse(self, client: Address, local: Address, code: int) -> None:
        """An ICMP error as if from the destination; the kernel puts its address in again."""
        self._errors.sendto(unreachable(client, local, code), (client[0], 0))

    def _drop(self, flow: _Flow) -> None:
        self._flows.pop(flow.client, None)
        self._loop.forget(flow.outside.fileno())
        flow.outside.close()

    def _tick(self, now: float) -> None:
        for flow in [one for one in self._flows.values() if now - one.used > IDLE_SECONDS]:
            self._drop(flow)


def unreachable(client: Address, local: Address, code: int) -> bytes:
    """ICMP "destination unreachable" (RFC 792) about a datagram from client to local."""
    ends = socket.inet_aton(client[0]) + socket.inet_aton(local[0])
    header = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
    header = header[:10] + struct.pack(">H", _checksum(header)) + header[12:]
    about = header + struct.pack(">4H", client[1], local[1], 8, 0)
    sum_ = _checksum(struct.pack(">BBHI", 3, code, 0, 0) + about)
    return struct.pack(">BBHI", 3, code, sum_, 0) + about


def _checksum(data: bytes) -> int:
    """RFC 1071; of an even number of bytes."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _asked(local: Ancillary) -> str:
    """The address of ours that a datagram came to, out of what `answer_from` made."""
    return socket.inet_ntoa(local[0][2][4:8]) if local else "0.0.0.0"


def _icmp() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP)
    sock.setsockopt(_SOL_RAW, _ICMP_FILTER, b"\xff" * 4)  # it is for sending only
    return sock


def _bound(port: int) -> socket.socket:
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_INET, kind)
    try:
        ask_for_local_address(sock)
        sock.bind(("0.0.0.0", port))
    except OSError:
        sock.close()
        raise
    return sock
