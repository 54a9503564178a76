"""Files for /etc, as dockerd 20.10 wrote them for the same flags."""

import pytest

from wherry.kit.errors import InvalidInput
from wherry.network import resolv

HOST = "# made by hand\nsearch corp.example\nnameserver 10.0.0.53\noptions timeout:1\n"
LOCALHOST = (
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
)


def test_without_wishes_the_hosts_file_is_copied() -> None:
    assert resolv.resolv_conf(HOST) == HOST


def test_wishes_replace_and_the_rest_is_the_hosts() -> None:
    text = resolv.resolv_conf(HOST, dns=["1.1.1.1", "127.0.0.1"])
    assert text == (
        "search corp.example\nnameserver 1.1.1.1\nnameserver 127.0.0.1\noptions timeout:1\n"
    )


def test_all_wishes_together() -> None:
    text = resolv.resolv_conf(HOST, dns=["1.1.1.1"], search=["a.b"], dns_options=["ndots:2"])
    assert text == "search a.b\nnameserver 1.1.1.1\noptions ndots:2\n"


def test_a_single_dot_means_no_search_domain() -> None:
    text = resolv.resolv_conf("search x\nnameserver 10.0.0.53\n", search=["."])
    assert text == "nameserver 10.0.0.53\n"


@pytest.mark.parametrize("servers", ["nameserver 127.0.0.53\n", "nameserver ::1\n", ""])
def test_servers_that_a_container_cannot_reach_are_replaced(servers: str) -> None:
    text = resolv.resolv_conf(servers + "search x\n")
    assert text == "search x\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_ipv6_servers_need_ipv6() -> None:
    host = "nameserver 2001:db8::1\nnameserver 9.9.9.9\n"
    assert resolv.resolv_conf(host) == "nameserver 9.9.9.9\n"
    assert resolv.resolv_conf(host, ipv6=True) == host


def test_systemds_stub_is_looked_through() -> None:
    real = "nameserver 10.1.1.1\n"
    assert resolv.host_resolv_conf("nameserver 127.0.0.53\n", real) == real
    assert resolv.host_resolv_conf(HOST, real) == HOST
    assert resolv.host_resolv_conf("nameserver 127.0.0.53\n", None) == "nameserver 127.0.0.53\n"


def test_hosts_of_a_bridge_container() -> None:
    text = resolv.hosts([("x", "1.2.3.4")], addresses=["172.17.0.2"], hostname="c1")
    assert text == LOCALHOST + "1.2.3.4\tx\n172.17.0.2\tc1\n"


def test_hosts_with_a_domain_name() -> None:
    text = resolv.hosts(addresses=["172.17.0.2"], hostname="h", domain="example.com")
    assert text == LOCALHOST + "172.17.0.2\th.example.com h\n"


def test_hosts_of_a_host_mode_container() -> None:
    host = "127.0.0.1 localhost\n"
    assert resolv.host_mode_hosts(host) == host
    assert resolv.host_mode_hosts(host, [("x", "1.2.3.4")]) == LOCALHOST + "1.2.3.4\tx\n"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("x:1.2.3.4", ("x", "1.2.3.4")),
        ("x=1.2.3.4", ("x", "1.2.3.4")),
        ("x:::1", ("x", "::1")),
        ("x=[::1]", ("x", "::1")),
        ("host.docker.internal:host-gateway", ("host.docker.internal", "172.17.0.1")),
    ],
)
def test_extra_hosts(text: str, pair: tuple[str, str]) -> None:
    assert resolv.parse_extra_host(text, "172.17.0.1") == pair


@pytest.mark.parametrize("text", ["x", ":1.2.3.4", "x:", ""])
def test_bad_extra_hosts_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="bad format for add-host"):
        resolv.parse_extra_host(text, "172.17.0.1")


def test_host_gateway_needs_a_bridge() -> None:
    with pytest.raises(InvalidInput, match="no bridge"):
        resolv.parse_extra_host("x:host-gateway", "")


def test_the_hostname_file() -> None:
    assert resolv.hostname_file("c1") == "c1\n"
    assert resolv.hostname_file("h", "example.com") == "h.example.com\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 10.0.0.1\n", "nameserver 127.0.0.11\noptions ndots:0\n"),
        (
            "search a.example b.example\nnameserver 10.0.0.1\noptions ndots:2 rotate\n",
            "search a.example b.example\nnameserver 127.0.0.11\noptions ndots:2 rotate\n",
        ),
        (
            "search .\nnameserver 9.9.9.9\nnameserver 2001:db8::1\noptions rotate\n",
            "nameserver 127.0.0.11\nnameserver 2001:db8::1\noptions rotate ndots:0\n",
        ),
    ],
)
def test_a_container_with_our_name_server_is_told_of_it(text: str, expected: str) -> None:
    assert resolv.embedded_resolv_conf(text) == expected


def test_our_name_server_asks_the_users_servers_or_the_hosts() -> None:
    host = "nameserver 127.0.0.53\nnameserver fd00::1\n"
    assert resolv.forwarding_servers(host) == ("127.0.0.53", "fd00::1")
    assert resolv.forwarding_servers(host, ["9.9.9.9"]) == ("9.9.9.9",)
    assert resolv.forwarding_servers("") == ("8.8.8.8", "8.8.4.4")
