"""DNS messages, well-formed and otherwise."""

import contextlib
import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wherry.network.dns import message
from wherry.network.dns.message import AAAA, CNAME, PTR, A, Malformed, Record
from wherry.testing import dns

LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join).filter(lambda name: len(name) < 250)
LOOP = b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1" + b"\xc0\x13" + b"\0\1\0\1\0\0\0\1\0\4abcd"


def header(flags: int = 0x0100, *counts: int) -> bytes:
    return struct.pack(">6H", 0x1234, flags, *(counts or (1, 0, 0, 0)))


def record(name: bytes, kind: int, data: bytes, ttl: int = 60) -> bytes:
    return name + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


@given(NAME, st.sampled_from([A, AAAA, PTR, 255]), st.integers(0, 65535))
def test_a_question_is_read_as_it_was_written(name: str, kind: int, identity: int) -> None:
    query = message.read_query(dns.question(name.upper(), kind, identity))
    assert (query.id, query.name, query.kind, query.klass) == (identity, name, kind, 1)
    assert query.standard and not query.edns and query.limit == 512


@given(st.binary(max_size=600))
@example(LOOP)
@example(header() + b"\xc0\x0c\0\1\0\1")
@example(header(0x0100, 1, 65535, 65535, 65535) + b"\0\0\1\0\1" + b"\0" * 500)
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    query = message.read_query(dns.question("a"))
    for read in (message.read_query, message.format_error, lambda d: message.addresses(d, query)):
        with contextlib.suppress(Malformed):
            read(data)
    message.answers(data, 1, query)


@given(NAME, st.binary(max_size=80), st.integers(0, 200))
def test_a_damaged_question_is_read_or_malformed(name: str, noise: bytes, at: int) -> None:
    data = dns.question(name)
    with contextlib.suppress(Malformed):
        message.read_query(data[:at] + noise + data[at + len(noise) :])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        header(),
        header() + b"\1a",
        header() + b"\x40a\0\0\1\0\1",
        header() + b"\xc0\x0c\0\1\0\1",
        header(0x8100) + b"\1a\0\0\1\0\1",
        header(0x0100, 0, 0, 0, 0),
        header(0x0100, 2, 0, 0, 0) + b"\1a\0\0\1\0\1\1a\0\0\1\0\1",
        header() + b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 3 + b"\0\0\1\0\1",
    ],
)
def test_what_is_no_question_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        message.read_query(data)


@given(NAME, st.lists(st.binary(min_size=4, max_size=4), max_size=60), st.integers(300, 2000))
def test_answers_fit_their_limit_or_say_so(name: str, raw: list[bytes], limit: int) -> None:
    query = message.read_query(dns.question(name))
    data = message.answer(query, [(A, each) for each in raw], ttl=9, limit=limit)
    read = dns.read(data)
    assert len(data) <= limit
    assert read.data == tuple(map(socket.inet_ntoa, raw))[: len(read.data)]
    assert read.truncated == (len(read.data) < len(raw))
    assert message.answers(data, 0x1234, query)
    assert not message.answers(data, 0x1235, query)


def test_an_answer_repeats_the_capitals_and_edns() -> None:
    raw = dns.question("WeB")[:10] + b"\0\1" + dns.question("WeB")[12:]
    query = message.read_query(raw + b"\0" + struct.pack(">HHIH", 41, 1400, 0, 0))
    assert (query.name, query.edns, query.limit) == ("web", True, 1400)
    data = message.answer(query, [(A, b"\1\2\3\4")])
    assert b"\3WeB\0" in data and data.endswith(b"\0" + struct.pack(">HHIH", 41, 4096, 0, 0))


def test_dots_inside_of_labels_are_told_apart() -> None:
    assert message.read_query(header() + b"\3a.b\0\0\1\0\1").name == "a\\046b"


def test_addresses_follow_aliases_and_nothing_else() -> None:
    query = message.read_query(dns.question("www.example.org"))
    target = b"\3cdn\xc0\x10"  # cdn.example.org
    body = b"".join(
        (
            record(b"\xc0\x0c", CNAME, target),
            record(target, A, b"\1\2\3\4", 30),
            record(target, AAAA, bytes(16), 40),
            record(b"\5other\xc0\x10", A, b"\6\6\6\6"),
            record(target, A, b"short"),
        )
    )
    data = header(0x8180, 1, 5, 0, 0) + query.question + body
    assert message.addresses(data, query) == [
        Record("cdn.example.org", A, 30, b"\1\2\3\4"),
        Record("cdn.example.org", AAAA, 40, bytes(16)),
    ]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("2.0.17.172.in-addr.arpa", "172.17.0.2"),
        ("1" + ".0" * 31 + ".ip6.arpa", "::1"),
        ("2.0.17.in-addr.arpa", ""),
        ("256.0.17.172.in-addr.arpa", ""),
        ("x.0.17.172.in-addr.arpa", ""),
        ("example.org", ""),
    ],
)
def test_reversed_addresses(name: str, address: str) -> None:
    assert message.reversed_address(name) == address
