"""Kernel settings of the host's network namespace that a bridge with a way out needs.

`net.ipv4.ip_forward=1`, as dockerd sets it. `route_localnet` stays off: published ports on
127.0.0.1 are answered by a listener of the network process, as with dockerd's userland proxy, so
nobody on the link can reach services bound to the host's loopback (CVE-2020-8558).
"""

FORWARDING = "/proc/sys/net/ipv4/ip_forward"


def enable_forwarding() -> bool:
    """Switch IPv4 forwarding on in the caller's namespace; whether it was off. Raises OSError."""
    with open(FORWARDING) as file:
        if file.read().strip() != "0":
            return False
    with open(FORWARDING, "w") as file:
        file.write("1")
    return True
