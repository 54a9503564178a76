"""Platforms (image-spec, image-index.md) and their normal forms."""

import os
import sys

import msgspec

from wherry.kit.errors import InvalidInput

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "arm64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
    "loongarch64": ("loong64", ""),
}
_OLDER_ARM = {"v8": ("v8", "v7", "v6", "v5"), "v7": ("v7", "v6", "v5"), "v6": ("v6", "v5")}


class Platform(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={"os_version": "os.version", "os_features": "os.features"},
):
    """Operating system, architecture (GOARCH) and variant."""

    architecture: str
    os: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


_GO_ARCHITECTURES = frozenset(
    "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 "
    "mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm".split()
)
"""What a word alone may name, beside operating systems."""


def host() -> Platform:
    """The platform that this process runs on."""
    architecture, variant = _ARCHITECTURES.get(os.uname().machine, (os.uname().machine, ""))
    return Platform(architecture=architecture, os=sys.platform, variant=variant)


def parse(text: str) -> Platform:
    """`linux/arm64/v8`, `arm64`, `linux` → Platform. Raises InvalidInput."""
    parts = text.lower().split("/")
    if not all(parts) or len(parts) > 3:
        raise InvalidInput(f"{text!r} is an invalid platform: want os/architecture[/variant]")
    if len(parts) == 1:
        if parts[0] in ("linux", "windows", "darwin", "freebsd"):
            return Platform(architecture=host().architecture, os=parts[0])
        if parts[0] not in _ARCHITECTURES and parts[0] not in _GO_ARCHITECTURES:
            raise InvalidInput(
                f'"{text}": unknown operating system or architecture: invalid argument'
            )
        parts.insert(0, "linux")
    architecture, variant = _ARCHITECTURES.get(parts[1], (parts[1], ""))
    return Platform(architecture, parts[0], parts[2] if len(parts) == 3 else variant)


def matches(wanted: Platform, offered: Platform) -> bool:
    """Whether an image for `offered` runs on `wanted` (arm: an older variant does)."""
    if (wanted.os, wanted.architecture) != (offered.os, offered.architecture):
        return False
    want, offer = _normal_variant(wanted), _normal_variant(offered)
    return want == offer or offer in _OLDER_ARM.get(want, ())


def _normal_variant(platform: Platform) -> str:
    if platform.architecture == "arm64":
        return platform.variant or "v8"
    if platform.architecture == "arm":
        return platform.variant or "v7"
    return platform.variant
