"""Small decisions: signals, ports, subnets."""

import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import HostConfig, PortBinding
from wherry.engine.containers.signalling import signal_number
from wherry.engine.networks import pools, publishing
from wherry.kit.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "number"),
    [("SIGTERM", 15), ("term", 15), ("9", 9), ("kill", 9), ("RTMIN", 34), ("SIGRTMIN+3", 37)],
)
def test_signals_by_name_and_number(text: str, number: int) -> None:
    assert signal_number(text) == number


@pytest.mark.parametrize("text", ["", "NOPE", "0", "65", "-1", "RTMIN+99"])
def test_signals_that_do_not_exist(text: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid signal"):
        signal_number(text)


def test_published_ports() -> None:
    host = HostConfig(
        port_bindings={
            "80/tcp": [PortBinding("127.0.0.1", "8080"), PortBinding("", "")],
            "53/udp": [PortBinding("", "5000-5010")],
        },
        publish_all_ports=True,
    )
    request = ContainerCreateRequest(host_config=host, exposed_ports={"80/tcp": {}, "9/tcp": {}})
    found = {tuple(each) for each in publishing.bindings(request)}
    assert found == {
        ("tcp", 80, "127.0.0.1", 8080, 8080),
        ("tcp", 80, "", 0, 0),
        ("udp", 53, "", 5000, 5010),
        ("tcp", 9, "", 0, 0),
    }


@pytest.mark.parametrize("text", ["x", "80-", "99999", "1-x"])
def test_host_ports_that_are_none(text: str) -> None:
    host = HostConfig(port_bindings={"80/tcp": [PortBinding("", text)]})
    with pytest.raises(InvalidInput):
        publishing.bindings(ContainerCreateRequest(host_config=host))


def test_routes_of_the_host() -> None:
    text = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n"
        "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n"
    )
    assert pools.routes_in(text) == ["172.17.0.0/16"]
