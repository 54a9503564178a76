"""`--network` and the flags that belong to it: the API's EndpointsConfig."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from wherry.cli import values
from wherry.client.document import Json
from wherry.kit.errors import InvalidInput

_LONG = re.compile(r"\w+=\w+(,\w+=\w+)*")
_BUILT_IN = frozenset(("default", "bridge", "host", "none", ""))


class Attachment(NamedTuple):
    """A network, and how the container is attached to it."""

    target: str
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    driver_options: tuple[tuple[str, str], ...] = ()
    ip: str = ""
    ip6: str = ""
    link_local: tuple[str, ...] = ()
    mac: str = ""

    @property
    def is_user_defined(self) -> bool:
        """Whether it is none of the networks that are always there."""
        return self.target not in _BUILT_IN and not self.target.startswith("container:")


def network(text: str) -> Attachment:
    """`name`, or `name=…,alias=…,ip=…` as CSV. Raises InvalidInput."""
    if not _LONG.search(text):
        return Attachment(text)
    made = Attachment("")
    for field in values.split_fields(text):
        key, equals, value = field.lower().partition("=")
        if not equals or not key:
            raise InvalidInput(f"invalid field {field}")
        made = _with(made, key.strip(), value.strip())
    if not made.target:
        raise InvalidInput("network name/id is not specified")
    return made


def _with(made: Attachment, key: str, value: str) -> Attachment:
    if key == "name":
        return made._replace(target=value)
    if key == "alias":
        return made._replace(aliases=(*made.aliases, value))
    if key == "driver-opt":
        name, equals, rest = value.partition("=")
        if not equals or not name:
            raise InvalidInput("invalid key value pair format in driver options")
        return made._replace(driver_options=(*made.driver_options, (name.strip(), rest.strip())))
    if key == "link-local-ip":
        return made._replace(link_local=(*made.link_local, value))
    if key == "ip":
        return made._replace(ip=value)
    if key == "ip6":
        return made._replace(ip6=value)
    if key == "mac-address":
        return made._replace(mac=value)
    raise InvalidInput(f"invalid field key {key}")


def mode(attachments: Sequence[Attachment]) -> str:
    """HostConfig.NetworkMode: the first network."""
    return attachments[0].target if attachments else "default"


def endpoints(attachments: Sequence[Attachment], flags: Attachment) -> dict[str, Json]:
    """EndpointsConfig; `flags` are the older single flags, which go to the first network.

    Raises InvalidInput for what does not go together.
    """
    chosen = list(attachments) or [Attachment("default")]
    chosen[0] = _merged(chosen[0], flags)
    made: dict[str, Json] = {}
    for attachment in chosen:
        if attachment.target in made:
            raise InvalidInput(f'network "{attachment.target}" is specified multiple times')
        _check(attachment)
        if len(chosen) > 1 or attachment != Attachment(attachment.target):
            made[attachment.target] = _endpoint(attachment)
    if len({item.is_user_defined for item in chosen}) > 1:
        raise InvalidInput(
            "conflicting options: cannot attach both user-defined and non-user-defined "
            "network-modes"
        )
    return made


def _merged(first: Attachment, flags: Attachment) -> Attachment:
    pairs = (
        (first.aliases, flags.aliases, "--network-alias and per-network alias"),
        (first.ip, flags.ip, "--ip and per-network IPv4 address"),
        (first.ip6, flags.ip6, "--ip6 and per-network IPv6 address"),
    )
    for own, other, names in pairs:
        if own and other:
            raise InvalidInput(f"conflicting options: cannot specify both {names}")
    return first._replace(
        aliases=flags.aliases or first.aliases,
        links=flags.links if first.is_user_defined else (),
        ip=flags.ip or first.ip,
        ip6=flags.ip6 or first.ip6,
        link_local=flags.link_local or first.link_local,
    )


def _check(attachment: Attachment) -> None:
    if not attachment.target.strip():
        raise InvalidInput("no name set for network")
    if attachment.aliases and not attachment.is_user_defined:
        raise InvalidInput("network-scoped aliases are only supported for user-defined networks")


def _endpoint(attachment: Attachment) -> dict[str, Json]:
    return {
        "IPAMConfig": _addresses(attachment),
        "Links": [*attachment.links] or None,
        "Aliases": [*attachment.aliases] or None,
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": attachment.mac,
        "DriverOpts": dict(attachment.driver_options) or None,
    }


def _addresses(attachment: Attachment) -> Json:
    named: dict[str, Json] = {"IPv4Address": attachment.ip, "IPv6Address": attachment.ip6}
    made: dict[str, Json] = {name: value for name, value in named.items() if value}
    if attachment.link_local:
        made["LinkLocalIPs"] = [*attachment.link_local]
    return made or None
