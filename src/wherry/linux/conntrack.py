"""Connection tracking entries: forgetting outdated ones, asking what one was before translation.

A UDP "connection" lives as long as packets come, and keeps the translation of its first packet:
a client that keeps sending would go on to a container that is gone, or miss one that has come.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from wherry.linux.netlink import Message, NetlinkSocket, attribute, attributes, nested

_SUBSYSTEM = 1 << 8
_GET, _DELETE = 1, 2
_ORIGINAL, _REPLY, _FILTER = 1, 2, 25
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_SOURCE, _DESTINATION = 1, 2
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_FILTER_REPLY = 2
_BY_SOURCE, _BY_NUMBER = 1 << 0, 1 << 3
_HEAD = struct.pack(">BBH", socket.AF_INET, 0, 0)


class Flow(NamedTuple):
    """What matters of an entry; `reply_source` is where its packets really go."""

    protocol: int
    reply_source: str
    raw: bytes
    """The original direction's tuple, as the kernel wants it back."""


def forget_udp_to(sock: NetlinkSocket, address: str) -> int:
    """Forget UDP flows that end at an address; their number. `sock`: NETLINK_NETFILTER."""
    tuple_ip = nested(_TUPLE_IP, attribute(_SOURCE, socket.inet_aton(address)))
    number = attribute(_NUMBER, bytes((socket.IPPROTO_UDP,)))
    wanted = nested(_REPLY, tuple_ip, nested(_TUPLE_PROTOCOL, number))
    flags = attribute(_FILTER_REPLY, struct.pack("=I", _BY_SOURCE | _BY_NUMBER))
    flows = _flows(sock, wanted + nested(_FILTER, flags))
    return _forget(sock, (flow for flow in flows if flow.reply_source == address))


def original_destination(
    sock: NetlinkSocket, protocol: int, local: tuple[str, int], peer: tuple[str, int]
) -> tuple[str, int] | None:
    """Where a peer sent what came to our `local` address by a redirection; None: unknown.

    What SO_ORIGINAL_DST tells for TCP: the entry is found by the direction in which we answer.
    """
    addresses = nested(
        _TUPLE_IP,
        attribute(_SOURCE, socket.inet_aton(local[0])),
        attribute(_DESTINATION, socket.inet_aton(peer[0])),
    )
    ports = nested(
        _TUPLE_PROTOCOL,
        attribute(_NUMBER, bytes((protocol,))),
        attribute(_SOURCE_PORT, local[1].to_bytes(2, "big")),
        attribute(_DESTINATION_PORT, peer[1].to_bytes(2, "big")),
    )
    payload = _HEAD + nested(_REPLY, addresses, ports)
    message = Message(_SUBSYSTEM | _GET, 0, payload, "look up a tracked connection")
    try:
        replies = sock.ask(message)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return next((_destination(reply.payload) for reply in replies), None)


def _destination(payload: bytes) -> tuple[str, int]:
    original = dict(attributes(dict(attributes(payload, 4))[_ORIGINAL]))
    address = dict(attributes(original[_TUPLE_IP]))[_DESTINATION]
    port = dict(attributes(original[_TUPLE_PROTOCOL]))[_DESTINATION_PORT]
    return socket.inet_ntoa(address), int.from_bytes(port, "big")


def _flows(sock: NetlinkSocket, wanted: bytes) -> Iterator[Flow]:
    """UDP flows. The filter is a hint: kernels before 5.8 list everything."""
    message = Message(_SUBSYSTEM | _GET, 0, _HEAD + wanted, "list tracked connections")
    for reply in sock.dump(message):
        flow = _flow(dict(attributes(reply.payload, 4)))
        if flow.protocol == socket.IPPROTO_UDP:
            yield flow


def _flow(found: dict[int, bytes]) -> Flow:
    original = dict(attributes(found.get(_ORIGINAL, b"")))
    reply = dict(attributes(dict(attributes(found.get(_REPLY, b""))).get(_TUPLE_IP, b"")))
    protocol = dict(attributes(original.get(_TUPLE_PROTOCOL, b"")))
    return Flow(
        protocol.get(_NUMBER, b"\0")[0],
        socket.inet_ntoa(reply[_SOURCE]) if _SOURCE in reply else "",
        found.get(_ORIGINAL, b""),
    )


def _forget(sock: NetlinkSocket, flows: Iterator[Flow]) -> int:
    count = 0
    for flow in list(flows):
        payload = _HEAD + nested(_ORIGINAL, flow.raw)
        message = Message(_SUBSYSTEM | _DELETE, 0, payload, "forget a tracked connection")
        try:
            sock.request(message)
            count += 1
        except OSError as error:
            if error.errno != errno.ENOENT:  # it has just ended by itself
                raise
    return count
