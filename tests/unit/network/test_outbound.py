"""Where a plain user's outbound connection may go."""

import pytest

from wherry.network.outbound import target_for
from wherry.network.resolvers import Resolvers

GATEWAYS = frozenset({"172.17.0.1"})


@pytest.mark.parametrize(
    ("destination", "target"),
    [
        (("93.184.216.34", 443), ("93.184.216.34", 443)),
        (("10.0.0.7", 22), ("10.0.0.7", 22)),
        (("8.8.8.8", 53), ("127.0.0.53", 53)),
        (("172.17.0.1", 53), ("127.0.0.53", 53)),
        (("172.17.0.1", 5432), ("192.0.2.2", 5432)),
        # in the host's namespace each of these would be the host's own loopback
        (("127.0.0.1", 22), None),
        (("127.8.9.1", 22), None),
        (("0.0.0.0", 22), None),
        (("0.1.2.3", 22), None),
        (("224.0.0.1", 22), None),
        (("255.255.255.255", 22), None),
    ],
)
def test_targets(destination: tuple[str, int], target: tuple[str, int] | None) -> None:
    assert target_for(destination, GATEWAYS, "127.0.0.53", "192.0.2.2") == target


def test_a_host_without_an_address_has_no_gateway() -> None:
    assert target_for(("172.17.0.1", 80), GATEWAYS, "127.0.0.53", "") is None


def test_the_hosts_resolvers_are_read_again_when_they_change(tmp_path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# x\nnameserver 10.0.0.1\nnameserver fd00::1\nnameserver 10.0.0.2\n")
    resolvers = Resolvers(str(path))
    assert resolvers.servers() == ("10.0.0.1", "10.0.0.2")
    (tmp_path / "new").write_text("nameserver 10.0.0.9\n")
    (tmp_path / "new").rename(path)
    assert resolvers.servers() == ("10.0.0.9",)
    path.unlink()
    assert resolvers.servers() == ("10.0.0.9",)
    assert Resolvers(str(path)).servers() == ("127.0.0.1",)
