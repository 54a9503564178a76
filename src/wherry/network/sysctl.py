"""Kernel settings of the host's network namespace that a bridge with a way out needs.

`net.ipv4.ip_forward=1`, as dockerd sets it. `route_localnet` stays off: published ports on
127.0.0.1 are answered by a listener of the network process, as with dockerd's userland proxy, so
nobody on the link can reach services bound to the host's loopback (CVE-2020-8558).
"""

FORWARDING = "/proc/sys/net/ipv4/ip_forward"
IPV6 = "/proc/sys/net/ipv6/conf"


def enable_forwarding() -> bool:
    """Switch IPv4 forwarding on in the caller's namespace; whether it was off. Raises OSError."""
    with open(FORWARDING) as file:
        if file.read().strip() != "0":
            return False
    with open(FORWARDING, "w") as file:
        file.write("1")
    return True


def enable_ipv6_forwarding() -> None:
    """Switch IPv6 forwarding on, in the caller's namespace, as dockerd does it. Raises OSError."""
    for name in ("default", "all"):
        _set(f"{IPV6}/{name}/forwarding", "1")


def enable_ipv6_on(link: str) -> None:
    """IPv6 on one link of the caller's namespace, without router advertisements. Raises OSError.

    A container's other links stay without: `default.disable_ipv6` is set in its namespace.
    """
    _set(f"{IPV6}/{link}/disable_ipv6", "0")
    _set(f"{IPV6}/{link}/accept_ra", "0")


def _set(path: str, value: str) -> None:
    with open(path) as file:
        if file.read().strip() == value:
            return
    with open(path, "w") as file:
        file.write(value)
