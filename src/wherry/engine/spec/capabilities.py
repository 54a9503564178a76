"""Which capabilities a container gets (Docker's defaults, --cap-add, --cap-drop, --privileged)."""

from collections.abc import Iterable

from wherry.kit.errors import InvalidInput

DEFAULT = frozenset(
    f"CAP_{name}"
    for name in (
        "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP "
        "NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    ).split()
)


def granted(
    add: Iterable[str], drop: Iterable[str], known: frozenset[str], *, privileged: bool
) -> frozenset[str]:
    """The set for bounding, permitted and effective. Raises InvalidInput for unknown names."""
    if privileged:
        return known
    added, dropped = _named("CapAdd", add, known), _named("CapDrop", drop, known)
    if "ALL" in added:
        return known - dropped
    if "ALL" in dropped:
        return added & known
    return ((DEFAULT & known) | added) - dropped


def _named(field: str, names: Iterable[str], known: frozenset[str]) -> frozenset[str]:
    found = set()
    for given in names:
        name = given.upper()
        if name != "ALL":
            name = name if name.startswith("CAP_") else f"CAP_{name}"
            if name not in known:
                raise InvalidInput(f'invalid {field}: unknown capability: "{name}"')
        found.add(name)
    return frozenset(found)
