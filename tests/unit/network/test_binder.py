"""Host ports, bound for real on loopback."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from wherry.kit.errors import InvalidInput, Unavailable
from wherry.network.binder import Binder, PortTaken, local_port_range
from wherry.network.ports import PortBinding


@pytest.fixture
def binder() -> Iterator["Closing"]:
    with Closing() as closing:
        yield closing


class Closing(contextlib.ExitStack):
    """A binder whose sockets are closed at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.binder = Binder()

    def bind(self, binding: PortBinding) -> list[int]:
        bound = self.binder.bind(binding)
        for _, sock in bound:
            self.callback(sock.close)
        return [port.host_port for port, _ in bound]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_any_port_comes_from_the_hosts_range_and_never_twice(binder: Closing) -> None:
    first, last = local_port_range()
    (one,), (two,) = (binder.bind(PortBinding("tcp", 80, "127.0.0.1")) for _ in range(2))
    assert first <= one < two <= last


def test_no_address_means_ipv4_and_ipv6_with_one_port(binder: Closing) -> None:
    bound = binder.binder.bind(PortBinding("udp", 53))
    for _, sock in bound:
        binder.callback(sock.close)
    assert bound[0][0].host_ip == "0.0.0.0"
    assert len({port.host_port for port, _ in bound}) == 1


def test_our_own_port_again_is_dockerds_error(binder: Closing) -> None:
    (port,) = binder.bind(PortBinding("tcp", 80, "127.0.0.1"))
    with pytest.raises(PortTaken) as caught:
        binder.bind(PortBinding("tcp", 80, "127.0.0.1", port))
    assert str(caught.value) == f"Bind for 127.0.0.1:{port} failed: port is already allocated"


def test_somebody_elses_port_names_the_call(binder: Closing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match=f"listen tcp4 127.0.0.1:{port}: bind: address already"):
            binder.bind(PortBinding("tcp", 80, "127.0.0.1", port))


def test_a_range_gives_its_first_free_port(binder: Closing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (got,) = binder.bind(PortBinding("tcp", 80, "127.0.0.1", port, port + 20))
        assert port < got <= port + 20


def test_a_full_range_says_so(binder: Closing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as next_one:
        port = server.getsockname()[1]
        with contextlib.suppress(OSError):
            next_one.bind(("127.0.0.1", port + 1))
            next_one.listen()
        with pytest.raises(Unavailable, match="all ports are allocated"):
            binder.bind(PortBinding("tcp", 80, "127.0.0.1", port, port + 1))


def test_an_address_of_another_machine_is_refused(binder: Closing) -> None:
    with pytest.raises(InvalidInput, match=r"203\.0\.113\.9:8080.*not one of this host"):
        binder.bind(PortBinding("tcp", 80, "203.0.113.9", 8080))


def test_a_failure_leaves_nothing_bound(binder: Closing) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken):
            binder.bind(PortBinding("tcp", 80, "", port))
        with socket.create_server(("127.0.0.1", port)):
            pass
