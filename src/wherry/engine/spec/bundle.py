"""A container's config.json, put together."""

from wherry.dockerapi.host_config import HostConfig
from wherry.engine.records import ContainerRecord
from wherry.engine.spec import capabilities, mounts, one_id, process, resources, security
from wherry.engine.spec.facts import Device, Facts, User
from wherry.engine.spec.mounts import Mount

OCI_VERSION = "1.0.2"
"""Written down low: runc and crun of the last five years read it."""


def runtime_spec(record: ContainerRecord, facts: Facts) -> dict[str, object]:
    """The runtime specification of a container. Raises InvalidInput, Unsupported."""
    request = record.request
    host = request.host_config
    options = security.parse(host.security_opt or [])
    spec: dict[str, object] = {
        "ociVersion": OCI_VERSION,
        "process": _process(record, facts, options),
        "root": {"path": "rootfs", "readonly": host.readonly_rootfs},
        "mounts": _mounts(record, facts),
        "linux": _linux(record, facts, options),
    }
    if host.uts_mode != "host":
        spec["hostname"] = hostname(record)
        if request.domainname:
            spec["domainname"] = request.domainname
    if host.annotations:
        spec["annotations"] = host.annotations
    return spec


def hostname(record: ContainerRecord) -> str:
    """What the container is called inside."""
    return record.request.hostname or record.id[:12]


def init_wanted(host: HostConfig) -> bool:
    """Whether an init program runs as PID 1."""
    return bool(host.init)


def _process(record: ContainerRecord, facts: Facts, options: security.Options) -> dict[str, object]:
    request = record.request
    host = request.host_config
    granted = capabilities.granted(
        host.cap_add or [], host.cap_drop or [], facts.host.capabilities, privileged=host.privileged
    )
    result: dict[str, object] = {
        "terminal": request.tty,
        "user": process.user_object(facts.user),
        "args": process.arguments(request, init=init_wanted(host)),
        "env": process.environment(request, hostname(record), facts.linked),
        "cwd": request.working_dir or "/",
        "capabilities": process.capability_sets(granted),
        "rlimits": process.rlimits(request),
        "noNewPrivileges": options.no_new_privileges,
        **security.labels(options, facts.host, privileged=host.privileged),
    }
    if host.oom_score_adj:
        result["oomScoreAdj"] = host.oom_score_adj
    if request.tty and any(host.console_size):
        height, width = host.console_size
        result["consoleSize"] = {"height": height, "width": width}
    return result


def _mounts(record: ContainerRecord, facts: Facts) -> list[Mount]:
    host = record.request.host_config
    mine = [mounts.user_mount(point, facts.host.kernel) for point in record.mounts]
    taken = frozenset(str(each["destination"]) for each in mine)
    host_network = host.network_mode == "host"
    kernel = mounts.kernel_mounts(facts, privileged=host.privileged, host_network=host_network)
    own = [
        each
        for each in [*kernel, *mounts.ipc_mounts(facts, host), *mounts.device_binds(facts)]
        if each["destination"] not in taken
    ]
    return mounts.ordered(
        [*own, *mounts.engine_files(facts, taken, readonly=host.readonly_rootfs), *mine]
    )


def _linux(record: ContainerRecord, facts: Facts, options: security.Options) -> dict[str, object]:
    host = record.request.host_config
    granted = capabilities.granted(
        host.cap_add or [], host.cap_drop or [], facts.host.capabilities, privileged=host.privileged
    )
    bound = {each["destination"] for each in mounts.device_binds(facts)}
    result: dict[str, object] = {
        "namespaces": namespaces(host, facts),
        "resources": resources.resources(host, facts.devices),
        "devices": [_device_node(device) for device in facts.devices if device.target not in bound],
        **security.paths(host, options),
        **id_maps(facts),
    }
    if facts.host.cgroup != "none":
        result["cgroupsPath"] = record.cgroup
    sysctls = sysctl_values(host, facts)
    if sysctls:
        result["sysctl"] = sysctls
    profile = security.seccomp(options, facts.host, granted, privileged=host.privileged)
    if facts.host.ids == "single":
        profile = one_id.with_one_id(profile, facts.host, facts.ids_socket)
    if profile is not None:
        result["seccomp"] = profile
    return result


def namespaces(host: HostConfig, facts: Facts) -> list[dict[str, str]]:
    """Which namespaces are made, which are joined; the host's are left out."""
    joined = facts.joined
    wanted = [{"type": "mount"}]
    for kind, mode, path in (
        ("network", host.network_mode, joined.network),
        ("pid", host.pid_mode, joined.pid),
        ("ipc", host.ipc_mode, joined.ipc),
        ("uts", host.uts_mode, joined.uts),
    ):
        if path:
            wanted.append({"type": kind, "path": path})
        elif mode != "host":
            wanted.append({"type": kind})
    if _own_cgroup_namespace(host, facts):
        wanted.append({"type": "cgroup"})
    if id_maps(facts):
        wanted.append({"type": "user"})
    return wanted


def _own_cgroup_namespace(host: HostConfig, facts: Facts) -> bool:
    if host.cgroupns_mode:
        return host.cgroupns_mode == "private"
    return facts.host.cgroup == "v2"


def id_maps(facts: Facts) -> dict[str, object]:
    """With one id, `-u N` is a namespace of its own in which our one id is called N."""
    user = facts.user
    if facts.host.ids != "single" or (user.uid == 0 and user.gid == 0):
        return {}
    return {
        "uidMappings": [{"containerID": user.uid, "hostID": 0, "size": 1}],
        "gidMappings": [{"containerID": user.gid, "hostID": 0, "size": 1}],
    }


def effective_user(user: User, ids: str) -> User:
    """With one id there are no groups beside the primary one."""
    return user._replace(groups=()) if ids == "single" else user


def sysctl_values(host: HostConfig, facts: Facts) -> dict[str, str]:
    """`--sysctl`, with unprivileged ports and ping opened as dockerd 20.10 does by default.

    The range of groups that may ping must consist of groups that the namespace knows.
    """
    defaults: dict[str, str] = {}
    if host.network_mode != "host" and not facts.joined.network:
        group = facts.user.gid
        groups = f"{group}\t{group}" if facts.host.ids == "single" else "0\t2147483647"
        if facts.host.ids == "mapped":
            groups = "0\t0"
        defaults = {
            "net.ipv4.ip_unprivileged_port_start": "0",
            "net.ipv4.ping_group_range": groups,
        }
        if facts.host.ipv6:
            # loopback keeps ::1; a link without IPv6 of ours hears no router (CVE-2020-13401)
            defaults["net.ipv6.conf.default.disable_ipv6"] = "1"
    return {**defaults, **(host.sysctls or {})}


def _device_node(device: Device) -> dict[str, object]:
    return {
        "path": device.target,
        "type": device.kind,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.mode,
        "uid": device.uid,
        "gid": device.gid,
    }
