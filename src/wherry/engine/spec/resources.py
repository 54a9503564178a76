"""HostConfig → `linux.resources`."""

from collections.abc import Mapping

from wherry.dockerapi.host_config import HostConfig, ThrottleDevice
from wherry.engine.spec.facts import Device
from wherry.kit.errors import InvalidInput

CPU_PERIOD = 100_000
"""Microseconds; the period behind --cpus."""

_ALWAYS = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    ("c", 1, 3, "rwm"),
    ("c", 1, 5, "rwm"),
    ("c", 1, 7, "rwm"),
    ("c", 1, 8, "rwm"),
    ("c", 1, 9, "rwm"),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
)
"""mknod of anything; null, zero, full, random, urandom; tty, console, ptmx; every pts."""


def resources(host: HostConfig, devices: tuple[Device, ...]) -> dict[str, object]:
    """The whole object. Zero and None mean not limited and are left out."""
    result: dict[str, object] = {
        "devices": device_rules(host, devices),
        "memory": _memory(host),
        "cpu": _cpu(host),
        "blockIO": _block_io(host),
    }
    if host.pids_limit is not None:
        result["pids"] = {"limit": host.pids_limit if host.pids_limit > 0 else -1}
    return {name: value for name, value in result.items() if value}


def _memory(host: HostConfig) -> dict[str, object]:
    swap = host.memory_swap
    if host.memory > 0 and swap == 0:
        swap = host.memory * 2
    values = {
        "limit": host.memory or None,
        "reservation": host.memory_reservation or None,
        "swap": swap or None,
        "kernelTCP": host.kernel_memory_tcp or None,
        "swappiness": None if host.memory_swappiness == -1 else host.memory_swappiness,
        "disableOOMKiller": host.oom_kill_disable or None,
    }
    return _present(values)


def _cpu(host: HostConfig) -> dict[str, object]:
    quota, period = host.cpu_quota, host.cpu_period
    if host.nano_cpus > 0:
        period = CPU_PERIOD
        quota = host.nano_cpus * CPU_PERIOD // 1_000_000_000
    values = {
        "shares": host.cpu_shares or None,
        "quota": quota or None,
        "period": period or None,
        "realtimePeriod": host.cpu_realtime_period or None,
        "realtimeRuntime": host.cpu_realtime_runtime or None,
        "cpus": host.cpuset_cpus or None,
        "mems": host.cpuset_mems or None,
    }
    return _present(values)


def _block_io(host: HostConfig) -> dict[str, object]:
    return _present(
        {
            "weight": host.blkio_weight or None,
            "throttleReadBpsDevice": _throttles(host.blkio_device_read_bps),
            "throttleWriteBpsDevice": _throttles(host.blkio_device_write_bps),
            "throttleReadIOPSDevice": _throttles(host.blkio_device_read_iops),
            "throttleWriteIOPSDevice": _throttles(host.blkio_device_write_iops),
            "weightDevice": [
                {**_numbers(device.path), "weight": device.weight}
                for device in host.blkio_weight_device or []
            ]
            or None,
        }
    )


def _throttles(devices: list[ThrottleDevice] | None) -> list[dict[str, int]] | None:
    return [{**_numbers(device.path), "rate": device.rate} for device in devices or []] or None


def _numbers(path: str) -> dict[str, int]:
    """`major:minor`, which `host_devices.numbered` puts in place of a path."""
    major, _, minor = path.partition(":")
    if not (major.isdigit() and minor.isdigit()):
        raise InvalidInput(f"no such block device: {path}")
    return {"major": int(major), "minor": int(minor)}


def device_rules(host: HostConfig, devices: tuple[Device, ...]) -> list[dict[str, object]]:
    """The device list: deny all, then what is allowed; --privileged allows all."""
    if host.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, object]] = [{"allow": False, "access": "rwm"}]
    rules += [_rule(*always) for always in _ALWAYS]
    rules += [_rule(each.kind, each.major, each.minor, each.access) for each in devices]
    rules += [_parsed_rule(text) for text in host.device_cgroup_rules or []]
    return rules


def _rule(kind: str, major: int | None, minor: int | None, access: str) -> dict[str, object]:
    return {
        "allow": True,
        "type": kind,
        **_present({"major": major, "minor": minor}),
        "access": access,
    }


def _parsed_rule(text: str) -> dict[str, object]:
    fields = text.split()
    numbers = fields[1].split(":") if len(fields) == 3 else []
    if (
        len(numbers) != 2
        or fields[0] not in ("a", "b", "c")
        or not set(fields[2]) <= set("rwm")
        or not all(number == "*" or number.isdigit() for number in numbers)
    ):
        raise InvalidInput(f"invalid device cgroup rule format: '{text}'")
    major, minor = (None if number == "*" else int(number) for number in numbers)
    return _rule(fields[0], major, minor, fields[2])


def _present(values: Mapping[str, object | None]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
