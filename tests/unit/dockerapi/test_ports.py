import pytest

from wherry.dockerapi.host_config import PortBinding
from wherry.dockerapi.ports import Port, parse_port, parse_ports, parse_spec
from wherry.kit.errors import InvalidInput


def test_a_port_is_tcp_unless_told() -> None:
    assert parse_port("80") == Port(80, "tcp")
    assert str(parse_port("53/UDP")) == "53/udp"


def test_a_range_is_each_port_of_it() -> None:
    assert parse_ports("8000-8002/sctp") == [Port(n, "sctp") for n in (8000, 8001, 8002)]


@pytest.mark.parametrize(
    ("text", "binding"),
    [
        ("80", PortBinding()),
        ("8080:80", PortBinding("", "8080")),
        (":80", PortBinding()),
        ("127.0.0.1:8080:80", PortBinding("127.0.0.1", "8080")),
        ("127.0.0.1::80", PortBinding("127.0.0.1", "")),
        ("[::1]:8080:80", PortBinding("::1", "8080")),
        ("::1:8080:80", PortBinding("::1", "8080")),
        ("8000-8010:80", PortBinding("", "8000-8010")),
    ],
)
def test_specs_of_one_port(text: str, binding: PortBinding) -> None:
    assert parse_spec(text) == [(Port(80), binding)]


def test_equal_ranges_are_paired() -> None:
    assert parse_spec("9000-9001:80-81/udp") == [
        (Port(80, "udp"), PortBinding("", "9000")),
        (Port(81, "udp"), PortBinding("", "9001")),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "No port specified"),
        ("8080:", "No port specified"),
        ("x", "Invalid containerPort: x"),
        ("70000", "Invalid containerPort: 70000"),
        ("9-8", "Invalid containerPort: 9-8"),
        ("x:80", "Invalid hostPort: x"),
        ("nowhere:1:80", "Invalid ip address: nowhere"),
        ("80/http", "Invalid proto: http"),
        ("1-3:80-81", "Invalid ranges specified for container and host Ports: 80-81 and 1-3"),
    ],
)
def test_bad_specs_say_which_part(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        parse_spec(text)
