"""Links of macvlan and ipvlan networks: children of one link of the host's, moved into containers.

Kinds and modes are those of <linux/if_link.h>. The parent may be `NAME` or `NAME.VLAN`: the VLAN
link is made, as dockerd does it, and marked as ours by its alias. Without a parent a dummy is made,
and the network leads nowhere.
"""

import errno
import struct

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.linux import netns, rtnetlink
from wherry.linux.netlink import NetlinkSocket, attribute
from wherry.linux.rtnetlink import Link
from wherry.network import ipam
from wherry.network.bridge_links import configuration, prefix_of
from wherry.network.driver import Endpoint, Interface, Network, Sandbox
from wherry.network.sockets import container_route
from wherry.network.sysctl import enable_ipv6_on

MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
_INFO_MODE = 1
_INFO_VLAN_ID = 1


def child_data(kind: str, mode: str) -> bytes:
    """IFLA_INFO_DATA of a child. Raises InvalidInput for a mode that the kind has not."""
    modes = MACVLAN_MODES if kind == "macvlan" else IPVLAN_MODES
    number = modes.get(mode or ("bridge" if kind == "macvlan" else "l2"))
    if number is None:
        raise InvalidInput(f"unknown {kind} mode {mode!r}: {', '.join(modes)}")
    return attribute(_INFO_MODE, struct.pack("=I" if kind == "macvlan" else "=H", number))


def vlan_of(parent: str) -> tuple[str, int]:
    """`eth0.20` → eth0 and 20; (parent, 0) where it names no VLAN. Pure."""
    name, dot, number = parent.rpartition(".")
    if dot and number.isascii() and number.isdigit() and 0 < int(number[:9]) < 4095:
        return name, int(number)
    return parent, 0


class ParentLinks:
    """Links in the namespace of an rtnetlink socket."""

    def __init__(self, route: NetlinkSocket, tag: str) -> None:
        self._route, self._tag = route, tag

    def ensure_parent(self, network: Network) -> Link:
        """The parent; a dummy or VLAN of ours is made. May be repeated. Raises InvalidInput."""
        found = rtnetlink.link(self._route, network.parent)
        if found is None:
            self._make_parent(network)
            found = rtnetlink.link(self._route, network.parent)
        if found is None:
            raise InvalidInput(f"-o parent={network.parent}: there is no such link")
        return found

    def _make_parent(self, network: Network) -> None:
        below, vlan = vlan_of(network.parent)
        if network.parent == dummy_name(network.id):
            self._make_dummy(network.parent)
        elif vlan:
            self._make_vlan(network.parent, below, vlan)
        else:
            raise InvalidInput(f"-o parent={network.parent}: there is no such link on this host")
        made = rtnetlink.link(self._route, network.parent)
        if made is not None:
            text = f"mark link {network.parent} as ours"
            self._route.request(
                rtnetlink.change_message(made.ifindex, text, alias=self._tag, up=True)
            )

    def _make_dummy(self, name: str) -> None:
        """A link that leads nowhere; a bridge without ports where the kernel has no dummies."""
        try:
            self._route.request(rtnetlink.link_message("dummy", name))
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            self._route.request(rtnetlink.link_message("bridge", name))

    def _make_vlan(self, name: str, below: str, number: int) -> None:
        parent = rtnetlink.link(self._route, below)
        if parent is None:
            raise InvalidInput(f"-o parent={name}: there is no link {below} on this host")
        data = attribute(_INFO_VLAN_ID, struct.pack("=H", number))
        try:
            self._route.request(rtnetlink.child_message("vlan", name, parent.ifindex, data))
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise Unsupported(f"-o parent={name}: this kernel has no VLANs") from error
            raise

    def probe(self, network: Network) -> Link | None:
        """A child that is to be deleted at once: refused now rather than at the first start."""
        name = f"wp-{network.id[:12]}"
        self._create(network, name)
        return rtnetlink.link(self._route, name)

    def remove_parent(self, network: Network) -> Link | None:
        """The parent, if we made it: to be deleted by the caller."""
        found = rtnetlink.link(self._route, network.parent)
        return found if found is not None and found.alias == self._tag else None

    def connect(self, network: Network, endpoint: Endpoint, sandbox: Sandbox) -> Interface:
        """A child of the parent in the container, configured there. May be repeated."""
        with container_route(sandbox) as inside:
            link = rtnetlink.link(inside, endpoint.interface)
            if link is None:
                mac = endpoint.mac or ipam.mac_for(endpoint.address)
                self._create(network, endpoint.interface, mac, sandbox.netns_fd)
                link = rtnetlink.link(inside, endpoint.interface)
            if link is None:
                raise OSError(errno.ENODEV, f"link {endpoint.interface} is gone")
            if endpoint.address6:
                netns.inside(sandbox.netns_fd, lambda: enable_ipv6_on(endpoint.interface))
            wanted = wanted_interface(network, endpoint, link.mac)
            inside.request(*configuration(link, wanted))
            return wanted

    def _create(self, network: Network, name: str, mac: str = "", netns_fd: int = -1) -> None:
        parent = self.ensure_parent(network)
        message = rtnetlink.child_message(
            network.driver,
            name,
            parent.ifindex,
            child_data(network.driver, network.mode),
            mac=mac if network.driver == "macvlan" else "",
            mtu=network.mtu,
            netns_fd=netns_fd,
        )
        try:
            self._route.request(message)
        except OSError as error:
            raise _explained(error, network) from error


def _explained(error: OSError, network: Network) -> Exception:
    if error.errno == errno.EOPNOTSUPP:
        return Unsupported(f"this kernel has no {network.driver} links: load its module")
    if error.errno == errno.EBUSY:
        return InvalidInput(
            f"link {network.parent} is in use by another kind of link: {error.strerror}"
        )
    if error.errno == errno.EINVAL:
        return InvalidInput(f"link {network.parent} cannot be the parent of a {network.driver}")
    return error


def dummy_name(network: str) -> str:
    """The parent that a network without one gets: `dm-` and the id, within IFNAMSIZ."""
    return f"dm-{network[:12]}"


def wanted_interface(network: Network, endpoint: Endpoint, mac: str) -> Interface:
    """How the link in the container is configured. Pure."""
    leads_out = endpoint.default_route and not network.internal
    leads_out6 = endpoint.default_route6 and not network.internal
    return Interface(
        endpoint.interface,
        "",
        mac,
        endpoint.address,
        prefix_of(network.subnet),
        network.gateway if leads_out else "",
        endpoint.address6,
        prefix_of(network.subnet6),
        network.gateway6 if leads_out6 else "",
    )
