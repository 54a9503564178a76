"""Flags of `run` and `create` → the body of POST /containers/create."""

import json
import re
from collections.abc import Mapping, Sequence

from wherry.cli import terminal
from wherry.cli.container import environment, networks, ports
from wherry.cli.container.checks import device
from wherry.cli.container.mounts import volumes
from wherry.cli.container.networks import Attachment
from wherry.cli.container.settings import Settings
from wherry.client.document import Json
from wherry.kit.errors import InvalidInput

_MAC = re.compile(r"(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")
_SPACE = re.compile(r'("(?:\\.|[^"\\])*")|\s+')


def build(
    settings: Settings, image: str, command: Sequence[str], proxies: Mapping[str, str]
) -> dict[str, Json]:
    """The create request. Raises InvalidInput in Docker's words."""
    bindings = ports.published(settings.texts("publish"))
    attachments = settings.many("network", Attachment)
    host = _host_config(settings, bindings, attachments)
    flags = Attachment(
        "",
        aliases=tuple(settings.texts("network_alias")),
        links=tuple(settings.texts("link")),
        ip=settings.text("ip"),
        ip6=settings.text("ip6"),
        link_local=tuple(settings.texts("link_local_ip")),
    )
    return {
        **_config(settings, image, command, bindings),
        "Env": _or_null(_environment(settings, proxies)),
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": networks.endpoints(attachments, flags)},
    }


def _config(
    settings: Settings, image: str, command: Sequence[str], bindings: list[ports.Binding]
) -> dict[str, Json]:
    stdin, stdout, stderr = _attached(settings)
    made: dict[str, Json] = {
        "Hostname": settings.text("hostname"),
        "Domainname": settings.text("domainname"),
        "User": settings.text("user"),
        "AttachStdin": stdin,
        "AttachStdout": stdout,
        "AttachStderr": stderr,
        "Tty": settings.on("tty"),
        "OpenStdin": settings.on("interactive"),
        "StdinOnce": stdin and settings.on("interactive"),
        "Cmd": _or_null(command),
        "Image": image,
        "Volumes": {path: {} for path in volumes(settings.texts("volume")).anonymous},
        "WorkingDir": settings.text("workdir"),
        "Entrypoint": [settings.text("entrypoint")] if settings.given("entrypoint") else None,
        "OnBuild": None,
        "Labels": _labels(settings),
    }
    return {**made, **_optional(settings, bindings)}


def _labels(settings: Settings) -> dict[str, Json]:
    """Labels, and egress rules as one: the API has no field for them."""
    given = environment.labels(settings.texts("label_file"), settings.texts("label"))
    rules = " ".join(settings.texts("egress"))
    return {**given, "wherry.egress": rules} if rules else {**given}


def _optional(settings: Settings, bindings: list[ports.Binding]) -> dict[str, Json]:
    """The fields that are left out where nothing was asked."""
    exposed = [binding.port for binding in bindings] + ports.exposed(settings.texts("expose"))
    found: dict[str, Json] = {
        "ExposedPorts": {port: {} for port in exposed},
        "MacAddress": _mac(settings.text("mac_address")),
        "StopSignal": settings.text("stop_signal"),
        "Healthcheck": _health(settings),
    }
    made: dict[str, Json] = {name: value for name, value in found.items() if value}
    if settings.given("stop_timeout"):
        made["StopTimeout"] = settings.number("stop_timeout")
    return made


def _environment(settings: Settings, proxies: Mapping[str, str]) -> list[str]:
    given = environment.with_proxies(settings.texts("env"), proxies)
    return environment.variables(settings.texts("env_file"), given)


def _attached(settings: Settings) -> tuple[bool, bool, bool]:
    chosen = settings.texts("attach")
    stdin = settings.on("interactive") or "stdin" in chosen
    if not chosen:
        return stdin, True, True
    return stdin, "stdout" in chosen, "stderr" in chosen


def _or_null(values: Sequence[str]) -> Json:
    return [*values] or None


def _mac(text: str) -> str:
    if text and not _MAC.fullmatch(text.strip()):
        raise InvalidInput(f"{text} is not a valid mac address")
    return text


