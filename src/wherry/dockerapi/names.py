"""Python field names → the field names of Docker's JSON."""

_ACRONYMS = {
    "id": "ID",
    "ids": "IDs",
    "ip": "IP",
    "ips": "IPs",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "ipam": "IPAM",
    "uts": "UTS",
    "io": "IO",
    "iops": "IOps",
    "uri": "URI",
}


def go_name(name: str) -> str:
    """`endpoint_id` → `EndpointID`: an exported Go name with its usual acronyms.

    Names that follow no rule (`OOMKilled`, `Id`) are written at their fields.
    """
    return "".join(_ACRONYMS.get(part, part[:1].upper() + part[1:]) for part in name.split("_"))
