"""What an nf_tables rule is made of: expressions that load, compare, look up and decide.

Numbers from <linux/netfilter/nf_tables.h>; every number goes over the wire in network order.
Values travel through registers of four bytes (`REGISTER`, `REGISTER + 1`, …).
"""

import struct

from wherry.linux.netlink import attribute, nested, text_attribute

REGISTER = 8
"""NFT_REG32_00, the first of sixteen."""

DROP, ACCEPT, RETURN = 0, 1, -5
ESTABLISHED_OR_RELATED = 2 | 4
NEW = 8
ADMINISTRATIVELY_PROHIBITED = 13
DESTINATION_TRANSLATED = 1 << 5
LOCAL_ADDRESS = 2

_EXPR_NAME, _EXPR_DATA, _LIST_ELEMENT = 1, 2, 1
_DATA_VALUE, _DATA_VERDICT, _VERDICT_CODE = 1, 2, 1
_META_PROTOCOL, _META_IIFNAME, _META_OIFNAME, _META_L4PROTO = 1, 6, 7, 16
_NETWORK, _TRANSPORT = 1, 2
_FIB_ADDRESS_TYPE, _FIB_DESTINATION = 3, 2
_CT_STATE, _CT_STATUS = 0, 2
_NAT_DESTINATION, _IPV4, _IPV6 = 1, 2, 10
_NAME_SIZE = 16


def number(kind: int, value: int) -> bytes:
    """A 32-bit attribute in network order."""
    return attribute(kind, struct.pack(">i" if value < 0 else ">I", value))


def _expression(name: str, *data: bytes) -> bytes:
    return nested(_LIST_ELEMENT, text_attribute(_EXPR_NAME, name), nested(_EXPR_DATA, *data))


def value(kind: int, raw: bytes) -> bytes:
    """Bytes as an expression's or element's operand."""
    return nested(kind, attribute(_DATA_VALUE, raw))


def verdict(code: int) -> bytes:
    """End with DROP, ACCEPT or RETURN."""
    data = nested(2, nested(_DATA_VERDICT, number(_VERDICT_CODE, code)))
    return _expression("immediate", number(1, 0), data)


def equals(raw: bytes, *, differs: bool = False, register: int = REGISTER) -> bytes:
    """Go on only if the register holds these bytes (or does not)."""
    return _expression("cmp", number(1, register), number(2, int(differs)), value(3, raw))


def _meta(key: int, register: int = REGISTER) -> bytes:
    return _expression("meta", number(1, register), number(2, key))


def _payload(base: int, offset: int, length: int, register: int) -> bytes:
    parts = (number(1, register), number(2, base), number(3, offset), number(4, length))
    return _expression("payload", *parts)


def _masked(mask: bytes) -> bytes:
    size = len(mask)
    parts = (number(1, REGISTER), number(2, REGISTER), number(3, size))
    return _expression("bitwise", *parts, value(4, mask), value(5, bytes(size)))


def _interface(key: int, name: str, differs: bool) -> tuple[bytes, ...]:
    return _meta(key), equals(name.encode().ljust(_NAME_SIZE, b"\0"), differs=differs)


def coming_from(interface: str, *, differs: bool = False) -> tuple[bytes, ...]:
    """The packet came in by this interface (or by another)."""
    return _interface(_META_IIFNAME, interface, differs)


def going_to(interface: str, *, differs: bool = False) -> tuple[bytes, ...]:
    """The packet leaves by this interface (or by another)."""
    return _interface(_META_OIFNAME, interface, differs)


def load_interface(*, leaving: bool) -> bytes:
    """The name of the interface, for a look-up."""
    return _meta(_META_OIFNAME if leaving else _META_IIFNAME)


def _in_subnet(offset: int, network: bytes, prefix: int, differs: bool) -> tuple[bytes, ...]:
    size = len(network)
    every = (1 << 8 * size) - 1
    mask = (every << (8 * size - prefix) & every).to_bytes(size, "big")
    load = _payload(_NETWORK, offset, size, REGISTER)
    return load, _masked(mask), equals(network, differs=differs)


def source_in(network: bytes, prefix: int, *, differs: bool = False) -> tuple[bytes, ...]:
    """The source lies in the subnet (or outside); IPv4 or IPv6, as the table is."""
    return _in_subnet(12 if len(network) == 4 else 8, network, prefix, differs)


def destination_in(network: bytes, prefix: int, *, differs: bool = False) -> tuple[bytes, ...]:
    """The destination lies in the subnet (or outside); IPv4 or IPv6, as the table is."""
    return _in_subnet(16 if len(network) == 4 else 24, network, prefix, differs)