def _health(settings: Settings) -> dict[str, Json]:
    command = settings.text("health_cmd")
    found: dict[str, Json] = {"Test": ["CMD-SHELL", command] if command else None}
    for name, field in _HEALTH.items():
        found[field] = settings.number(name)
    made: dict[str, Json] = {name: value for name, value in found.items() if value}
    if settings.on("no_healthcheck"):
        if made:
            raise InvalidInput("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    for name in _HEALTH:
        if settings.number(name) < 0:
            raise InvalidInput(f"--{name.replace('_', '-')} cannot be negative")
    return made


_HEALTH = {
    "health_interval": "Interval",
    "health_timeout": "Timeout",
    "health_start_period": "StartPeriod",
    "health_start_interval": "StartInterval",
    "health_retries": "Retries",
}


def _host_config(
    settings: Settings, bindings: list[ports.Binding], attachments: list[Attachment]
) -> dict[str, Json]:
    lines, columns = terminal.size_of(1)
    return {
        "Binds": _or_null(volumes(settings.texts("volume")).binds),
        "ContainerIDFile": settings.text("cidfile"),
        "LogConfig": _log_config(settings),
        "NetworkMode": networks.mode(attachments),
        "PortBindings": ports.as_bindings(bindings),
        "RestartPolicy": _restart(settings),
        "AutoRemove": settings.on("rm"),
        "VolumeDriver": settings.text("volume_driver"),
        "VolumesFrom": _or_null(settings.texts("volumes_from")),
        "CapAdd": _or_null(settings.texts("cap_add")),
        "CapDrop": _or_null(settings.texts("cap_drop")),
        "Dns": [*settings.texts("dns")],
        "DnsOptions": [*settings.texts("dns_option")],
        "DnsSearch": [*settings.texts("dns_search")],
        "ExtraHosts": _or_null(settings.texts("add_host")),
        "GroupAdd": _or_null(settings.texts("group_add")),
        "Links": _or_null(settings.texts("link")),
        "OomScoreAdj": settings.number("oom_score_adj"),
        "Privileged": settings.on("privileged"),
        "PublishAllPorts": settings.on("publish_all"),
        "ReadonlyRootfs": settings.on("read_only"),
        "ShmSize": settings.number("shm_size"),
        "ConsoleSize": [lines, columns],
        "Isolation": settings.text("isolation"),
        **_namespaces(settings),
        **_security(settings.texts("security_opt")),
        **_resources(settings),
        **_optional_host(settings),
    }


def _optional_host(settings: Settings) -> dict[str, Json]:
    mounts: list[Json] = [*settings.many("mount", dict)]
    tmpfs = (spec.partition(":") for spec in settings.texts("tmpfs"))
    found: dict[str, Json] = {
        "Tmpfs": {path: options for path, _, options in tmpfs},
        "Sysctls": {**environment.pairs(settings.texts("sysctl"))},
        "StorageOpt": {**_storage(settings.texts("storage_opt"))},
        "Annotations": {**environment.pairs(settings.texts("annotation"))},
        "Runtime": settings.text("runtime"),
        "Mounts": mounts,
    }
    made: dict[str, Json] = {name: value for name, value in found.items() if value}
    if settings.given("init"):
        made["Init"] = settings.on("init")
    return made


def _storage(options: Sequence[str]) -> dict[str, str]:
    if not all("=" in option for option in options):
        raise InvalidInput("invalid storage option")
    return environment.pairs(options)


def _log_config(settings: Settings) -> dict[str, Json]:
    driver, options = settings.text("log_driver"), settings.texts("log_opt")
    if driver == "none" and options:
        raise InvalidInput(f"invalid logging opts for driver {driver}")
    return {"Type": driver, "Config": {**environment.pairs(options)}}


def _restart(settings: Settings) -> dict[str, Json]:
    policy = restart_policy(settings.text("restart"))
    if settings.on("rm") and policy["Name"] not in ("", "no"):
        raise InvalidInput("Conflicting options: --restart and --rm")
    return policy


def restart_policy(text: str) -> dict[str, Json]:
    """`on-failure:3` → the API's RestartPolicy. Raises InvalidInput."""
    name, colon, count = text.partition(":")
    if colon and not name:
        raise InvalidInput("invalid restart policy format: no policy provided before colon")
    if ":" in count:
        raise InvalidInput("invalid restart policy format")
    if count and not count.lstrip("-+").isdigit():
        raise InvalidInput("maximum retry count must be an integer")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def _namespaces(settings: Settings) -> dict[str, Json]:
    pid, uts = settings.text("pid"), settings.text("uts")
    userns, cgroupns = settings.text("userns"), settings.text("cgroupns")
    kind, colon, name = pid.partition(":")
    if pid not in ("", "host") and not (kind == "container" and colon and name):
        raise InvalidInput("--pid: invalid PID mode")
    if uts not in ("", "host"):
        raise InvalidInput("--uts: invalid UTS mode")
    if userns not in ("", "host"):
        raise InvalidInput("--userns: invalid USER mode")
    if cgroupns not in ("", "host", "private"):
        raise InvalidInput("--cgroupns: invalid CGROUP mode")
    return {
        "PidMode": pid,
        "UTSMode": uts,
        "UsernsMode": userns,
        "CgroupnsMode": cgroupns,
        "IpcMode": settings.text("ipc"),
        "Cgroup": "",
    }


def _security(options: Sequence[str]) -> dict[str, Json]:
    """SecurityOpt with the seccomp profile's content in place of its file's name."""
    read = [_security_option(option) for option in options if option != "systempaths=unconfined"]
    bare: Json = [] if "systempaths=unconfined" in options else None
    kept: Json = None if not options else [*read]
    return {"SecurityOpt": kept, "MaskedPaths": bare, "ReadonlyPaths": bare}


def _security_option(option: str) -> str:
    name, separator, value = option.partition("=")
    if not separator and name != "no-new-privileges":
        name, separator, value = option.partition(":")
        if not separator:
            raise InvalidInput(f'Invalid --security-opt: "{option}"')
    if name == "seccomp" and value not in ("unconfined", "builtin"):
        return "seccomp=" + _profile(value)
    return option


def _profile(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        why = f"open {path}: {(error.strerror or '').lower()}"
        raise InvalidInput(f"opening seccomp profile ({path}) failed: {why}") from error
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidInput(
            f"compacting json for seccomp profile ({path}) failed: {error}"
        ) from error
    return _SPACE.sub(lambda match: match[1] or "", text)


def _resources(settings: Settings) -> dict[str, Json]:
    swappiness = settings.number("memory_swappiness")
    if not -1 <= swappiness <= 100:
        raise InvalidInput(f"invalid value: {swappiness}. Valid memory swappiness range is 0-100")
    return {
        **limits(settings),
        "CgroupParent": settings.text("cgroup_parent"),
        "BlkioWeightDevice": _items(settings, "blkio_weight_device"),
        "BlkioDeviceReadBps": _items(settings, "device_read_bps") or None,
        "BlkioDeviceWriteBps": _items(settings, "device_write_bps") or None,
        "BlkioDeviceReadIOps": _items(settings, "device_read_iops") or None,
        "BlkioDeviceWriteIOps": _items(settings, "device_write_iops") or None,
        "Devices": [device(spec) for spec in settings.texts("device")],
        "DeviceCgroupRules": _or_null(settings.texts("device_cgroup_rule")),
        "DeviceRequests": _items(settings, "gpus") or None,
        "KernelMemoryTCP": 0,
        "MemorySwappiness": swappiness,
        "OomKillDisable": settings.on("oom_kill_disable"),
        "Ulimits": _ulimits(settings.many("ulimit", dict)),
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    }


def _items(settings: Settings, name: str) -> list[Json]:
    return [*settings.many(name, dict)]


def _ulimits(given: Sequence[Mapping[str, Json]]) -> Json:
    """One a name, the last that was given, in order of the names."""
    last = {str(item["Name"]): dict(item) for item in given}
    return [last[name] for name in sorted(last)] or None


def limits(settings: Settings) -> dict[str, Json]:
    """The limits that can be changed later too (`update`)."""
    return {
        "CpuShares": settings.number("cpu_shares"),
        "Memory": settings.number("memory"),
        "NanoCpus": settings.number("cpus"),
        "BlkioWeight": settings.number("blkio_weight"),
        "CpuPeriod": settings.number("cpu_period"),
        "CpuQuota": settings.number("cpu_quota"),
        "CpuRealtimePeriod": settings.number("cpu_rt_period"),
        "CpuRealtimeRuntime": settings.number("cpu_rt_runtime"),
        "CpusetCpus": settings.text("cpuset_cpus"),
        "CpusetMems": settings.text("cpuset_mems"),
        "KernelMemory": settings.number("kernel_memory"),
        "MemoryReservation": settings.number("memory_reservation"),
        "MemorySwap": settings.number("memory_swap"),
        "PidsLimit": settings.number("pids_limit"),
    }
