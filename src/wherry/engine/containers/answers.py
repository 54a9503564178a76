"""Parts of what inspect and the list show, made from a record. Pure."""

from wherry.dockerapi import container_answers as answers
from wherry.dockerapi.endpoints import EndpointSettings
from wherry.dockerapi.host_config import PortBinding
from wherry.engine.containers import health
from wherry.engine.networks import places
from wherry.engine.networks.record import BUILTIN
from wherry.engine.records import ContainerRecord, EndpointRecord, MountPoint, StateRecord
from wherry.kit.clock import rfc3339


def state(record: StateRecord) -> answers.State:
    """The State object."""
    status = record.status
    return answers.State(
        status=status,
        running=status in ("running", "paused", "restarting"),
        paused=status == "paused",
        restarting=status == "restarting",
        oom_killed=record.oom_killed,
        dead=status == "dead",
        pid=record.pid,
        exit_code=record.exit_code,
        error=record.error,
        started_at=rfc3339(record.started_at),
        finished_at=rfc3339(record.finished_at),
        health=health.answer(record),
    )


def mount(point: MountPoint) -> answers.MountPoint:
    """One entry of Mounts."""
    return answers.MountPoint(
        type=point.type,
        name=point.name,
        source=point.source,
        destination=point.destination,
        driver=point.driver if point.type == "volume" else "",
        mode=point.mode,
        rw=point.rw,
        propagation=point.propagation,
    )


def listed(point: MountPoint) -> bool:
    """Whether Mounts shows it: a tmpfs only where it was asked for by `--mount`."""
    return point.type != "tmpfs" or point.by_mount


def endpoint(record: ContainerRecord, place: EndpointRecord) -> EndpointSettings:
    """A container's settings in one network, addresses only while it runs."""
    base = place.settings or EndpointSettings()
    return EndpointSettings(
        ipam_config=base.ipam_config,
        links=base.links,
        aliases=base.aliases,
        driver_opts=base.driver_opts,
        gw_priority=base.gw_priority,
        network_id=place.network_id,
        endpoint_id=place.endpoint_id,
        gateway=place.gateway,
        ip_address=place.address,
        ip_prefix_len=place.prefix,
        ipv6_gateway=place.gateway6,
        global_ipv6_address=place.address6,
        global_ipv6_prefix_len=place.prefix6,
        mac_address=place.mac or base.mac_address,
        dns_names=_dns_names(record, place),
    )


def _dns_names(record: ContainerRecord, place: EndpointRecord) -> list[str] | None:
    """Names there are in user-defined networks only, and once it was connected or started."""
    if place.network in BUILTIN or not place.named:
        return None
    return list(places.dns_names(record, place))


def networks(record: ContainerRecord) -> dict[str, EndpointSettings]:
    """All of them by name."""
    return {place.network: endpoint(record, place) for place in record.endpoints}


def port_map(record: ContainerRecord) -> dict[str, tuple[PortBinding, ...] | None]:
    """`80/tcp` → where it is published; None for exposed only. Empty unless running."""
    if not record.state.pid or record.request.host_config.network_mode == "host":
        return {}
    shown: dict[str, tuple[PortBinding, ...] | None] = dict.fromkeys(_exposed(record))
    for place in record.endpoints:
        for port in place.ports:
            key = f"{port.container_port}/{port.protocol}"
            binding = PortBinding(host_ip=port.host_ip, host_port=str(port.host_port))
            shown[key] = (*(shown.get(key) or ()), binding)
    return shown


def _exposed(record: ContainerRecord) -> list[str]:
    """`80/tcp`; dockerd tells them where a network leads out, and not of internal ones."""
    if not any(place.default_route or place.default_route6 for place in record.endpoints):
        return []
    ports = record.request.exposed_ports or {}
    return [text if "/" in text else f"{text}/tcp" for text in ports]


def network_settings(record: ContainerRecord) -> answers.NetworkSettings:
    """The NetworkSettings object; the default bridge's facts stand on top as well."""
    settings = networks(record)
    bridge = settings.get("bridge", EndpointSettings())
    running = bool(record.state.pid)
    return answers.NetworkSettings(
        sandbox_id=record.id if running else "",
        sandbox_key=f"/proc/{record.state.pid}/ns/net" if running else "",
        ports=port_map(record),
        endpoint_id=bridge.endpoint_id,
        gateway=bridge.gateway,
        ip_address=bridge.ip_address,
        ip_prefix_len=bridge.ip_prefix_len,
        mac_address=bridge.mac_address,
        ipv6_gateway=bridge.ipv6_gateway,
        global_ipv6_address=bridge.global_ipv6_address,
        global_ipv6_prefix_len=bridge.global_ipv6_prefix_len,
        networks=settings,
    )


def ports(record: ContainerRecord) -> tuple[answers.Port, ...]:
    """The list's Ports: published ones, then those only exposed."""
    result = []
    for key, bindings in port_map(record).items():
        number, _, protocol = key.partition("/")
        if not bindings:
            result.append(answers.Port(private_port=int(number), type=protocol or "tcp"))
        result += [
            answers.Port(binding.host_ip, int(number), int(binding.host_port), protocol)
            for binding in bindings or ()
        ]
    return tuple(result)
