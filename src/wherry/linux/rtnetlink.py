"""Links, addresses, routes and neighbours of a network namespace: rtnetlink(7).

The functions that end in `_message` build a request, so that a caller can put several into one
send; `Links` sends them. Addresses are `ipaddress` texts, hardware addresses `02:42:ac:11:00:02`.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from wherry.linux.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    NetlinkSocket,
    as_text,
    attribute,
    attributes,
    nested,
    text_attribute,
)

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29

IFF_UP = 0x1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_NET_NS_FD, _IFLA_IFALIAS = 18, 28, 20
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA, _IFLA_BRPORT_MODE = 4, 5, 4
_IFLA_BRPORT_ISOLATED = 33
_IFLA_AF_SPEC, _IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE = 26, 8, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 3, 4, 8
_IFA_F_NODAD = 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_TABLE = 1, 4, 5, 15
_NDA_DST, _NDA_LLADDR = 1, 2
_RT_TABLE_MAIN, _RTPROT_BOOT, _RTN_UNICAST, _SCOPE_UNIVERSE, _SCOPE_LINK = 254, 3, 1, 0, 253
_NUD_PERMANENT = 0x80

_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_NDMSG = struct.Struct("=BxxxiHBB")
_U32 = struct.Struct("=I")


class Link(NamedTuple):
    """What the kernel tells of a link. `master` is the bridge's index, 0 without one."""

    ifindex: int
    name: str
    kind: str
    mac: str
    mtu: int
    master: int
    up: bool
    alias: str


class Address(NamedTuple):
    """An address on a link, with its prefix length."""

    ifindex: int
    address: str
    prefix: int


class Route(NamedTuple):
    """A unicast route of the main table; `destination` is "" for the default route."""

    destination: str
    prefix: int
    gateway: str
    ifindex: int


class VethEnd(NamedTuple):
    """One end of a veth pair. `netns_fd` -1 leaves it where the request is made."""

    name: str
    mac: str = ""
    netns_fd: int = -1


def packed_mac(mac: str) -> bytes:
    """`02:42:ac:11:00:02` → six bytes. Raises ValueError."""
    raw = bytes.fromhex(mac.replace(":", ""))
    if len(raw) != 6:
        raise ValueError(f"not a hardware address: {mac!r}")
    return raw


