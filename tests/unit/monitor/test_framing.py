import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import Corrupt
from wherry.monitor.framing import Decoder, Outbox, encode, receive


@given(
    st.lists(st.dictionaries(st.text(), st.integers() | st.text()), max_size=4),
    st.integers(1, 7),
)
def test_any_cut_gives_the_same_frames(messages: list[dict[str, object]], size: int) -> None:
    messages = [{key: value for key, value in m.items() if key != "fds"} for m in messages]
    data = b"".join(encode(message) for message in messages)
    decoder, frames = Decoder(), []
    for at in range(0, len(data), size):
        frames += decoder.feed(data[at : at + size])
    assert [frame.fields for frame in frames] == messages


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\1x", b"\0\0\0\2[]"])
def test_rubbish(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Decoder().feed(data)


def test_missing_descriptor() -> None:
    with pytest.raises(Corrupt, match="descriptors"):
        Decoder().feed(encode({"a": 1}, [0]))


def test_descriptors_stay_with_their_frames() -> None:
    left, right = socket.socketpair()
    with left, right:
        outbox, decoder = Outbox(), Decoder()
        reader, writer = os.pipe()
        outbox.put(encode({"n": 1}))
        outbox.put(encode({"n": 2}, [reader]), [reader])
        outbox.put(encode({"n": 3}, [reader, writer]), [reader, writer])
        outbox.put(encode({"n": 4}))
        assert outbox.flush(left)
        left.close()
        frames = []
        while (got := receive(right, decoder)) is not None:
            frames += got
        assert [(frame.fields["n"], len(frame.fds)) for frame in frames] == [
            (1, 0),
            (2, 1),
            (3, 2),
            (4, 0),
        ]
        for fd in (reader, writer, *(fd for frame in frames for fd in frame.fds)):
            os.close(fd)


def test_a_full_socket_waits() -> None:
    left, right = socket.socketpair()
    with left, right:
        outbox = Outbox()
        big = encode({"text": "x" * 2_000_000})
        outbox.put(big)
        assert not outbox.flush(left)
        assert 0 < outbox.size < len(big)
        decoder, frames = Decoder(), []
        while not frames:
            got = receive(right, decoder)
            assert got is not None
            frames = got
            outbox.flush(left)
        assert frames[0].fields["text"] == "x" * 2_000_000
        assert outbox.size == 0
