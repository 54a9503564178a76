"""`wherry network connect`."""

from wherry.cli.command import Arity, Command
from wherry.cli.container import checks
from wherry.cli.flags import listing, number, text
from wherry.cli.network.addressing import pairs
from wherry.cli.session import Session
from wherry.client import networks
from wherry.client.document import Json


def connect(
    session: Session,
    arguments: list[str],
    *,
    alias: list[str],
    driver_opt: list[str],
    gw_priority: int,
    ip: str,
    ip6: str,
    link: list[str],
    link_local_ip: list[str],
) -> None:
    """Put a container into one more network, with these settings."""
    settings: dict[str, Json] = {
        "IPAMConfig": {
            "IPv4Address": ip,
            "IPv6Address": ip6,
            "LinkLocalIPs": [*link_local_ip] or None,
        },
        "Links": [*link] or None,
        "Aliases": [*alias] or None,
        "DriverOpts": dict(pairs(driver_opt)) or None,
        "GwPriority": gw_priority,
    }
    networks.connect(session.client, arguments[0], arguments[1], settings)


command = Command(
    "connect",
    connect,
    "Connect a container to a network",
    usage="NETWORK CONTAINER",
    arity=Arity(2, 2),
    flags=(
        listing("alias", "Add network-scoped alias for the container", kind="strings"),
        listing("driver-opt", "driver options for the network", kind="strings"),
        number("gw-priority", "Highest gw-priority provides the default gateway"),
        text("ip", 'IPv4 address (e.g., "172.30.100.104")'),
        text("ip6", 'IPv6 address (e.g., "2001:db8::33")'),
        listing("link", "Add link to another container", read=checks.link),
        listing("link-local-ip", "Add a link-local address for the container", kind="strings"),
    ),
)
