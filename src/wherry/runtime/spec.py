"""Reading of config.json into `spec_types` values, with every check that needs no kernel.

Unknown properties are ignored, as the specification demands; what we know and cannot do is
Unsupported. Errors name the JSON path.
"""

import json
import re

from wherry.kit.errors import InvalidInput, NotFound, Unsupported
from wherry.linux.namespace import IdMap
from wherry.linux.process import RESOURCES
from wherry.runtime.json_reader import INT32, INT64, UINT32, UINT64, JsonObject
from wherry.runtime.resources import parse_resources
from wherry.runtime.spec_types import (
    NAMESPACES,
    CapabilitySets,
    ClockOffset,
    CpuAffinity,
    Device,
    Hook,
    Hooks,
    IoPriority,
    Linux,
    Mount,
    Namespace,
    Process,
    Rlimit,
    Root,
    Scheduler,
    Spec,
    User,
)

SUPPORTED = "1.3.0"
"""The newest specification this reader knows."""
MAX_CONFIG_BYTES = 16 << 20
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:[-+].*)?")
_PROPAGATION: tuple[str, ...] = (
    "",
    *("private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"),
)
_PERSONALITY = ("", "LINUX", "LINUX32")


def load(bundle: str) -> Spec:
    """Read `<bundle>/config.json`. Raises NotFound, InvalidInput, Unsupported."""
    return parse(load_json(f"{bundle}/config.json"))


