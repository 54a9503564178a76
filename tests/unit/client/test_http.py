"""The HTTP reader against a real socket, with answers cut at any place."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.client import http
from wherry.kit.errors import Corrupt, Unavailable


@contextlib.contextmanager
def served(pieces: list[bytes]) -> Iterator[http.Reader]:
    """A reader whose peer sends the pieces and closes."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs, contextlib.suppress(BrokenPipeError):
            for piece in pieces:
                theirs.sendall(piece)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield http.Reader(ours)
    finally:
        ours.close()
        thread.join()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


@given(
    bodies=st.lists(st.binary(min_size=1, max_size=300), max_size=6),
    places=st.lists(st.integers(0, 5000), max_size=8),
)
def test_a_chunked_body_survives_any_cut(bodies: list[bytes], places: list[int]) -> None:
    chunks = b"".join(b"%X;x=y\r\n%s\r\n" % (len(body), body) for body in bodies)
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nA: b\r\n\r\n"
    with served(cut(whole, places)) as reader:
        answer = http.Response(reader)
        assert answer.read() == b"".join(bodies)
        assert answer.ended
        assert answer.reusable


@given(body=st.binary(max_size=2000), places=st.lists(st.integers(0, 5000), max_size=8))
def test_a_counted_body_ends_where_it_says(body: bytes, places: list[int]) -> None:
    head = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\nX-A:  b \r\n\r\n" % len(body)
    with served(cut(head + body + b"next", places)) as reader:
        answer = http.Response(reader)
        assert (answer.status, answer.reason, answer.headers["x-a"]) == (201, "Created", "b")
        assert answer.read() == body
        assert reader.some(4)[:1] == b"n"


def test_a_body_without_length_goes_to_the_end() -> None:
    with served([b"HTTP/1.1 200 OK\r\n\r\nab", b"cd"]) as reader:
        answer = http.Response(reader)
        assert answer.read() == b"abcd"
        assert not answer.reusable


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_some_answers_have_no_body(status: str) -> None:
    with served([f"HTTP/1.1 {status}\r\n\r\n".encode()]) as reader:
        answer = http.Response(reader)
        assert answer.read() == b""
        assert answer.reusable


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"",
    ],
)
def test_a_cut_off_answer_is_an_error(data: bytes) -> None:
    with served([data]) as reader, pytest.raises(Unavailable, match="closed the connection"):
        http.Response(reader).read()


@pytest.mark.parametrize(
    "data",
    [
        b"\x15\x03\x01\x00\x02\x02",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000,
        b"HTTP/1.1 200 " + b"x" * (1 << 20),
    ],
)
def test_what_is_no_http_is_an_error(data: bytes) -> None:
    with served([data]) as reader, pytest.raises(Corrupt):
        http.Response(reader).read()


def test_bytes_after_the_head_are_handed_on() -> None:
    with served([b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nearly"]) as reader:
        assert http.Response(reader).status == 101
        assert reader.leftover() == b"early"
        assert reader.leftover() == b""


@given(st.text())
def test_quoting_is_undone_by_the_standard_library(text: str) -> None:
    from urllib.parse import unquote

    assert unquote(http.quote(text)) == text


def test_query_strings() -> None:
    assert http.query_string({}) == ""
    assert http.query_string({"b": "x y", "a": ["1", "2"], "c": []}) == "?a=1&a=2&b=x%20y"


@pytest.mark.parametrize(("head", "whole"), [(b"HTTP/1.1 200", True), (b"HTTP/1.1 400", False)])
def test_only_an_early_refusal_ends_the_sending(head: bytes, whole: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(head + b"\r\n\r\n")
        sent = http.send(
            ours, b"POST / HTTP/1.1\r\n\r\n", iter([b"one", b"two"]), http.Reader(ours)
        )
        assert sent is whole
        assert (b"3\r\ntwo\r\n0\r\n\r\n" in theirs.recv(1024)) is whole
