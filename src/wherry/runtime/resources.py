"""Limits of a container: `linux.resources` of config.json as values, validated.

Source: runtime-spec, config-linux.md, "Control groups". None means "not asked for"; -1 in memory,
swap, quota and pids means "no limit". Properties that the specification does not know are ignored,
as it demands. Errors are InvalidInput and name the JSON path.
"""

import re
from typing import NamedTuple

from wherry.kit.errors import InvalidInput

_INT64 = (-(1 << 63), (1 << 63) - 1)
_UINT64 = (0, (1 << 64) - 1)
_INT32_MAX = (1 << 31) - 1
_UINT32 = (0, (1 << 32) - 1)
_UINT16 = (0, (1 << 16) - 1)
_CPU_LIST = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")
_PAGE_SIZE = re.compile(r"[1-9][0-9]*[KMG]B")
_UNIFIED_KEY = re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_\-]+)+")


class Memory(NamedTuple):
    """Bytes; swappiness 0-100. `swap` is memory and swap together, as in cgroup v1."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    kernel: int | None = None
    kernel_tcp: int | None = None
    swappiness: int | None = None
    disable_oom_killer: bool = False
    use_hierarchy: bool = False
    check_before_update: bool = False


class Cpu(NamedTuple):
    """`shares` in v1's scale (2-262144); periods, quota, burst and runtimes in microseconds."""

    shares: int | None = None
    quota: int | None = None
    burst: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    idle: int | None = None


class WeightDevice(NamedTuple):
    """Proportional weight (10-1000) for one block device."""

    major: int
    minor: int
    weight: int | None
    leaf_weight: int | None


class ThrottleDevice(NamedTuple):
    """Upper rate for one block device: bytes or operations a second."""

    major: int
    minor: int
    rate: int


class BlockIo(NamedTuple):
    """Block device limits."""

    weight: int | None = None
    leaf_weight: int | None = None
    weight_devices: tuple[WeightDevice, ...] = ()
    read_bps: tuple[ThrottleDevice, ...] = ()
    write_bps: tuple[ThrottleDevice, ...] = ()
    read_iops: tuple[ThrottleDevice, ...] = ()
    write_iops: tuple[ThrottleDevice, ...] = ()


class HugepageLimit(NamedTuple):
    """Bytes of huge pages of one size (`2MB`, `1GB`)."""

    page_size: str
    limit: int


class InterfacePriority(NamedTuple):
    """Priority of the packets that leave by one interface."""

    name: str
    priority: int


class Network(NamedTuple):
    """net_cls and net_prio of cgroup v1."""

    class_id: int | None = None
    priorities: tuple[InterfacePriority, ...] = ()


class DeviceRule(NamedTuple):
    """One line of the device list; major and minor None mean every number, type 'a' both kinds."""

    allow: bool
    type: str = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


class Rdma(NamedTuple):
    """Limits of one RDMA device."""

    device: str
    hca_handles: int | None
    hca_objects: int | None


class Resources(NamedTuple):
    """Everything below `linux.resources`."""

    devices: tuple[DeviceRule, ...] = ()
    memory: Memory = Memory()
    cpu: Cpu = Cpu()
    pids: int | None = None
    block_io: BlockIo = BlockIo()
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    network: Network = Network()
    rdma: tuple[Rdma, ...] = ()
    unified: tuple[tuple[str, str], ...] = ()


def parse_resources(value: object, path: str = "linux.resources") -> Resources:
    """Read the JSON object at `path`; None and {} mean no limits. Raises InvalidInput."""
    node = _Node(value, path)
    return Resources(
        devices=tuple(_device(item) for item in node.items("devices")),
        memory=_memory(node.node("memory")),
        cpu=_cpu(node.node("cpu")),
        pids=node.node("pids").number("limit", _INT64),
        block_io=_block_io(node.node("blockIO")),
        hugepage_limits=tuple(_hugepages(item) for item in node.items("hugepageLimits")),
        network=_network(node.node("network")),
        rdma=tuple(_rdma(name, item) for name, item in node.node("rdma").entries()),
        unified=tuple(_unified(name, item) for name, item in node.node("unified").entries()),
    )


