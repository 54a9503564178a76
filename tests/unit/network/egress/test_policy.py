"""Egress rules: what they say and what follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput
from wherry.network.egress.policy import Policy, may_ask, may_connect, parse

STRICT = parse("allow=example.org:443,*.debian.org,10.0.0.0/8 default=deny")


@pytest.mark.parametrize(
    ("address", "port", "names", "allowed"),
    [
        ("192.0.2.1", 443, ["example.org"], True),
        ("192.0.2.1", 80, ["example.org"], False),
        ("192.0.2.1", 443, ["www.example.org"], False),
        ("192.0.2.1", 443, ["badexample.org"], False),
        ("192.0.2.1", 443, [], False),
        ("192.0.2.1", 80, ["ftp.debian.org"], True),
        ("192.0.2.1", 80, ["a.b.debian.org"], True),
        ("192.0.2.1", 80, ["debian.org"], False),
        ("192.0.2.1", 80, ["other", "ftp.debian.org"], True),
        ("10.200.0.1", 5432, [], True),
        ("11.0.0.1", 5432, [], False),
        ("2001:db8::1", 443, ["example.org"], True),
        ("2001:db8::1", 443, [], False),
        ("nonsense", 443, ["example.org"], False),
        # names go through our own server
        ("10.0.0.53", 53, [], False),
        ("192.0.2.1", 53, ["ns.debian.org"], False),
        # a name that is made to point at the metadata service does not open it
        ("169.254.169.254", 443, ["example.org"], False),
    ],
)
def test_strict_rules(address: str, port: int, names: list[str], allowed: bool) -> None:
    assert may_connect(STRICT, address, port, names) is allowed


@pytest.mark.parametrize(
    ("rules", "address", "port", "allowed"),
    [
        ("", "192.0.2.1", 80, True),
        ("default=allow", "169.254.169.254", 80, True),
        ("default=deny", "192.0.2.1", 80, False),
        ("allow=192.0.2.1", "192.0.2.2", 80, False),
        ("allow=192.0.2.1 default=allow", "192.0.2.2", 80, True),
        ("deny=10.0.0.0/8", "10.1.1.1", 80, False),
        ("deny=10.0.0.0/8", "192.0.2.1", 80, True),
        ("deny=0.0.0.0/0:25", "192.0.2.1", 25, False),
        ("deny=10.9.0.0/16 allow=10.0.0.0/8", "10.9.0.1", 80, False),
        ("deny=10.9.0.0/16 allow=10.0.0.0/8", "10.8.0.1", 80, True),
        ("allow=0.0.0.0/0 default=deny", "192.0.2.1", 80, True),
        ("allow=0.0.0.0/0 default=deny", "169.254.169.254", 80, False),
        ("allow=169.254.0.0/16 default=deny", "169.254.169.254", 80, False),
        ("allow=169.254.169.254 default=deny", "169.254.169.254", 80, True),
        ("allow=169.254.169.254:80 default=deny", "169.254.169.254", 81, False),
        ("allow=fd00:ec2::254 default=deny", "fd00:ec2::254", 80, True),
        ("allow=::/0 default=deny", "fd00:ec2::254", 80, False),
        ("allow=8.8.8.8:53 default=deny", "8.8.8.8", 53, True),
        ("allow=8.8.8.8 default=deny", "8.8.8.8", 53, False),
        ("allow=8.8.8.8:50-60 default=deny", "8.8.8.8", 53, True),
        ("default=allow", "8.8.8.8", 53, True),
        ("allow=192.0.2.0/24:8000-8010", "192.0.2.9", 8010, True),
        ("allow=192.0.2.0/24:8000-8010", "192.0.2.9", 8011, False),
        ("allow=[fd00::/8]:443", "fd12::1", 443, True),
        ("allow=[fd00::/8]:443", "fd12::1", 80, False),
        ("allow=fd00::1", "fd00::1", 80, True),
        ("allow=192.0.2.77/24", "192.0.2.1", 1, True),
    ],
)
def test_rules(rules: str, address: str, port: int, allowed: bool) -> None:
    assert may_connect(parse(rules), address, port) is allowed


@pytest.mark.parametrize(
    ("rules", "name", "allowed"),
    [
        ("", "example.org", True),
        ("allow=example.org:443", "example.org", True),
        ("allow=example.org:443", "secret.example.org", False),
        ("allow=*.example.org", "x.example.org", True),
        ("allow=10.0.0.0/8", "example.org", False),
        ("allow=10.0.0.0/8 dns=any", "example.org", True),
        ("deny=bad.example default=allow", "bad.example", False),
        ("deny=bad.example:25 default=allow", "bad.example", True),
        ("deny=*.bad.example default=allow", "x.bad.example", False),
        ("default=deny", "example.org", False),
    ],
)
def test_names_that_may_be_asked(rules: str, name: str, allowed: bool) -> None:
    assert may_ask(parse(rules), name) is allowed


@pytest.mark.parametrize(
    "rules",
    [
        "allow",
        "allow=",
        "permit=example.org",
        "default=maybe",
        "dns=none",
        "allow=example.org:",
        "allow=example.org:0",
        "allow=example.org:65536",
        "allow=example.org:9-8",
        "allow=example.org:http",
        "allow=10.0.0.0/33",
        "allow=10.0.0/8",
        "allow=10.0.0.300",
        "allow=example.org/8",
        "allow=*",
        "allow=*.",
        "allow=a..b",
        "allow=ex*mple.org",
        "allow=[fd00::1",
        "allow=[fd00::1]443",
        "allow=a,,b",
        "allow=" + "x" * 64,
    ],
)
def test_rules_that_are_none(rules: str) -> None:
    with pytest.raises(InvalidInput, match="invalid egress"):
        parse(rules)


@given(st.text(max_size=60))
def test_any_text_is_rules_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), Policy)
        assert isinstance(parse("allow=" + text), Policy)
    except InvalidInput:
        return


@given(st.ip_addresses(v=4), st.integers(1, 65535), st.integers(0, 32))
def test_a_subnet_allows_exactly_its_addresses(address, port: int, prefix: int) -> None:
    import ipaddress

    rules = parse(f"allow=198.51.100.0/{prefix}:1-65535 default=deny")
    inside = address in ipaddress.ip_network(f"198.51.100.0/{prefix}", strict=False)
    metadata = str(address) == "169.254.169.254"
    assert may_connect(rules, str(address), port) is (
        inside and not metadata and (port != 53 or rules.allow[0].names_port)
    )
