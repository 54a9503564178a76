"""A mount's options, sorted into what each part of the kernel takes (config.md, Linux mounts)."""

from typing import NamedTuple

from wherry.linux import mount
from wherry.linux.mount import ATTRIBUTES, Attributes

_PROPAGATION = {
    "private": mount.MS_PRIVATE,
    "slave": mount.MS_SLAVE,
    "shared": mount.MS_SHARED,
    "unbindable": mount.MS_UNBINDABLE,
}
_SUPERBLOCK_DEFAULTS = {  # words that ask for what is already so, and are no file system's
    "defaults",
    "async",
    "noiversion",
    "nolazytime",
    "nomand",
    "mand",
    "loud",
    "silent",
    "norelatime",
    "nostrictatime",
}


class MountOptions(NamedTuple):
    """Options by kind. `propagation` are (MS_* flag, recursive) in the order given."""

    bind: bool = False
    recursive: bool = False
    attributes: Attributes = Attributes()
    recursive_attributes: Attributes = Attributes()
    propagation: tuple[tuple[int, bool], ...] = ()
    data: tuple[str, ...] = ()
    """Words for the file system itself."""
    copy_up: bool = False
    idmap: str = ""
    """``, `idmap` or `ridmap`."""
    remount: bool = False

    @property
    def readonly(self) -> bool:
        """Whether `ro` was the last word."""
        return bool(self.attributes.set & mount.MOUNT_ATTR_RDONLY)


def propagation_of(word: str) -> tuple[int, bool] | None:
    """`rslave` → (MS_SLAVE, True); None for any other word."""
    flag = _PROPAGATION.get(word)
    if flag is not None:
        return flag, False
    flag = _PROPAGATION.get(word[1:]) if word.startswith("r") else None
    return None if flag is None else (flag, True)


def sort_options(options: tuple[str, ...]) -> MountOptions:
    """The options by kind; the last of contradicting words wins, unknown ones are data."""
    bind = recursive = copy_up = remount = False
    idmap = ""
    attributes = recursive_attributes = Attributes()
    propagation: list[tuple[int, bool]] = []
    data: list[str] = []
    for word in options:
        change = propagation_of(word)
        if change is not None:
            propagation.append(change)
        elif word in ATTRIBUTES:
            attributes = attributes.merged(ATTRIBUTES[word])
        elif word[:1] == "r" and word[1:] in ATTRIBUTES:
            recursive_attributes = recursive_attributes.merged(ATTRIBUTES[word[1:]])
        elif word in ("bind", "rbind"):
            bind, recursive = True, recursive or word == "rbind"
        elif word in ("idmap", "ridmap"):
            idmap = word
        elif word == "tmpcopyup":
            copy_up = True
        elif word == "remount":
            remount = True
        elif word not in _SUPERBLOCK_DEFAULTS:
            data.append("i_version" if word == "iversion" else word)
    return MountOptions(
        bind,
        recursive,
        attributes,
        recursive_attributes,
        tuple(propagation),
        tuple(data),
        copy_up,
        idmap,
        remount,
    )
