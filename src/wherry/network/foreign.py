"""Packet filters of others that drop what containers send.

Every table hooked into `forward` decides for itself: an accept in ours does not save a packet from
a drop in dockerd's or ufw's. Where such a chain is found we put tagged accept rules into it (into
DOCKER-USER where dockerd keeps that for us) and take them out again by their tag; nobody else's
rule is touched. Our own table still drops what must not pass.
"""

import shlex
import shutil
import subprocess
from typing import NamedTuple

from wherry.kit.errors import Unavailable
from wherry.linux import nft_expressions as nft
from wherry.linux import nftables
from wherry.linux.netlink import Message, NetlinkSocket
from wherry.linux.nftables import FAMILY_NAMES, FORWARD, INET, IPV4, IPV6, Rule

_LEGACY_TABLES = {
    IPV4: "/proc/thread-self/net/ip_tables_names",
    IPV6: "/proc/thread-self/net/ip6_tables_names",
}
_PROGRAMS = {IPV4: "iptables", IPV6: "ip6tables"}
_DOCKER_USER = "DOCKER-USER"
_DOCKER_BRIDGES = ("docker+", "br-+")


class Blocker(NamedTuple):
    """A chain that drops forwarded packets. `program` edits it; "" for plain nf_tables."""

    family: int
    table: str
    chain: str
    program: str = ""

    def __str__(self) -> str:
        tool = self.program or "nft"
        return f"{tool} {FAMILY_NAMES.get(self.family, '')} {self.table} {self.chain} (policy drop)"


def find(sock: NetlinkSocket) -> list[Blocker]:
    """The chains that drop forwarded packets by policy, in the socket's namespace."""
    found: list[Blocker] = []
    for chain in nftables.base_chains(sock, FORWARD):
        if not chain.drops or chain.family not in (IPV4, IPV6, INET):
            continue
        if program := _program(chain):
            names = nftables.chain_names(sock, chain.family, "filter")
            name = _DOCKER_USER if _DOCKER_USER in names else "FORWARD"
            found.append(Blocker(chain.family, "filter", name, program))
        else:
            found.append(Blocker(chain.family, chain.table, chain.name))
    return found + _find_legacy(IPV4) + _find_legacy(IPV6)


def _program(chain: nftables.Chain) -> str | None:
    """The program whose chain it is; where that is missing the kernel's own interface does."""
    name = _PROGRAMS.get(chain.family)
    if name is None or (chain.table, chain.name) != ("filter", "FORWARD"):
        return None
    return shutil.which(f"{name}-nft") or shutil.which(name)


def applies(blocker: Blocker, *, ipv6: bool) -> bool:
    """Whether it is in the way of a network that has IPv4, and IPv6 or not."""
    return ipv6 or blocker.family != IPV6


def _find_legacy(family: int) -> list[Blocker]:
    """Tables of the old kernel interface, which nf_tables does not show."""
    try:
        with open(_LEGACY_TABLES[family]) as file:
            tables = file.read().split()
    except (FileNotFoundError, PermissionError):  # a plain user's namespace has no old tables
        return []
    program = shutil.which(f"{_PROGRAMS[family]}-legacy") if "filter" in tables else None
    if program is None:
        return []
    listed = _run(program, "-S").splitlines()
    if "-P FORWARD DROP" not in listed:
        return []
    name = _DOCKER_USER if f"-N {_DOCKER_USER}" in listed else "FORWARD"
    return [Blocker(family, "filter", name, program)]


def permit(sock: NetlinkSocket, blockers: list[Blocker], bridge: str, tag: str) -> None:
    """Let a bridge's packets through these chains. May be repeated. Raises OSError, Unavailable."""
    for blocker in blockers:
        if blocker.program:
            _permit_by_program(blocker, bridge, f"{tag}:{bridge}")
        else:
            _permit_by_netlink(sock, blocker, bridge, f"{tag}:{bridge}")


def forbid(sock: NetlinkSocket, blockers: list[Blocker], bridge: str, tag: str) -> None:
    """Take the rules of `permit` out again. May be repeated."""
    mark = f"{tag}:{bridge}"
    for blocker in blockers:
        if blocker.program:
            for rule in _tagged(blocker, mark):
                _run(blocker.program, "-D", *rule[1:])
        elif messages := [nftables.delete_rule(rule) for rule in _found(sock, blocker, mark)]:
            nftables.commit(sock, messages)


def program_rules(chain: str, bridge: str, mark: str) -> list[list[str]]:
    """The arguments of iptables for each rule, in the order they must stand in the chain.

    From our bridge to dockerd's networks nothing is accepted on dockerd's behalf.
    """
    comment = ["-m", "comment", "--comment", mark]
    rules = [["-i", bridge, "-j", "ACCEPT"], ["-o", bridge, "-j", "ACCEPT"]]
    if chain == _DOCKER_USER:
        returns = [["-i", bridge, "-o", name, "-j", "RETURN"] for name in _DOCKER_BRIDGES]
        rules = returns + rules
    return [rule[:-2] + comment + rule[-2:] for rule in rules]


def _permit_by_program(blocker: Blocker, bridge: str, mark: str) -> None:
    if _tagged(blocker, mark):
        return
    for place, rule in enumerate(program_rules(blocker.chain, bridge, mark), 1):
        _run(blocker.program, "-I", blocker.chain, str(place), *rule)


def _tagged(blocker: Blocker, mark: str) -> list[list[str]]:
    lines = _run(blocker.program, "-S", blocker.chain).splitlines()
    return [words for words in map(shlex.split, lines) if mark in words]


def _permit_by_netlink(sock: NetlinkSocket, blocker: Blocker, bridge: str, mark: str) -> None:
    if _found(sock, blocker, mark):
        return
    messages: list[Message] = []
    for condition in (nft.coming_from(bridge), nft.going_to(bridge)):
        rule = Rule(blocker.chain, (*condition, nft.verdict(nft.ACCEPT)), mark)
        messages.append(nftables.new_rule(blocker.family, blocker.table, rule, first=True))
    nftables.commit(sock, messages)


def _found(sock: NetlinkSocket, blocker: Blocker, mark: str) -> list[nftables.FoundRule]:
    rules = nftables.rules(sock, blocker.family, blocker.table, blocker.chain)
    return [rule for rule in rules if rule.comment == mark]


def _run(program: str, *arguments: str) -> str:
    """Run iptables; it waits for its lock. Raises Unavailable with what it said."""
    command = [program, "-w", "5", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{shlex.join(command)}: {done.stderr.strip()}")
    return done.stdout