def packed(address: str) -> tuple[int, bytes]:
    """An address's family and bytes. Raises OSError for what is no address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def _u32(kind: int, value: int) -> bytes:
    return attribute(kind, _U32.pack(value))


def _ifinfo(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return _IFINFO.pack(socket.AF_UNSPEC, 0, index, flags, change)


def _end(end: VethEnd, mtu: int) -> bytes:
    parts = [text_attribute(_IFLA_IFNAME, end.name)]
    if mtu:
        parts.append(_u32(_IFLA_MTU, mtu))
    if end.mac:
        parts.append(attribute(_IFLA_ADDRESS, packed_mac(end.mac)))
    if end.netns_fd >= 0:
        parts.append(_u32(_IFLA_NET_NS_FD, end.netns_fd))
    return b"".join(parts)


def veth_message(near: VethEnd, far: VethEnd, *, master: int = 0, mtu: int = 0) -> Message:
    """A veth pair in one request: the near end up and in its bridge, the far end in its namespace.

    `near` must stay in this namespace when it gets a master.
    """
    peer = attribute(_VETH_INFO_PEER, _ifinfo() + _end(far, mtu))
    info = nested(
        _IFLA_LINKINFO,
        attribute(_IFLA_INFO_KIND, b"veth"),
        nested(_IFLA_INFO_DATA, peer),
    )
    flags = IFF_UP if near.netns_fd < 0 else 0
    payload = _ifinfo(0, flags, flags) + _end(near, mtu) + info
    if master:
        payload += _u32(_IFLA_MASTER, master)
    text = f"create veth {near.name} with peer {far.name}"
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload, text)


def link_message(kind: str, name: str, *, mac: str = "", mtu: int = 0, up: bool = True) -> Message:
    """Create a link that needs no more than its kind: `bridge`, `dummy`."""
    flags = IFF_UP if up else 0
    payload = _ifinfo(0, flags, flags) + _end(VethEnd(name, mac), mtu)
    payload += nested(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, kind.encode()))
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload, f"create {kind} {name}")


def child_message(
    kind: str,
    name: str,
    parent: int,
    data: bytes,
    *,
    mac: str = "",
    mtu: int = 0,
    netns_fd: int = -1,
) -> Message:
    """Create a link on top of another one: `macvlan`, `ipvlan`, `vlan`.

    It comes into being in its namespace; `parent` is an index in ours. `data`: IFLA_INFO_DATA.
    """
    payload = _ifinfo() + _end(VethEnd(name, mac, netns_fd), mtu) + _u32(_IFLA_LINK, parent)
    info = (attribute(_IFLA_INFO_KIND, kind.encode()), nested(_IFLA_INFO_DATA, data))
    payload += nested(_IFLA_LINKINFO, *info)
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload, f"create {kind} {name}")


def change_message(
    index: int,
    text: str,
    *,
    up: bool | None = None,
    name: str = "",
    mac: str = "",
    mtu: int = 0,
    master: int | None = None,
    netns_fd: int = -1,
    alias: str = "",
) -> Message:
    """Change a link by its index; `text` says what for. Master 0 takes it out of its bridge."""
    parts = [_ifinfo(index, IFF_UP if up else 0, 0 if up is None else IFF_UP)]
    if name:
        parts.append(text_attribute(_IFLA_IFNAME, name))
    if mac:
        parts.append(attribute(_IFLA_ADDRESS, packed_mac(mac)))
    for kind, value in ((_IFLA_MTU, mtu), (_IFLA_NET_NS_FD, netns_fd + 1)):
        if value:
            parts.append(_u32(kind, value - (kind == _IFLA_NET_NS_FD)))
    if master is not None:
        parts.append(_u32(_IFLA_MASTER, master))
    if alias:
        parts.append(text_attribute(_IFLA_IFALIAS, alias))
    return Message(RTM_NEWLINK, 0, b"".join(parts), text)


def up_by_name_message(name: str, *, up: bool = True) -> Message:
    """Set a link up or down, known by name only: saves asking for its index."""
    payload = _ifinfo(0, IFF_UP if up else 0, IFF_UP) + text_attribute(_IFLA_IFNAME, name)
    return Message(RTM_NEWLINK, 0, payload, f"set link {name} {'up' if up else 'down'}")


def hairpin_message(name: str) -> Message:
    """Let a bridge send a frame back out of the port it came in by.

    Needed where br_netfilter translates a destination to the sender's own address.
    """
    return _port_message(name, _IFLA_BRPORT_MODE, f"set hairpin mode of bridge port {name}")


def isolation_message(name: str) -> Message:
    """Keep a bridge's port from other isolated ports: no packet filter is needed for it."""
    return _port_message(name, _IFLA_BRPORT_ISOLATED, f"isolate bridge port {name}")


def _port_message(name: str, kind: int, text: str) -> Message:
    mode = nested(_IFLA_INFO_SLAVE_DATA, attribute(kind, b"\1"))
    info = nested(_IFLA_LINKINFO, attribute(_IFLA_INFO_SLAVE_KIND, b"bridge"), mode)
    payload = _ifinfo() + text_attribute(_IFLA_IFNAME, name) + info
    return Message(RTM_NEWLINK, 0, payload, text)


def quiet_ipv6_message(index: int, name: str) -> Message:
    """No link-local address when the link comes up: for a link on a network without IPv6."""
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes((_ADDR_GEN_MODE_NONE,)))
    payload = _ifinfo(index) + nested(_IFLA_AF_SPEC, nested(socket.AF_INET6, mode))
    return Message(RTM_SETLINK, 0, payload, f"switch off ipv6 addresses of link {name}")


def delete_message(index: int, name: str) -> Message:
    """Delete a link. For a veth this blocks for tens of milliseconds."""
    return Message(RTM_DELLINK, 0, _ifinfo(index), f"delete link {name}")


def _broadcast(raw: bytes, prefix: int) -> bytes:
    mask = (1 << (32 - prefix)) - 1
    return (int.from_bytes(raw, "big") | mask).to_bytes(4, "big")


def address_message(index: int, address: str, prefix: int, *, remove: bool = False) -> Message:
    """Give a link an address, or take it. IPv6 without duplicate detection (it is ours alone)."""
    family, raw = packed(address)
    payload = _IFADDR.pack(family, prefix, 0, _SCOPE_UNIVERSE, index)
    payload += attribute(_IFA_LOCAL, raw) + attribute(_IFA_ADDRESS, raw)
    if family == socket.AF_INET6:
        payload += _u32(_IFA_FLAGS, _IFA_F_NODAD)
    elif prefix < 31:
        payload += attribute(_IFA_BROADCAST, _broadcast(raw, prefix))
    if remove:
        return Message(RTM_DELADDR, 0, payload, f"remove address {address}/{prefix}")
    flags = NLM_F_CREATE | NLM_F_REPLACE
    return Message(RTM_NEWADDR, flags, payload, f"add address {address}/{prefix}")