def load_json(path: str) -> object:
    """A JSON file's value. Raises NotFound, InvalidInput."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"{path}: no such file") from error
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise InvalidInput(f"{path}: {error.strerror}") from error
    if len(data) > MAX_CONFIG_BYTES:
        raise InvalidInput(f"{path}: larger than {MAX_CONFIG_BYTES} bytes")
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}: not JSON: {error}") from error
    return value


def parse(value: object) -> Spec:
    """The document as a Spec. Raises InvalidInput, Unsupported."""
    document = JsonObject(value)
    if "solaris" in document or "windows" in document or "vm" in document:
        raise Unsupported("config.json is for another platform than linux")
    process = _process(document.child("process")) if "process" in document else None
    spec = Spec(
        version=_version(document),
        root=_root(document),
        process=process,
        hostname=document.text("hostname", ""),
        domainname=document.text("domainname", ""),
        mounts=tuple(_mount(entry) for entry in document.children("mounts")),
        hooks=_hooks(document.child("hooks")),
        linux=_linux(document.child("linux")),
        annotations=document.entries("annotations"),
    )
    _check_together(spec)
    return spec


def parse_process(value: object) -> Process:
    """A process object by itself, as `exec --process` takes it. Raises InvalidInput."""
    return _process(JsonObject(value, "process"))


def parse_hooks(value: object) -> Hooks:
    """The hooks of a document that was accepted before. Raises InvalidInput."""
    return _hooks(JsonObject(value).child("hooks"))


def _version(document: JsonObject) -> str:
    text = document.text("ociVersion")
    match = _VERSION.fullmatch(text)
    if match is None:
        raise InvalidInput(f"ociVersion: {text!r} is not a semantic version")
    if match[1] != "1":
        raise Unsupported(f"ociVersion: {text} is not supported, only 1.x ({SUPPORTED} is known)")
    return text


def _root(document: JsonObject) -> Root:
    if "root" not in document:
        raise InvalidInput("root: required, but missing")
    root = document.child("root")
    path = root.text("path")
    if not path:
        raise InvalidInput("root.path: must not be empty")
    return Root(path, root.boolean("readonly"))


def _mount(entry: JsonObject) -> Mount:
    mount = Mount(
        destination=entry.text("destination"),
        type=entry.text("type", ""),
        source=entry.text("source", ""),
        options=entry.texts("options"),
        uid_maps=_id_maps(entry, "uidMappings"),
        gid_maps=_id_maps(entry, "gidMappings"),
    )
    if not mount.destination:
        raise InvalidInput(f"{entry.at('destination')}: must not be empty")
    if bool(mount.uid_maps) != bool(mount.gid_maps):
        raise InvalidInput(f"{entry.path}: uidMappings and gidMappings go together")
    return mount


def _id_maps(entry: JsonObject, key: str) -> tuple[IdMap, ...]:
    return tuple(
        IdMap(
            line.integer("containerID", UINT32),
            line.integer("hostID", UINT32),
            line.integer("size", UINT32),
        )
        for line in entry.children(key)
    )


def _process(node: JsonObject) -> Process:
    cwd = node.text("cwd", "/") or "/"
    if not cwd.startswith("/"):
        raise InvalidInput(f"{node.at('cwd')}: {cwd!r} is not absolute")
    return Process(
        args=node.texts("args"),
        cwd=cwd,
        env=node.texts("env"),
        terminal=node.boolean("terminal"),
        console_size=_console_size(node),
        user=_user(node.child("user")),
        capabilities=_capabilities(node),
        rlimits=_rlimits(node),
        no_new_privileges=node.boolean("noNewPrivileges"),
        oom_score_adj=node.optional_integer("oomScoreAdj", (-1000, 1000)),
        apparmor_profile=node.text("apparmorProfile", ""),
        selinux_label=node.text("selinuxLabel", ""),
        scheduler=_scheduler(node),
        io_priority=_io_priority(node),
        cpu_affinity=_cpu_affinity(node),
    )


def _console_size(node: JsonObject) -> tuple[int, int] | None:
    if "consoleSize" not in node:
        return None
    size = node.child("consoleSize")
    return size.integer("width", (0, 65535)), size.integer("height", (0, 65535))


def _user(node: JsonObject) -> User:
    return User(
        uid=node.integer("uid", UINT32, 0),
        gid=node.integer("gid", UINT32, 0),
        umask=node.optional_integer("umask", (0, 0o7777)),
        additional_gids=node.integers("additionalGids", UINT32),
    )


def _capabilities(node: JsonObject) -> CapabilitySets | None:
    if "capabilities" not in node:
        return None
    sets = node.child("capabilities")
    return CapabilitySets(*(sets.texts(name) for name in CapabilitySets._fields))


def _rlimits(node: JsonObject) -> tuple[Rlimit, ...]:
    limits = []
    seen = set()
    for entry in node.children("rlimits"):
        limit = Rlimit(
            entry.text("type"), entry.integer("soft", UINT64), entry.integer("hard", UINT64)
        )
        if limit.type not in RESOURCES:
            raise InvalidInput(f"{entry.at('type')}: unknown limit {limit.type!r}")
        if limit.type in seen:
            raise InvalidInput(f"{entry.path}: a second entry for {limit.type}")
        if limit.soft > limit.hard:
            raise InvalidInput(f"{entry.path}: soft {limit.soft} is above hard {limit.hard}")
        seen.add(limit.type)
        limits.append(limit)
    return tuple(limits)


def _scheduler(node: JsonObject) -> Scheduler | None:
    if "scheduler" not in node:
        return None
    entry = node.child("scheduler")
    return Scheduler(
        policy=entry.text("policy"),
        nice=entry.integer("nice", INT32, 0),
        priority=entry.integer("priority", INT32, 0),
        flags=entry.texts("flags"),
        runtime=entry.integer("runtime", UINT64, 0),
        deadline=entry.integer("deadline", UINT64, 0),
        period=entry.integer("period", UINT64, 0),
    )


def _io_priority(node: JsonObject) -> IoPriority | None:
    if "ioPriority" not in node:
        return None
    entry = node.child("ioPriority")
    return IoPriority(entry.text("class"), entry.integer("priority", (0, 7), 0))


def _cpu_affinity(node: JsonObject) -> CpuAffinity | None:
    if "execCPUAffinity" not in node:
        return None
    entry = node.child("execCPUAffinity")
    return CpuAffinity(entry.text("initial", ""), entry.text("final", ""))


def _hooks(node: JsonObject) -> Hooks:
    before = ("prestart", "createRuntime", "createContainer", "startContainer")
    keys = (*before, "poststart", "poststop")
    return Hooks(*(tuple(_hook(entry) for entry in node.children(key)) for key in keys))


def _hook(entry: JsonObject) -> Hook:
    hook = Hook(
        path=entry.text("path"),
        args=entry.texts("args"),
        env=entry.texts("env"),
        timeout=entry.optional_integer("timeout", (1, INT32[1])),
    )
    if not hook.path.startswith("/"):
        raise InvalidInput(f"{entry.at('path')}: {hook.path!r} is not absolute")
    return hook


def _linux(node: JsonObject) -> Linux:
    for key in ("netDevices", "memoryPolicy", "intelRdt"):
        if key in node:
            raise Unsupported(f"{node.at(key)}: not supported by this runtime")
    return Linux(
        namespaces=_namespaces(node),
        uid_maps=_id_maps(node, "uidMappings"),
        gid_maps=_id_maps(node, "gidMappings"),
        time_offsets=_time_offsets(node.child("timeOffsets")),
        devices=tuple(_device(entry) for entry in node.children("devices")),
        cgroups_path=node.text("cgroupsPath", ""),
        resources=parse_resources(node.raw("resources"), node.at("resources")),
        rootfs_propagation=_one_of(node, "rootfsPropagation", _PROPAGATION),
        seccomp=_seccomp(node),
        sysctl=node.entries("sysctl"),
        masked_paths=_absolute(node, "maskedPaths"),
        readonly_paths=_absolute(node, "readonlyPaths"),
        mount_label=node.text("mountLabel", ""),
        personality=_personality(node),
    )


def _one_of(node: JsonObject, key: str, allowed: tuple[str, ...]) -> str:
    value = node.text(key, "")
    if value not in allowed:
        raise InvalidInput(f"{node.at(key)}: {value!r} is not one of {', '.join(allowed[1:])}")
    return value


def _absolute(node: JsonObject, key: str) -> tuple[str, ...]:
    paths = node.texts(key)
    for path in paths:
        if not path.startswith("/"):
            raise InvalidInput(f"{node.at(key)}: {path!r} is not absolute")
    return paths


def _namespaces(node: JsonObject) -> tuple[Namespace, ...]:
    found: dict[str, Namespace] = {}
    for entry in node.children("namespaces"):
        name, path = entry.text("type"), entry.text("path", "")
        kind = NAMESPACES.get(name)
        if kind is None:
            raise InvalidInput(f"{entry.at('type')}: unknown namespace {name!r}")
        if kind in found:
            raise InvalidInput(f"{entry.path}: a second {name} namespace")
        if path and not path.startswith("/"):
            raise InvalidInput(f"{entry.at('path')}: {path!r} is not absolute")
        found[kind] = Namespace(kind, path)
    return tuple(found.values())


def _time_offsets(node: JsonObject) -> tuple[ClockOffset, ...]:
    offsets = []
    for clock in ("monotonic", "boottime"):
        if clock in node:
            entry = node.child(clock)
            seconds = entry.integer("secs", INT64, 0)
            nanoseconds = entry.integer("nanosecs", (0, 999_999_999), 0)
            offsets.append(ClockOffset(clock, seconds, nanoseconds))
    return tuple(offsets)


def _device(entry: JsonObject) -> Device:
    kind = entry.text("type")
    if kind not in ("c", "b", "u", "p"):
        raise InvalidInput(f"{entry.at('type')}: {kind!r} is not one of c, b, u, p")
    default = 0 if kind == "p" else None
    return Device(
        path=entry.text("path"),
        type=kind,
        major=entry.integer("major", UINT32, default),
        minor=entry.integer("minor", UINT32, default),
        mode=entry.integer("fileMode", UINT32, 0o666) & 0o7777,
        uid=entry.integer("uid", UINT32, 0),
        gid=entry.integer("gid", UINT32, 0),
    )


def _seccomp(node: JsonObject) -> dict[str, object] | None:
    value = node.raw("seccomp")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidInput(f"{node.at('seccomp')}: want an object")
    return value


def _personality(node: JsonObject) -> str:
    if "personality" not in node:
        return ""
    entry = node.child("personality")
    if entry.texts("flags"):
        raise Unsupported(f"{entry.at('flags')}: no flag is supported")
    return _one_of(entry, "domain", _PERSONALITY)


def _check_together(spec: Spec) -> None:
    """Rules that join several fields."""
    linux = spec.linux
    if spec.process is not None and not spec.process.args:
        raise InvalidInput("process.args: at least one entry is required")
    if linux.namespace("mnt") is None:
        raise Unsupported("linux.namespaces: a container without a mount namespace of its own")
    user = linux.namespace("user")
    if user is not None and not user.path and not (linux.uid_maps and linux.gid_maps):
        raise InvalidInput("linux.uidMappings, gidMappings: required for a new user namespace")
    if user is None and (linux.uid_maps or linux.gid_maps):
        raise InvalidInput("linux.uidMappings: given without a user namespace")
    if linux.namespace("uts") is None and (spec.hostname or spec.domainname):
        raise InvalidInput("hostname: cannot be set without a uts namespace")
    time = linux.namespace("time")
    if linux.time_offsets and (time is None or time.path):
        raise InvalidInput("linux.timeOffsets: need a new time namespace")
