"""Values of single flags, checked and turned into what the API wants, in Docker's words."""

import os
import posixpath
import re
import socket

from wherry.cli import values
from wherry.cli.container.mounts import mount
from wherry.cli.container.networks import network
from wherry.client.document import Json
from wherry.kit.errors import InvalidInput

__all__ = ["mount", "network"]

_DEVICE_RULE = re.compile(r"[acb] (?:[0-9]+|\*):(?:[0-9]+|\*) [rwm]{1,3}")
_DOMAIN = re.compile(
    r"(:?(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9]))"
    r"(:?\.(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])))*)\.?\s*"
)
_SYSCTLS = frozenset(
    f"kernel.{name}"
    for name in (
        "msgmax",
        "msgmnb",
        "msgmni",
        "sem",
        "shmall",
        "shmmax",
        "shmmni",
        "shm_rmid_forced",
    )
)
_LIMITS = frozenset(
    (
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    )
)


def stream(text: str) -> str:
    """A standard stream's name. Raises InvalidInput."""
    if text.lower() in ("stdin", "stdout", "stderr"):
        return text.lower()
    raise InvalidInput("valid streams are STDIN, STDOUT and STDERR")


def variable(text: str) -> str:
    """`NAME=value`, or `NAME` with the value it has here. Raises InvalidInput."""
    name, equals, _ = text.partition("=")
    if not name:
        raise InvalidInput(f"invalid environment variable: {text}")
    if not equals and name in os.environ:
        return f"{name}={os.environ[name]}"
    return text


def label(text: str) -> str:
    """`name=value` or `name`. Raises InvalidInput."""
    if not text.partition("=")[0].strip():
        raise InvalidInput(f"invalid label '{text}': empty name")
    return text


