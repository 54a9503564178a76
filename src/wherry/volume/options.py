"""Options of local volumes (`docker volume create -o`): checked, and turned into a Mount."""

from collections.abc import Mapping

from wherry.kit.errors import InvalidInput
from wherry.linux.mount import Mount

_VALID = ("type", "o", "device", "size")
_NEEDS = (("device", "type"), ("type", "device"), ("o", "device"), ("o", "type"))


def check(options: Mapping[str, str]) -> None:
    """Docker's rules, as where the file system has no project quotas. Raises InvalidInput."""
    for name in options:
        if name not in _VALID:
            raise InvalidInput(f'invalid option: "{name}"')
    if options.get("size"):
        raise InvalidInput("quota size requested but no quota support")
    for name, needed in _NEEDS:
        if name in options and needed not in options:
            raise InvalidInput(f'missing required option: "{needed}"')


def to_mount(options: Mapping[str, str]) -> Mount | None:
    """What has to be mounted on the volume's directory before use; None: nothing."""
    if not options.get("device") or not options.get("type"):
        return None
    words = tuple(word for word in options.get("o", "").split(",") if word)
    return Mount(_fstype(options["type"], words), options["device"], words)


def _fstype(fstype: str, words: tuple[str, ...]) -> str:
    """`type=none,o=bind` is how Docker's users write a bind mount."""
    return "bind" if "bind" in words or "rbind" in words else fstype
