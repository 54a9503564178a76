"""Messages between the caller and its children."""

import pytest

from wherry.kit.errors import Conflict, Internal
from wherry.runtime import handshake
from wherry.runtime.errors import CommandNotFound, SetupNotPermitted
from wherry.runtime.filters import Filters, receive_filters, send_filters


def test_a_message_of_another_kind_waits_for_its_turn() -> None:
    ours, theirs = handshake.pair()
    theirs.send("mounted")
    theirs.send("born", pid=5)
    assert ours.expect("born")["pid"] == 5
    assert ours.expect("mounted")
    ours.close()
    theirs.close()


def test_errors_keep_their_class_and_text() -> None:
    ours, theirs = handshake.pair()
    for error in (CommandNotFound("nope"), Conflict("taken")):
        theirs.fail(error, "step")
        with pytest.raises(type(error), match=str(error)):
            ours.expect("born")
    theirs.fail(PermissionError(1, "mount: not allowed", "/x"), "mount")
    with pytest.raises(SetupNotPermitted, match="/x"):
        ours.expect("born")
    theirs.fail(ValueError("odd"), "mount")
    with pytest.raises(Internal, match="mount: ValueError: odd"):
        ours.expect("born")
    ours.close()
    theirs.close()


def test_a_silent_end() -> None:
    ours, theirs = handshake.pair()
    theirs.close()
    ours.expect_end()
    with pytest.raises(handshake.PeerGone):
        ours.expect("born")
    ours.fail(Conflict("nobody hears this"), "x")
    ours.close()


def test_a_babbling_peer_is_cut_off() -> None:
    ours, theirs = handshake.pair()
    for _ in range(5):
        theirs.send("noise")
    with pytest.raises(Internal, match="noise"):
        ours.expect("born")
    ours.close()
    theirs.close()


def test_filters_arrive_as_they_were() -> None:
    ours, theirs = handshake.pair()
    filters = Filters(((b"\0" * 32768, 2), (b"\6" * 8, 0)), None, "meta")
    send_filters(ours, filters)
    assert receive_filters(theirs) == filters
    ours.close()
    theirs.close()
