"""Netlink encoding; and what needs no privilege of the real thing: asking the kernel."""

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.linux import rtnetlink
from wherry.linux.netlink import (
    Message,
    NetlinkSocket,
    as_text,
    attribute,
    attributes,
    nested,
    text_attribute,
)

PAIRS = st.lists(st.tuples(st.integers(1, 0x3FFF), st.binary(max_size=40)), max_size=8)


@given(PAIRS)
def test_attributes_are_read_as_they_were_written(pairs: list[tuple[int, bytes]]) -> None:
    data = b"".join(attribute(kind, value) for kind, value in pairs)
    assert len(data) % 4 == 0
    assert list(attributes(data)) == pairs


def test_a_nested_attribute_holds_its_parts() -> None:
    data = nested(18, text_attribute(1, "veth"), attribute(2, b"x"))
    ((kind, value),) = attributes(data)
    assert kind == 18
    assert [(k, as_text(v)) for k, v in attributes(value)] == [(1, "veth"), (2, "x")]


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_an_attribute_that_lies_about_its_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="claims"):
        list(attributes(struct.pack("=HH", length, 1) + bytes(4)))


def test_the_loopback_link_is_found_by_name_and_in_the_list() -> None:
    with NetlinkSocket.open() as route:
        link = rtnetlink.link(route, "lo")
        assert link is not None
        assert link in [entry._replace() for entry in rtnetlink.links(route)]
        assert (link.name, link.kind, link.mac) == ("lo", "", "00:00:00:00:00:00")


def test_a_link_that_is_not_there_is_none() -> None:
    with NetlinkSocket.open() as route:
        assert rtnetlink.link(route, "no-such-link") is None


def test_loopback_addresses_are_listed() -> None:
    with NetlinkSocket.open() as route:
        found = {(entry.address, entry.prefix) for entry in rtnetlink.addresses(route)}
    assert ("127.0.0.1", 8) in found


def test_a_refusal_names_the_request() -> None:
    with NetlinkSocket.open() as route, pytest.raises(OSError, match="frobnicate") as caught:
        route.request(Message(9999, 0, b"", "frobnicate the link"))
    assert caught.value.errno in (errno.EOPNOTSUPP, errno.EPERM)


def test_a_socket_given_by_descriptor_leaves_the_original_open() -> None:
    original = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    with original:
        with NetlinkSocket.from_descriptor(original.fileno()) as route:
            assert rtnetlink.link(route, "lo") is not None
        assert original.fileno() >= 0
        original.getsockname()


@pytest.mark.parametrize("mac", ["", "02:42", "02:42:ac:11:00:02:07"])
def test_a_bad_hardware_address_is_refused(mac: str) -> None:
    with pytest.raises(ValueError, match="not a hardware address"):
        rtnetlink.packed_mac(mac)
