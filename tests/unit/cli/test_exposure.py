"""Who reaches what, by address."""

import pytest

from wherry.cli.container.exposure import lines, reach
from wherry.client.document import Document


@pytest.mark.parametrize(
    ("ip", "word"),
    [
        ("", "everyone"), ("0.0.0.0", "everyone"), ("::", "everyone"), ("8.8.8.8", "public"),
        ("127.0.0.1", "this machine"), ("127.9.9.9", "this machine"), ("::1", "this machine"),
        ("10.0.0.1", "local network"), ("192.168.1.1", "local network"),
        ("fe80::1", "same link"), ("fd00::1", "local network"), ("2606:4700::1", "public"),
    ],
)  # fmt: skip
def test_reach(ip: str, word: str) -> None:
    assert word in reach(ip)


def test_of_a_container() -> None:
    ports = {
        "443/tcp": None,
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "81"}],
        "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "53"}],
    }
    found = Document({"NetworkSettings": {"Ports": ports}, "HostConfig": {"NetworkMode": "web"}})
    assert [line[:2] for line in lines(found)] == [
        ("53/udp", "0.0.0.0:53"), ("80/tcp", "127.0.0.1:8080"), ("80/tcp", "[::]:81"),
        ("443/tcp", "not published"),
    ]  # fmt: skip
    host = Document({"HostConfig": {"NetworkMode": "host"}})
    assert [line[0] for line in lines(host)] == ["all"]