class _Node:
    """A JSON object together with its path, for errors that say where."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: str) -> None:
        if value is not None and not isinstance(value, dict):
            raise InvalidInput(f"{path}: expected an object, not {value!r}")
        self.value: dict[str, object] = value or {}
        self.path = path

    def node(self, key: str) -> "_Node":
        return _Node(self.value.get(key), f"{self.path}.{key}")

    def entries(self) -> "list[tuple[str, object]]":
        return sorted(self.value.items())

    def items(self, key: str) -> "list[_Node]":
        found = self.value.get(key)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self.wrong(key, "expected a list")
        return [_Node(item, f"{self.path}.{key}[{at}]") for at, item in enumerate(found)]

    def number(self, key: str, bounds: tuple[int, int]) -> int | None:
        found = self.value.get(key)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool):
            raise self.wrong(key, "expected a whole number")
        if not bounds[0] <= found <= bounds[1]:
            raise self.wrong(key, f"must be between {bounds[0]} and {bounds[1]}")
        return found

    def required(self, key: str, bounds: tuple[int, int]) -> int:
        found = self.number(key, bounds)
        if found is None:
            raise InvalidInput(f"{self.path}.{key}: is missing")
        return found

    def flag(self, key: str) -> bool:
        found = self.value.get(key, False)
        if not isinstance(found, bool):
            raise self.wrong(key, "expected true or false")
        return found

    def text(self, key: str, pattern: "re.Pattern[str] | None" = None) -> str:
        found = self.value.get(key) or ""
        if not isinstance(found, str):
            raise self.wrong(key, "expected a string")
        if found and pattern is not None and pattern.fullmatch(found) is None:
            raise self.wrong(key, "has the wrong form")
        return found

    def wrong(self, key: str, what: str) -> InvalidInput:
        return InvalidInput(f"{self.path}.{key}: {what}, got {self.value.get(key)!r}")


def _memory(node: _Node) -> Memory:
    memory = Memory(
        limit=node.number("limit", _INT64),
        reservation=node.number("reservation", _INT64),
        swap=node.number("swap", _INT64),
        kernel=node.number("kernel", _INT64),
        kernel_tcp=node.number("kernelTCP", _INT64),
        swappiness=node.number("swappiness", _UINT64),
        disable_oom_killer=node.flag("disableOOMKiller"),
        use_hierarchy=node.flag("useHierarchy"),
        check_before_update=node.flag("checkBeforeUpdate"),
    )
    if memory.swappiness is not None and memory.swappiness > 100:
        raise node.wrong("swappiness", "must be between 0 and 100")
    limit, swap = memory.limit or 0, memory.swap or 0
    if swap > 0 and (limit < 0 or limit > swap):
        raise node.wrong("swap", f"memory and swap together must not be below the limit {limit}")
    return memory


def _cpu(node: _Node) -> Cpu:
    return Cpu(
        shares=node.number("shares", _UINT64),
        quota=node.number("quota", _INT64),
        burst=node.number("burst", _UINT64),
        period=node.number("period", _UINT64),
        realtime_runtime=node.number("realtimeRuntime", _INT64),
        realtime_period=node.number("realtimePeriod", _UINT64),
        cpus=node.text("cpus", _CPU_LIST),
        mems=node.text("mems", _CPU_LIST),
        idle=node.number("idle", (0, 1)),
    )


def _block_io(node: _Node) -> BlockIo:
    def throttle(key: str) -> tuple[ThrottleDevice, ...]:
        return tuple(
            ThrottleDevice(*_block_device(item), item.required("rate", _UINT64))
            for item in node.items(key)
        )

    return BlockIo(
        weight=node.number("weight", _UINT16),
        leaf_weight=node.number("leafWeight", _UINT16),
        weight_devices=tuple(_weight_device(item) for item in node.items("weightDevice")),
        read_bps=throttle("throttleReadBpsDevice"),
        write_bps=throttle("throttleWriteBpsDevice"),
        read_iops=throttle("throttleReadIOPSDevice"),
        write_iops=throttle("throttleWriteIOPSDevice"),
    )


def _block_device(node: _Node) -> tuple[int, int]:
    return node.required("major", _UINT32), node.required("minor", _UINT32)


def _weight_device(node: _Node) -> WeightDevice:
    weight, leaf = node.number("weight", _UINT16), node.number("leafWeight", _UINT16)
    if weight is None and leaf is None:
        raise InvalidInput(f"{node.path}: one of weight and leafWeight is needed")
    return WeightDevice(*_block_device(node), weight, leaf)


def _hugepages(node: _Node) -> HugepageLimit:
    size = node.text("pageSize", _PAGE_SIZE)
    if not size:
        raise InvalidInput(f"{node.path}.pageSize: is missing")
    return HugepageLimit(size, node.required("limit", _UINT64))


def _network(node: _Node) -> Network:
    priorities = []
    for item in node.items("priorities"):
        name = item.text("name")
        if not name or "/" in name or any(letter.isspace() for letter in name):
            raise item.wrong("name", "must be the name of a network interface")
        priorities.append(InterfacePriority(name, item.required("priority", _UINT32)))
    return Network(node.number("classID", _UINT32), tuple(priorities))


def _device(node: _Node) -> DeviceRule:
    allow, kind = node.flag("allow"), node.text("type") or "a"
    if kind not in ("a", "b", "c", "u"):
        raise node.wrong("type", "must be one of a, b, c")
    access = node.text("access") or "rwm"
    if not set(access) <= set("rwm"):
        raise node.wrong("access", "must be made of r, w and m")
    return DeviceRule(
        allow,
        "c" if kind == "u" else kind,
        _device_number(node, "major"),
        _device_number(node, "minor"),
        "".join(letter for letter in "rwm" if letter in access),
    )


def _device_number(node: _Node, key: str) -> int | None:
    """None for every number, which some generators write as -1."""
    number = node.number(key, (-1, _INT32_MAX))
    return None if number == -1 else number


def _rdma(name: str, value: object) -> Rdma:
    node = _Node(value, f"linux.resources.rdma.{name}")
    if not name or any(letter.isspace() for letter in name):
        raise InvalidInput(f"{node.path}: {name!r} is not the name of a device")
    handles, objects = node.number("hcaHandles", _UINT32), node.number("hcaObjects", _UINT32)
    if handles is None and objects is None:
        raise InvalidInput(f"{node.path}: one of hcaHandles and hcaObjects is needed")
    return Rdma(name, handles, objects)


def _unified(name: str, value: object) -> tuple[str, str]:
    if _UNIFIED_KEY.fullmatch(name) is None:
        raise InvalidInput(f"linux.resources.unified: {name!r} is not the name of a cgroup file")
    if not isinstance(value, str):
        raise InvalidInput(f"linux.resources.unified.{name}: expected a string, got {value!r}")
    return name, value
