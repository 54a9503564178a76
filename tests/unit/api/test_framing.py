import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api import framing


def fed(body: framing.Body, data: bytes, piece: int) -> int:
    """Feed in pieces; how many bytes the body took."""
    taken = 0
    while taken < len(data) and not body.done:
        taken += body.feed(data[taken : taken + piece])
    return taken


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.binary(), st.integers(1, 70))
def test_a_chunked_body_ends_exactly_where_the_next_request_begins(
    chunks: list[bytes], behind: bytes, piece: int
) -> None:
    text = b"".join(b"%x;a=b\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\nT: x\r\n\r\n"
    body = framing.ChunkedBody(keep=True)
    assert fed(body, text + behind, piece) == len(text)
    assert body.done and bytes(body.payload) == b"".join(chunks)


@given(st.integers(0, 100), st.integers(1, 30))
def test_a_sized_body_takes_its_length(length: int, piece: int) -> None:
    body = framing.SizedBody(length, keep=True)
    assert fed(body, b"x" * 200, piece) == length
    assert body.done and len(body.payload) == length


@pytest.mark.parametrize("text", [b"zz\r\n", b"-1\r\n", b"5 5\r\n", b"0x5\r\n"])
def test_what_is_not_chunked_is_broken(text: bytes) -> None:
    with pytest.raises(framing.Broken):
        framing.ChunkedBody(keep=False).feed(text)


def test_an_endless_size_line_is_broken() -> None:
    body = framing.ChunkedBody(keep=False)
    with pytest.raises(framing.Broken):
        for _ in range(10):
            body.feed(b"5" * framing.HEAD_LIMIT)


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("POST /containers/a/attach HTTP/1.1", True),
        ("POST /v1.41/containers/a/attach?stdin=1 HTTP/1.1", True),
        ("POST /exec/abc/start HTTP/1.1", True),
        ("POST /containers/a/start HTTP/1.1", False),
        ("POST /containers/a/exec HTTP/1.1", False),
        ("GET /containers/a/attach/ws HTTP/1.1", False),
        ("GET /containers/a/attach HTTP/1.1", False),
        ("POST /build?remote=/exec/x/start HTTP/1.1", False),
    ],
)
def test_which_requests_take_over(line: str, is_one: bool) -> None:
    assert framing.is_hijack(line.encode() + b"\r\n\r\n") is is_one


@pytest.mark.parametrize(
    ("headers", "length"),
    [("", 0), ("Content-Length: 5\r\n", 5), ("content-length:7 \r\n", 7), ("X-A: b\r\n", 0)],
)
def test_the_announced_length(headers: str, length: int) -> None:
    head = f"POST / HTTP/1.1\r\nHost: d\r\n{headers}\r\n".encode()
    assert fed(framing.body_of(head, keep=False), b"x" * 20, 20) == length


def test_transfer_encoding_wins_over_length() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert isinstance(framing.body_of(head, keep=False), framing.ChunkedBody)


def test_the_head_in_parts() -> None:
    head = framing.parse_head(b"POST /a?b=c HTTP/1.1\r\nHost: d\r\nX-Y:  z \r\n\r\n")
    assert head == framing.Head("POST", "/a?b=c", {"host": "d", "x-y": "z"})
