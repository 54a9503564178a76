"""Messages between daemon and network process."""

import pytest

from wherry.kit.errors import Conflict, Internal, InvalidInput, Unsupported
from wherry.network import protocol
from wherry.network.binder import PortTaken
from wherry.network.ports import PortBinding, Published, PublishedPort


def test_bindings_survive_the_way() -> None:
    bindings = (PortBinding("tcp", 80, "", 8000, 8010), PortBinding("udp", 53))
    message = protocol.decode(protocol.encode({"bindings": bindings}))
    assert protocol.read_bindings(message["bindings"]) == bindings


def test_published_ports_survive_the_way() -> None:
    published = (Published("e", "172.17.0.2", (PublishedPort("tcp", 80, "::", 8080),)),)
    message = protocol.decode(protocol.encode({"ok": published}))
    assert protocol.read_published(message["ok"]) == published


def test_an_error_keeps_its_class_or_the_nearest_known() -> None:
    answer = protocol.failure(7, PortTaken("Bind for x failed"))
    assert type(protocol.raised(answer)) is Conflict
    assert str(protocol.raised(answer)) == "Bind for x failed"
    assert type(protocol.raised(protocol.failure(7, OSError("boom")))) is Internal


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (["tcp", 0, "", 0, 0], InvalidInput),
        (["tcp", 80, "", 70000, 0], InvalidInput),
        (["tcp", 80, "", -1, 0], InvalidInput),
        (["tcp", "eighty", "", 0, 0], InvalidInput),
        (["tcp", 80], InvalidInput),
        (None, InvalidInput),
        (["sctp", 80, "", 0, 0], Unsupported),
    ],
)
def test_bad_bindings_are_refused(entry: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        protocol.read_bindings([entry])


@pytest.mark.parametrize("line", [b"", b"{", b"[1]", b"\xff\n", b"null"])
def test_a_line_that_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput):
        protocol.decode(line)