def ether_type_is(number: int) -> tuple[bytes, ...]:
    """The kind of packet in an Ethernet frame (0x0800 is IPv4)."""
    return _meta(_META_PROTOCOL), equals(number.to_bytes(2, "big"))


def destination_is_local() -> tuple[bytes, ...]:
    """The destination is an address of this machine (this network namespace)."""
    parts = (number(1, REGISTER), number(2, _FIB_ADDRESS_TYPE), number(3, _FIB_DESTINATION))
    return _expression("fib", *parts), equals(struct.pack("=I", LOCAL_ADDRESS))


def protocol_is(protocol: int) -> tuple[bytes, ...]:
    """The transport protocol (IPPROTO_TCP, IPPROTO_UDP)."""
    return _meta(_META_L4PROTO), equals(bytes((protocol,)))


def destination_port_is(port: int, *, differs: bool = False) -> tuple[bytes, ...]:
    """The TCP or UDP destination port; to be preceded by `protocol_is`."""
    load = _payload(_TRANSPORT, 2, 2, REGISTER)
    return load, equals(port.to_bytes(2, "big"), differs=differs)


def _connection(key: int, bits: int) -> tuple[bytes, ...]:
    load = _expression("ct", number(1, REGISTER), number(2, key))
    return load, _masked(struct.pack("=I", bits)), equals(bytes(4), differs=True)


def connection_is_known() -> tuple[bytes, ...]:
    """The packet belongs to, or is related to, a connection seen before."""
    return _connection(_CT_STATE, ESTABLISHED_OR_RELATED)


def connection_is_new() -> tuple[bytes, ...]:
    """The packet is the first of its connection."""
    return _connection(_CT_STATE, NEW)


def connection_was_redirected() -> tuple[bytes, ...]:
    """The connection's destination was translated."""
    return _connection(_CT_STATUS, DESTINATION_TRANSLATED)


def load_source(size: int = 4) -> bytes:
    """The source address, for a look-up; `size` is 4 bytes, or 16."""
    return _payload(_NETWORK, 12 if size == 4 else 8, size, REGISTER)


def load_endpoint(*, with_address: bool, size: int = 4) -> tuple[bytes, ...]:
    """[destination address,] protocol and port, as the key of a map, from REGISTER on.

    `size` is that of an address: 4 bytes, or 16.
    """
    first = REGISTER + (size // 4 if with_address else 0)
    key = (_meta(_META_L4PROTO, first), _payload(_TRANSPORT, 2, 2, first + 1))
    offset = 16 if size == 4 else 24
    return (_payload(_NETWORK, offset, size, REGISTER), *key) if with_address else key


def look_up(name: str, *, into: int = -1, inverted: bool = False) -> bytes:
    """Go on only if the key is in the set (`inverted`: is not); a map's value goes to `into`."""
    parts = [text_attribute(1, name), number(2, REGISTER)]
    if into >= 0:
        parts.append(number(3, into))
    if inverted:
        parts.append(number(5, 1))
    return _expression("lookup", *parts)


def reject(code: int = ADMINISTRATIVELY_PROHIBITED) -> bytes:
    """End with an ICMP error "destination unreachable" of this code."""
    return _expression("reject", number(1, 0), attribute(2, bytes((code,))))


def translate_destination(size: int = 4) -> bytes:
    """DNAT to the address of this size in REGISTER, and the port behind it."""
    registers = (number(3, REGISTER), number(5, REGISTER + size // 4))
    family = _IPV4 if size == 4 else _IPV6
    return _expression("nat", number(1, _NAT_DESTINATION), number(2, family), *registers)


def translate_destination_to(address: bytes, port: int) -> tuple[bytes, ...]:
    """DNAT to one IPv4 address and port."""
    where = _expression("immediate", number(1, REGISTER), value(2, address))
    raw = port.to_bytes(2, "big")
    return (
        where,
        _expression("immediate", number(1, REGISTER + 1), value(2, raw)),
        (translate_destination()),
    )


def masquerade() -> bytes:
    """Replace the source by the address of the interface the packet leaves by."""
    return _expression("masq")


def redirect_to_port(port: int) -> tuple[bytes, ...]:
    """Send the packet to this port of ours; the listener asks SO_ORIGINAL_DST."""
    load = _expression("immediate", number(1, REGISTER), value(2, port.to_bytes(2, "big")))
    return load, _expression("redir", number(1, REGISTER))
