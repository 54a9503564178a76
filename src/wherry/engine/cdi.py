"""Devices by file: the Container Device Interface's descriptions, looked up and applied.

Specification: github.com/cncf-tags/container-device-interface, SPEC.md, versions 0.3 to 1.0. A
description is JSON or YAML in one of the folders; a later folder wins. What a request means is
decided here, on values; `found` and `applied` are at the edges of that.
"""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from wherry.dockerapi.host_config import DeviceRequest
from wherry.kit.errors import InvalidInput

GPU = "nvidia.com/gpu"
"""The kind that `--gpus` means, where a description offers it."""
SIZE_LIMIT = 16 << 20
_PHASES = frozenset(
    "prestart createRuntime createContainer startContainer poststart poststop".split()
)


class DeviceNode(msgspec.Struct, frozen=True, rename="camel"):
    """A device; what is not said is as on the host."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    permissions: str = "rwm"
    uid: int | None = None
    gid: int | None = None


class CdiMount(msgspec.Struct, frozen=True, rename="camel"):
    """A mount; without options it is a read-only bind."""

    host_path: str
    container_path: str
    options: list[str] = []
    type: str = "bind"


class Hook(msgspec.Struct, frozen=True, rename="camel"):
    """A program of the host's that runs at one moment of the container's making."""

    hook_name: str
    path: str
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None


class Edits(msgspec.Struct, frozen=True, rename="camel"):
    """What is added to a container."""

    env: list[str] = []
    device_nodes: list[DeviceNode] = []
    mounts: list[CdiMount] = []
    hooks: list[Hook] = []
    additional_gids: list[int] = msgspec.field(name="additionalGids", default_factory=list)


class CdiDevice(msgspec.Struct, frozen=True, rename="camel"):
    """A device by its name."""

    name: str
    container_edits: Edits = Edits()


class Description(msgspec.Struct, frozen=True, rename="camel"):
    """One file."""

    cdi_version: str
    kind: str
    devices: list[CdiDevice]
    container_edits: Edits = Edits()


class Offered(NamedTuple):
    """One device that can be asked for: its own edits, and those all devices of its file need."""

    edits: Edits
    common: Edits


def read(path: str) -> Description:
    """One description. Raises InvalidInput naming the file."""
    try:
        with open(path, "rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise InvalidInput(f"CDI description {path}: {error.strerror}") from error
    if len(data) > SIZE_LIMIT:
        raise InvalidInput(f"CDI description {path}: larger than {SIZE_LIMIT} bytes")
    decode = msgspec.json.decode if path.endswith(".json") else msgspec.yaml.decode
    try:
        return decode(data, type=Description)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(f"CDI description {path}: {error}") from error


def offered(folders: Sequence[str]) -> dict[str, Offered]:
    """All devices by full name, `vendor/class=name`. Raises InvalidInput for a broken file."""
    found: dict[str, Offered] = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name.endswith((".json", ".yaml", ".yml")):
                description = read(os.path.join(folder, name))
                found |= {
                    f"{description.kind}={device.name}": Offered(
                        device.container_edits, description.container_edits
                    )
                    for device in description.devices
                }
    return found


def wanted(requests: Iterable[DeviceRequest], known: Iterable[str]) -> list[str]:
    """Full names of the devices asked for. Raises InvalidInput with dockerd's words. Pure."""
    names: list[str] = []
    for request in requests:
        names += _wanted(request, list(known))
    return list(dict.fromkeys(names))


def _wanted(request: DeviceRequest, known: list[str]) -> list[str]:
    if request.driver == "cdi":
        missing = [name for name in request.device_ids or [] if name not in known]
        if missing:
            raise InvalidInput(
                f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}"
            )
        return list(request.device_ids or [])
    gpus = [name for name in known if name.startswith(f"{GPU}=")]
    asks_gpu = any("gpu" in group for group in request.capabilities or [])
    if request.driver not in ("", "nvidia") or not asks_gpu or not gpus:
        groups = " ".join(f"[{' '.join(group)}]" for group in request.capabilities or [])
        raise InvalidInput(
            f'could not select device driver "{request.driver}" with capabilities: [{groups}]'
        )
    return _gpus(request, gpus)