def parse_address(text: str) -> str | None:
    """An IP address in its normal form; None where it is none."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, text))
        except (OSError, ValueError):
            continue
    return None


def address(text: str) -> str:
    """An IP address. Raises InvalidInput."""
    found = parse_address(text.strip())
    if found is None:
        raise InvalidInput(f"{text} is not an ip address")
    return found


def ip_flag(text: str) -> str:
    """The value of --ip and --ip6. Raises InvalidInput."""
    found = parse_address(text.strip())
    if found is None:
        raise InvalidInput(f'failed to parse IP: "{text.strip()}"')
    return found


def extra_host(text: str) -> str:
    """`host:ip` (also `host=ip`, `host-gateway`) → `host:ip`. Raises InvalidInput."""
    cut = min((at for at in (text.find(":"), text.find("=")) if at >= 0), default=-1)
    name, target = text[: max(cut, 0)], text[cut + 1 :]
    if cut < 0 or not name:
        raise InvalidInput(f'bad format for add-host: "{text}"')
    bare = target[1:-1] if target.startswith("[") and target.endswith("]") else target
    if bare != "host-gateway" and parse_address(bare.strip()) is None:
        raise InvalidInput(f'invalid IP address in add-host: "{target}"')
    return f"{name}:{bare}"


def search_domain(text: str) -> str:
    """A DNS search domain, or `.`. Raises InvalidInput."""
    word = text.strip(" ")
    if word == ".":
        return word
    if not re.search(r"[a-zA-Z]", word) or len(word) > 254 or not _DOMAIN.fullmatch(word):
        raise InvalidInput(f"{text} is not a valid domain")
    return word


def link(text: str) -> str:
    """`container[:alias]`. Raises InvalidInput."""
    if not text:
        raise InvalidInput("empty string specified for links")
    if text.count(":") > 1:
        raise InvalidInput(f"bad format for links: {text}")
    return text


def sysctl(text: str) -> str:
    """A namespaced kernel setting. Raises InvalidInput."""
    name, equals, _ = text.partition("=")
    if not equals:
        raise InvalidInput(f"sysctl '{text}' is not whitelisted")
    if name in _SYSCTLS or name.startswith(("net.", "fs.mqueue.")):
        return text
    raise InvalidInput(f"sysctl '{text}' is not whitelisted")


def ulimit(text: str) -> dict[str, Json]:
    """`name=soft[:hard]`. Raises InvalidInput."""
    name, equals, limits = text.partition("=")
    if not equals:
        raise InvalidInput(f"invalid ulimit argument: {text}")
    if name not in _LIMITS:
        raise InvalidInput(f"invalid ulimit type: {name}")
    parts = limits.split(":")
    if len(parts) > 2:
        raise InvalidInput(
            f"too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`"
        )
    soft, hard = (values.integer(part) for part in (parts[0], parts[-1]))
    if hard != -1 and soft > hard:
        raise InvalidInput(
            f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )
    return {"Name": name, "Soft": soft, "Hard": hard}


def device(text: str) -> dict[str, Json]:
    """`/dev/x[:/dev/y][:rwm]`. Raises InvalidInput."""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise InvalidInput(f"bad format for path: {text}")
    source, inside, mode = parts[0], parts[0], "rwm"
    if len(parts) == 2 and _is_device_mode(parts[1]):
        mode = parts[1]
    elif len(parts) >= 2:
        inside = parts[1]
    if len(parts) == 3:
        mode = parts[2]
        if not _is_device_mode(mode):
            raise InvalidInput(f"bad mode specified: {mode}")
    if not inside.startswith("/"):
        raise InvalidInput(f"{inside} is not an absolute path")
    return _device(source, inside, mode, clean=len(parts) < 3)


def _device(source: str, inside: str, mode: str, *, clean: bool) -> dict[str, Json]:
    if clean:
        source, inside = (
            posixpath.normpath(source) if source == inside else source,
            posixpath.normpath(inside),
        )
    return {"PathOnHost": source, "PathInContainer": inside, "CgroupPermissions": mode}


def _is_device_mode(text: str) -> bool:
    return bool(text) and set(text) <= set("rwm") and len(set(text)) == len(text)


def device_rule(text: str) -> str:
    """`type major:minor mode`. Raises InvalidInput."""
    if not _DEVICE_RULE.fullmatch(text):
        raise InvalidInput(f"invalid device cgroup format '{text}'")
    return text


def _device_and_rest(text: str) -> tuple[str, str]:
    path, colon, rest = text.partition(":")
    if not colon or not path:
        raise InvalidInput(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise InvalidInput(f"bad format for device path: {text}")
    return path, rest


def weight_device(text: str) -> dict[str, Json]:
    """`/dev/x:weight`. Raises InvalidInput."""
    path, rest = _device_and_rest(text)
    if not rest.isdigit() or (int(rest) and not 10 <= int(rest) <= 1000):
        raise InvalidInput(f"invalid weight for device: {text}")
    return {"Path": path, "Weight": int(rest)}


def byte_rate(text: str) -> dict[str, Json]:
    """`/dev/x:rate[unit]`. Raises InvalidInput."""
    path, rest = _device_and_rest(text)
    try:
        return {"Path": path, "Rate": values.size(rest)}
    except InvalidInput as error:
        raise InvalidInput(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>"
            "[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        ) from error


def io_rate(text: str) -> dict[str, Json]:
    """`/dev/x:operations`. Raises InvalidInput."""
    path, rest = _device_and_rest(text)
    if not rest.isdigit():
        raise InvalidInput(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>. "
            "Number must be a positive integer"
        )
    return {"Path": path, "Rate": int(rest)}


def gpus(text: str) -> dict[str, Json]:
    """`all`, a number, or `device=…,capabilities=…` as CSV. Raises InvalidInput."""
    request: dict[str, Json] = {
        "Driver": "",
        "Count": 0,
        "DeviceIDs": None,
        "Capabilities": None,
        "Options": {},
    }
    seen: set[str] = set()
    for field in values.split_fields(text):
        name, equals, value = field.partition("=")
        if name in seen:
            raise InvalidInput(f"gpu request key '{name}' can be specified only once")
        seen.add(name)
        if not equals:
            seen.add("count")
            request["Count"] = _gpu_count(name)
        else:
            _set_gpu(request, name, value, field)
    if "count" not in seen and request["DeviceIDs"] is None:
        request["Count"] = 1
    request["Capabilities"] = request["Capabilities"] or [["gpu"]]
    return request


def _set_gpu(request: dict[str, Json], name: str, value: str, field: str) -> None:
    if name == "driver":
        request["Driver"] = value
    elif name == "count":
        request["Count"] = _gpu_count(value)
    elif name == "device":
        request["DeviceIDs"] = [*value.split(",")]
    elif name == "capabilities":
        request["Capabilities"] = [[*value.split(","), "gpu"]]
    elif name == "options":
        pairs = (item.partition("=") for item in values.split_fields(value))
        request["Options"] = {key: rest for key, _, rest in pairs}
    else:
        raise InvalidInput(f"unexpected key '{name}' in '{field}'")


def _gpu_count(text: str) -> int:
    if text == "all":
        return -1
    try:
        return int(text)
    except ValueError as error:
        raise InvalidInput(
            f'count must be an integer: strconv.Atoi: parsing "{text}": invalid syntax'
        ) from error
