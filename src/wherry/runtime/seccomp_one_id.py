"""The extra filter of containers that have a single user and group id.

With one id mapped the kernel refuses to change owners and ids, and to make devices; most of what
images do at run time (package managers, servers that drop their privileges) ends there, though
with one id there is nothing to protect. The filter answers those calls with success and does
nothing. It is loaded after the profile's filter: where both answer with an error number, the
kernel takes the one that was loaded last.
"""

from wherry.runtime import seccomp

_OWNERS = "chown chown32 lchown lchown32 fchown fchown32 fchownat"
IDENTITY = ("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid")
"""Calls that change who the process is: where somebody listens, they are really made."""
_IDS = (
    "setuid32 setgid32 setreuid32 setregid32 setresuid32 setresgid32 setfsuid setfsuid32 "
    "setfsgid setfsgid32 setgroups setgroups32 getgroups getgroups32"
)
"""getgroups too: with one id no further groups can be given up, so none are shown."""
_TYPE_BITS, _CHARACTER, _BLOCK = 0o170000, 0o020000, 0o060000
_REAL_FILES = (0, 0o100000, 0o010000, 0o140000)  # none is a regular file; fifo, socket


def one_id_profile(architectures: list[str]) -> dict[str, object]:
    """The filter as a `linux.seccomp` object; `architectures` as in the container's profile."""
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": architectures,
        "syscalls": [
            _succeed([*_OWNERS.split(), *_IDS.split(), *IDENTITY]),
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


def real_files() -> list[dict[str, object]]:
    """For profiles that allow little: mknod of what is no device is done as asked."""
    return [
        {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [_masked(at, _TYPE_BITS, kind)]}
        for name, at in (("mknod", 1), ("mknodat", 2))
        for kind in _REAL_FILES
    ]


def _masked(argument: int, mask: int, value: int) -> dict[str, object]:
    return {"index": argument, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}


def _succeed(names: list[str], *arguments: dict[str, object]) -> dict[str, object]:
    rule: dict[str, object] = {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 0}
    if arguments:
        rule["args"] = list(arguments)
    return rule