def _gpus(request: DeviceRequest, gpus: list[str]) -> list[str]:
    if request.device_ids:
        asked = [f"{GPU}={id}" for id in request.device_ids]
        missing = [name for name in asked if name not in gpus]
        if missing:
            raise InvalidInput(
                f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}"
            )
        return asked
    single = [name for name in gpus if name != f"{GPU}=all"]
    if request.count < 0:
        return [f"{GPU}=all"] if f"{GPU}=all" in gpus else single
    if request.count > len(single):
        raise InvalidInput(f"{request.count} GPUs were asked for, and there are {len(single)}")
    return single[: request.count or 1]


def edits_of(names: Iterable[str], known: Mapping[str, Offered]) -> list[Edits]:
    """What is to be applied, in order; what a file's devices have in common once. Pure."""
    result: list[Edits] = []
    for name in names:
        device = known[name]
        result += [device.common] * (device.common not in result)
        result.append(device.edits)
    return result


def applied(spec: dict[str, Any], edits: Iterable[Edits], *, make_nodes: bool) -> dict[str, Any]:
    """The runtime specification with the edits in it.

    `make_nodes` False: this user may make no device nodes, so they are bound from the host.
    Raises InvalidInput for a device that the host does not have.
    """
    process, linux = dict(spec["process"]), dict(spec["linux"])
    mounts, hooks = list(spec["mounts"]), dict(spec.get("hooks", {}))
    process["env"], process["user"] = list(process["env"]), dict(process["user"])
    devices, rules = list(linux["devices"]), list(linux["resources"].get("devices", []))
    for edit in edits:
        process["env"] += edit.env
        groups = process["user"].get("additionalGids", [])
        process["user"]["additionalGids"] = [*groups, *edit.additional_gids]
        mounts += [_mount(each) for each in edit.mounts]
        for hook in edit.hooks:
            phase = _phase(hook)
            hooks[phase] = [*hooks.get(phase, []), _hook(hook)]
        for node in edit.device_nodes:
            known = _on_host(node)
            rules.append(_rule(known, node.permissions))
            if make_nodes:
                devices.append(known)
            else:
                mounts.append(_bound(node))
    linux |= {"devices": devices, "resources": {**linux["resources"], "devices": rules}}
    return {**spec, "process": process, "linux": linux, "mounts": mounts, "hooks": hooks}


def _mount(each: CdiMount) -> dict[str, Any]:
    options = each.options or ["rbind", "ro", "nosuid", "nodev"]
    return {
        "destination": each.container_path,
        "source": each.host_path,
        "type": each.type or "bind",
        "options": options if {"bind", "rbind"} & set(options) else ["rbind", *options],
    }


def _bound(node: DeviceNode) -> dict[str, Any]:
    source = node.host_path or node.path
    return {"destination": node.path, "source": source, "type": "bind", "options": ["bind"]}


def _phase(hook: Hook) -> str:
    if hook.hook_name not in _PHASES:
        raise InvalidInput(f"CDI device injection failed: invalid hook name {hook.hook_name!r}")
    return hook.hook_name


def _hook(hook: Hook) -> dict[str, Any]:
    result: dict[str, Any] = {"path": hook.path, "args": hook.args, "env": hook.env}
    return result if hook.timeout is None else {**result, "timeout": hook.timeout}


def _on_host(node: DeviceNode) -> dict[str, Any]:
    """A node as the specification writes it; numbers from the host where they are not said."""
    path = node.host_path or node.path
    try:
        status = os.stat(path)
    except OSError as error:
        text = os.strerror(error.errno or 0).lower()
        raise InvalidInput(f"CDI device injection failed: {path}: {text}") from error
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        raise InvalidInput(f"CDI device injection failed: {path}: not a device node")
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b"
    return {
        "path": node.path,
        "type": node.type or kind,
        "major": node.major or os.major(status.st_rdev),
        "minor": node.minor or os.minor(status.st_rdev),
        "fileMode": stat.S_IMODE(status.st_mode) if node.file_mode is None else node.file_mode,
        "uid": status.st_uid if node.uid is None else node.uid,
        "gid": status.st_gid if node.gid is None else node.gid,
    }


def _rule(node: Mapping[str, Any], access: str) -> dict[str, Any]:
    numbers = {name: node[name] for name in ("type", "major", "minor")}
    return {"allow": True, **numbers, "access": access or "rwm"}
