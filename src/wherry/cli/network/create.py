"""`wherry network create`."""

from wherry.cli.command import Arity, Command
from wherry.cli.container import checks
from wherry.cli.flags import Flag, listing, switch, text
from wherry.cli.network import addressing
from wherry.cli.session import Session
from wherry.client import networks
from wherry.client.document import Json


def create(session: Session, arguments: list[str], **flags: object) -> None:
    """Make a network and print its id."""
    made = networks.create(session.client, body(arguments[0], flags))
    if warning := made.text("Warning"):
        session.complain(f"WARNING: {warning}")
    session.print(made.text("Id"))


def body(name: str, flags: dict[str, object]) -> dict[str, Json]:
    """The request that the command line means. Raises InvalidInput."""
    made: dict[str, Json] = {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": str(flags["driver"]),
        "Scope": str(flags["scope"]),
        "IPAM": {
            "Driver": str(flags["ipam_driver"]),
            "Options": dict(addressing.pairs(_listed(flags["ipam_opt"]))),
            "Config": addressing.pools(
                _split(flags["subnet"]),
                _split(flags["ip_range"]),
                _split(flags["gateway"]),
                addressing.pairs(_split(flags["aux_address"])),
            ),
        },
        "Internal": bool(flags["internal"]),
        "Attachable": bool(flags["attachable"]),
        "Ingress": False,
        "ConfigOnly": False,
        "Options": dict(addressing.pairs(_listed(flags["opt"]))),
        "Labels": _labels(_listed(flags["label"])),
    }
    for flag, field in (("ipv4", "EnableIPv4"), ("ipv6", "EnableIPv6")):
        if flags[flag] is not None:
            made[field] = bool(flags[flag])
    return made


def _listed(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(each) for each in value]


def _split(value: object) -> list[str]:
    """Flags of type `strings` may have several values with commas between them."""
    return [part for text in _listed(value) for part in text.split(",")]


def _labels(texts: list[str]) -> dict[str, Json]:
    split = (text.partition("=") for text in texts)
    return {key: value for key, _, value in split}


def _perhaps(names: str, help: str) -> Flag:
    flag = switch(names, help)
    flag.otherwise = None
    return flag


command = Command(
    "create",
    create,
    "Create a network",
    usage="NETWORK",
    arity=Arity(1, 1),
    flags=(
        switch("attachable", "Enable manual container attachment"),
        listing("aux-address", "Auxiliary addresses used by the network driver", kind="map"),
        text("driver d", "Driver to manage the Network", default="bridge"),
        listing("gateway", "IPv4 or IPv6 Gateway for the master subnet", kind="strings"),
        switch("internal", "Restrict external access to the network"),
        listing("ip-range", "Allocate container ip from a sub-range", kind="strings"),
        text("ipam-driver", "IP Address Management Driver", default="default"),
        listing("ipam-opt", "Set IPAM driver specific options", kind="map"),
        _perhaps("ipv4", "Enable or disable IPv4 address assignment"),
        _perhaps("ipv6", "Enable or disable IPv6 address assignment"),
        listing("label", "Set metadata on a network", read=checks.label),
        listing("opt o", "Set driver specific options", kind="map"),
        text("scope", "Control the network's scope"),
        listing("subnet", "Subnet in CIDR format of a network segment", kind="strings"),
    ),
)
