"""The text of a container's /etc/resolv.conf, /etc/hosts and /etc/hostname, as dockerd writes it.

Pure; compared line by line with dockerd 20.10. The engine reads the host's files (for resolv.conf:
`host_resolv_conf`) and writes the container's.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from wherry.kit.errors import InvalidInput

RESOLV_CONF = "/etc/resolv.conf"
SYSTEMD_RESOLV_CONF = "/run/systemd/resolve/resolv.conf"
DEFAULT_NAMESERVERS = ("8.8.8.8", "8.8.4.4")
HOST_GATEWAY = "host-gateway"
EMBEDDED = "127.0.0.11"

_LOCALHOST = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)
_NAMESERVER = re.compile(r"^\s*nameserver\s+(\S+)\s*$")
_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}|::1")


def host_resolv_conf(primary: str, systemd: str | None) -> str:
    """The host's resolver configuration to start from.

    Where the file names nobody but systemd-resolved's stub (127.0.0.53), the real servers are in
    systemd's own file.
    """
    if systemd is not None and nameservers(primary) == ["127.0.0.53"]:
        return systemd
    return primary


def nameservers(text: str) -> list[str]:
    """The name servers in a resolv.conf, in order."""
    return [match[1] for line in text.splitlines() if (match := _NAMESERVER.match(line))]


def search_domains(text: str) -> list[str]:
    """The domains of the last `search` line."""
    return _last_words(text, "search")


def options(text: str) -> list[str]:
    """The words of the last `options` line."""
    return _last_words(text, "options")


def _last_words(text: str, keyword: str) -> list[str]:
    found: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == keyword:
            found = words[1:]
    return found


def resolv_conf(
    host: str,
    *,
    dns: Sequence[str] = (),
    search: Sequence[str] = (),
    dns_options: Sequence[str] = (),
    ipv6: bool = False,
) -> str:
    """A container's resolv.conf; its name servers are as the user wishes, or the host's.

    With a wish, the file is written anew from wishes and the host's remaining values, loopback
    servers included (they mean the container's own). Without one, the host's file is copied
    without servers that a container cannot reach: loopback, and IPv6 where it has none.
    """
    if not (dns or search or dns_options):
        return _filtered(host, ipv6)
    lines: list[str] = []
    domains = list(search) or search_domains(host)
    if domains and domains != ["."]:
        lines.append("search " + " ".join(domains))
    lines += [f"nameserver {server}" for server in dns or nameservers(host)]
    if words := list(dns_options) or options(host):
        lines.append("options " + " ".join(words))
    return "".join(line + "\n" for line in lines)


def embedded_resolv_conf(text: str) -> str:
    """The file of a container that has a name server at 127.0.0.11; `text`: what it had without.

    Its IPv4 servers are asked by ours; IPv6 servers stay in the file, as with dockerd 20.10.
    """
    words = options(text)
    if not any(word.startswith("ndots:") for word in words):
        words.append("ndots:0")
    domains = search_domains(text)
    lines = ["search " + " ".join(domains)] if domains and domains != ["."] else []
    servers = [EMBEDDED, *(server for server in nameservers(text) if ":" in server)]
    lines += [f"nameserver {server}" for server in servers]
    return "".join(line + "\n" for line in (*lines, "options " + " ".join(words)))


def forwarding_servers(host: str, dns: Sequence[str] = ()) -> tuple[str, ...]:
    """Whom our name server asks: the user's choice, or the host's, loopback ones included."""
    return tuple(dns or nameservers(host) or DEFAULT_NAMESERVERS)


def _filtered(host: str, ipv6: bool) -> str:
    kept = [line for line in host.splitlines() if _reachable(line, ipv6)]
    if not nameservers("\n".join(kept)):
        kept += [f"nameserver {server}" for server in DEFAULT_NAMESERVERS]
    return "".join(line + "\n" for line in kept)


def _reachable(line: str, ipv6: bool) -> bool:
    match = _NAMESERVER.match(line)
    if match is None:
        return True
    return not _LOOPBACK.fullmatch(match[1]) and (ipv6 or ":" not in match[1])


def parse_extra_host(text: str, host_gateway: str) -> tuple[str, str]:
    """`--add-host NAME:IP` (or `NAME=IP`) → name and address. Raises InvalidInput."""
    name, separator, address = text.partition(":" if "=" not in text.split(":")[0] else "=")
    if not (name and separator and address):
        raise InvalidInput(f'bad format for add-host: "{text}"')
    if address == HOST_GATEWAY:
        if not host_gateway:
            raise InvalidInput(f"add-host {text!r}: there is no bridge that leads to the host")
        address = host_gateway
    return name, address.strip("[]")


def check_extra_host(text: str) -> None:
    """Raises InvalidInput for an `--add-host` that no container could have."""
    name, address = parse_extra_host(text, HOST_GATEWAY)
    if not name or (address != HOST_GATEWAY and not _is_address(address)):
        raise InvalidInput(f'invalid IP address in add-host: "{address}"')


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def hosts(
    extra: Iterable[tuple[str, str]] = (),
    *,
    addresses: Iterable[str] = (),
    hostname: str = "",
    domain: str = "",
) -> str:
    """A container's hosts file: localhost, extra (name, address), and its own name last."""
    lines = [f"{address}\t{name}\n" for name, address in extra]
    own = f"{hostname}.{domain} {hostname}" if domain else hostname
    lines += [f"{address}\t{own}\n" for address in addresses if own]
    return _LOCALHOST + "".join(lines)


def hosts_changed(
    text: str, before: Sequence[str], now: Sequence[str], *, hostname: str, domain: str = ""
) -> str:
    """A running container's hosts file after its addresses changed: our own lines only."""
    own = f"{hostname}.{domain} {hostname}" if domain else hostname
    gone = {f"{address}\t{own}" for address in before if address not in now}
    lines = [line for line in text.splitlines() if line not in gone]
    lines += [f"{address}\t{own}" for address in now if address not in before]
    return "".join(line + "\n" for line in lines)


def host_mode_hosts(host: str, extra: Sequence[tuple[str, str]] = ()) -> str:
    """With the host's network: the host's own file, unless there are extra hosts (as dockerd)."""
    return hosts(extra) if extra else host


def hostname_file(hostname: str, domain: str = "") -> str:
    """/etc/hostname."""
    return f"{hostname}.{domain}\n" if domain else f"{hostname}\n"
