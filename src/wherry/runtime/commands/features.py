"""features: what this runtime can do (runtime-spec, features.md)."""

import json
import sys

from wherry.linux import capability
from wherry.linux.mount import ATTRIBUTES
from wherry.runtime.commands.arguments import Syntax, read
from wherry.runtime.commands.setting import Setting
from wherry.runtime.labels import has_apparmor, has_selinux
from wherry.runtime.spec import SUPPORTED
from wherry.runtime.spec_types import NAMESPACES

_HOOKS = "prestart createRuntime createContainer startContainer poststart poststop".split()
_PROPAGATION = "private slave shared unbindable".split()
_OTHER_OPTIONS = (
    "async bind defaults dirsync idmap iversion lazytime loud mand noiversion nolazytime nomand "
    "rbind remount ridmap silent sync tmpcopyup"
).split()
_ACTIONS = "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP".split()
_OPERATORS = "EQ GE GT LE LT MASKED_EQ NE".split()
_ARCHITECTURES = "AARCH64 ARM X32 X86 X86_64".split()
_FLAGS = "LOG SPEC_ALLOW TSYNC".split()


def command_features(setting: Setting, words: list[str]) -> int:
    """Print the document."""
    del setting
    read(words, Syntax(most=0))
    sys.stdout.write(json.dumps(describe(), indent=2) + "\n")
    return 0


def describe() -> dict[str, object]:
    """The features document."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SUPPORTED,
        "hooks": _HOOKS,
        "mountOptions": mount_options(),
        "linux": {
            "namespaces": sorted(NAMESPACES),
            "capabilities": list(capability.NAMES),
            "cgroup": {
                "v1": True,
                "v2": True,
                "systemd": False,
                "systemdUser": True,
                "rdma": True,
            },
            "seccomp": {
                "enabled": True,
                "actions": [f"SCMP_ACT_{name}" for name in _ACTIONS],
                "operators": [f"SCMP_CMP_{name}" for name in _OPERATORS],
                "archs": [f"SCMP_ARCH_{name}" for name in _ARCHITECTURES],
                "knownFlags": [f"SECCOMP_FILTER_FLAG_{name}" for name in _FLAGS],
                "supportedFlags": [f"SECCOMP_FILTER_FLAG_{name}" for name in _FLAGS],
            },
            "apparmor": {"enabled": has_apparmor()},
            "selinux": {"enabled": has_selinux()},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": True}},
            "netDevices": {"enabled": False},
        },
    }


def mount_options() -> list[str]:
    """Every option word that is understood and not left to the file system."""
    words = set(ATTRIBUTES) | {f"r{word}" for word in ATTRIBUTES}
    words |= set(_PROPAGATION) | {f"r{word}" for word in _PROPAGATION}
    return sorted(words | set(_OTHER_OPTIONS))
