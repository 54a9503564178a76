"""The extra filter of containers that have a single user and group id.

With one id mapped the kernel refuses to change owners and ids, and to make devices; most of what
images do at run time (package managers, servers that drop their privileges) ends there, though
with one id there is nothing to protect. The filter answers those calls with success and does
nothing. It is loaded after the profile's filter: where both answer with an error number, the
kernel takes the one that was loaded last.
"""

from wherry.runtime import seccomp

_OWNERS = "chown chown32 lchown lchown32 fchown fchown32 fchownat"
_IDS = (
    "setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid "
    "setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups "
    "setgroups32"
)
_TYPE_BITS, _CHARACTER, _BLOCK = 0o170000, 0o020000, 0o060000


def one_id_profile(architectures: list[str]) -> dict[str, object]:
    """The filter as a `linux.seccomp` object; `architectures` as in the container's profile."""
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": architectures,
        "syscalls": [
            _succeed(f"{_OWNERS} {_IDS}".split()),
            *_device_nodes("mknod", 1),
            *_device_nodes("mknodat", 2),
        ],
    }


def one_id_filter(architectures: list[str]) -> bytes:
    """The BPF program of `one_id_profile`."""
    return seccomp.compile(one_id_profile(architectures))


def _device_nodes(name: str, mode_argument: int) -> list[dict[str, object]]:
    """Fifos, sockets and files, which mknod also makes, are really made."""
    return [
        _succeed([name], _masked(mode_argument, _TYPE_BITS, kind)) for kind in (_CHARACTER, _BLOCK)
    ]


def _masked(argument: int, mask: int, value: int) -> dict[str, object]:
    return {"index": argument, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}


def _succeed(names: list[str], *arguments: dict[str, object]) -> dict[str, object]:
    rule: dict[str, object] = {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 0}
    if arguments:
        rule["args"] = list(arguments)
    return rule