def route_message(
    destination: str, prefix: int, *, gateway: str = "", index: int = 0, remove: bool = False
) -> Message:
    """A route of the main table; `destination` "" is the default route of the gateway's family."""
    family, _ = packed(destination or gateway)
    scope = _SCOPE_UNIVERSE if gateway else _SCOPE_LINK
    payload = _RTMSG.pack(
        family, prefix, 0, 0, _RT_TABLE_MAIN, _RTPROT_BOOT, scope, _RTN_UNICAST, 0
    )
    if destination:
        payload += attribute(_RTA_DST, packed(destination)[1])
    if gateway:
        payload += attribute(_RTA_GATEWAY, packed(gateway)[1])
    if index:
        payload += _u32(_RTA_OIF, index)
    target = f"{destination or 'default'}/{prefix}" if destination else "default"
    text = f"{'remove' if remove else 'add'} route {target} via {gateway or f'link {index}'}"
    if remove:
        return Message(RTM_DELROUTE, 0, payload, text)
    return Message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, payload, text)


def neighbour_message(index: int, address: str, mac: str) -> Message:
    """A permanent neighbour entry."""
    family, raw = packed(address)
    payload = _NDMSG.pack(family, index, _NUD_PERMANENT, 0, 0)
    payload += attribute(_NDA_DST, raw) + attribute(_NDA_LLADDR, packed_mac(mac))
    flags = NLM_F_CREATE | NLM_F_REPLACE
    return Message(RTM_NEWNEIGH, flags, payload, f"add neighbour {address}")


def links(route: NetlinkSocket) -> list[Link]:
    """All links of the socket's namespace."""
    replies = route.dump(Message(RTM_GETLINK, 0, _ifinfo(), "list links"))
    return [_link(reply.payload) for reply in replies if reply.type == RTM_NEWLINK]


def link(route: NetlinkSocket, name: str) -> Link | None:
    """The link of that name, or None."""
    payload = _ifinfo() + text_attribute(_IFLA_IFNAME, name)
    try:
        replies = route.ask(Message(RTM_GETLINK, 0, payload, f"look up link {name}"))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
    return _link(replies[0].payload) if replies else None


def _link(payload: bytes) -> Link:
    _, _, index, flags, _ = _IFINFO.unpack_from(payload)
    found = dict(attributes(payload, _IFINFO.size))
    info = dict(attributes(found.get(_IFLA_LINKINFO, b"")))
    return Link(
        ifindex=index,
        name=as_text(found.get(_IFLA_IFNAME, b"")),
        kind=as_text(info.get(_IFLA_INFO_KIND, b"")),
        mac=found.get(_IFLA_ADDRESS, b"").hex(":"),
        mtu=_U32.unpack(found.get(_IFLA_MTU, bytes(4)))[0],
        master=_U32.unpack(found.get(_IFLA_MASTER, bytes(4)))[0],
        up=bool(flags & IFF_UP),
        alias=as_text(found.get(_IFLA_IFALIAS, b"")),
    )


def addresses(route: NetlinkSocket, family: int = socket.AF_UNSPEC) -> list[Address]:
    """All addresses of the socket's namespace, or those of one family."""
    message = Message(RTM_GETADDR, 0, _IFADDR.pack(family, 0, 0, 0, 0), "list addresses")
    return [_address(reply.payload) for reply in route.dump(message)]


def _address(payload: bytes) -> Address:
    family, prefix, _, _, index = _IFADDR.unpack_from(payload)
    found = dict(attributes(payload, _IFADDR.size))
    raw = found.get(_IFA_LOCAL) or found[_IFA_ADDRESS]
    return Address(index, socket.inet_ntop(family, raw), prefix)


def routes(route: NetlinkSocket, family: int = socket.AF_INET) -> Iterator[Route]:
    """The unicast routes of the main table."""
    request = _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
    for reply in route.dump(Message(RTM_GETROUTE, 0, request, "list routes")):
        fields = _RTMSG.unpack_from(reply.payload)
        found = dict(attributes(reply.payload, _RTMSG.size))
        table = _U32.unpack(found[_RTA_TABLE])[0] if _RTA_TABLE in found else fields[4]
        if table == _RT_TABLE_MAIN and fields[7] == _RTN_UNICAST:
            yield _route(fields[0], fields[1], found)


def _route(family: int, prefix: int, found: dict[int, bytes]) -> Route:
    def text(kind: int) -> str:
        return socket.inet_ntop(family, found[kind]) if kind in found else ""

    index = _U32.unpack(found.get(_RTA_OIF, bytes(4)))[0]
    return Route(text(_RTA_DST), prefix, text(_RTA_GATEWAY), index)
